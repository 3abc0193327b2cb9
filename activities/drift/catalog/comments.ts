import { ofUsers } from '../../postgres/rds-roles';
import { notIgnored, type Part } from './part';

/** A comment as `d`, with what it is on as `o` (type, schema, identity, as the server spells and quotes them). */
const COMMENTS = `pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o`;

/** OIDs from here on are those of users' objects; below are those that `initdb` made (`FirstNormalObjectId`). */
const FIRST_NORMAL_OID = 16_384;

/**
 * Comments of users: not those that came with PostgreSQL (but that of the schema `public`) or on what an extension brought, not ours. Large objects are carried by
 * the pause, and with them nothing but contents, owner and privileges.
 */
const OF_USERS = `(d.objoid >= ${FIRST_NORMAL_OID} OR d.classoid = 'pg_namespace'::regclass) AND (d.objoid >= ${FIRST_NORMAL_OID} OR o.identity = 'public')
  AND d.classoid <> 'pg_largeobject'::regclass AND o.identity IS NOT NULL
  AND coalesce(o.schema, '') !~ '^pg_' AND coalesce(o.schema, '') NOT IN ('information_schema', $1)
  AND NOT (o.type IN ('schema', 'publication') AND o.identity = quote_ident($1))
  AND NOT EXISTS (SELECT FROM pg_depend ext WHERE ext.classid = d.classoid AND ext.objid = d.objoid AND ext.deptype = 'e')`;

/** The word after COMMENT ON. */
const WORD = `CASE WHEN o.type LIKE '% column' THEN 'COLUMN' WHEN o.type LIKE '% constraint' THEN 'CONSTRAINT' WHEN o.type = 'statistics object' THEN 'STATISTICS'
  WHEN o.type = 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER' ELSE upper(o.type) END`;
/** How COMMENT ON names it, where that is not its identity. */
const NAME = `CASE o.type
  WHEN 'domain constraint' THEN (SELECT format('%I ON DOMAIN %s', k.conname, format_type(k.contypid, NULL)) FROM pg_constraint k WHERE k.oid = d.objoid)
  WHEN 'transform' THEN (SELECT format('FOR %s LANGUAGE %I', format_type(t.trftype, NULL), l.lanname) FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang WHERE t.oid = d.objoid)
  WHEN 'aggregate' THEN regexp_replace(o.identity, '[(][)]$', '(*)')
  ELSE o.identity END`;

const of = (table: string, key: string, oid = 'oid') => `(SELECT ${key} FROM ${table} WHERE x.${oid} = d.objoid)`;
const onTable = (kind: string, name: string) => `format('${kind} %s %I', x.${name}::regclass,`;

/** The key of the object that has the comment, as the other parts have it: it goes, and comes, with that. */
const OBJECT = `CASE d.classoid
  WHEN 'pg_class'::regclass THEN (
    SELECT CASE
        WHEN x.relkind IN ('r', 'p') AND d.objsubid > 0 THEN format('column %s.%I', x.oid::regclass, a.attname)
        WHEN x.relkind IN ('r', 'p') THEN 'table ' || x.oid::regclass
        WHEN x.relkind = 'v' THEN 'view ' || x.oid::regclass
        WHEN x.relkind = 'm' THEN 'materialized view ' || x.oid::regclass
        WHEN x.relkind = 'S' THEN coalesce((SELECT format('column identity %s.%I', own.refobjid::regclass, i.attname) FROM pg_depend own
            JOIN pg_attribute i ON i.attrelid = own.refobjid AND i.attnum = own.refobjsubid
            WHERE own.classid = 'pg_class'::regclass AND own.objid = x.oid AND own.refclassid = 'pg_class'::regclass AND own.deptype = 'i'), 'sequence ' || x.oid::regclass)
        WHEN x.relkind IN ('i', 'I') THEN coalesce((SELECT format('key %s %I', k.conrelid::regclass, k.conname) FROM pg_constraint k
            WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x')), 'index ' || x.oid::regclass)
        WHEN x.relkind = 'c' THEN format('attribute %s.%I', format_type(x.reltype, NULL), a.attname)
        ELSE 'object of pg_class foreign table ' || x.oid::regclass END
      FROM pg_class x LEFT JOIN pg_attribute a ON a.attrelid = x.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE x.oid = d.objoid)
  WHEN 'pg_type'::regclass THEN ${of('pg_type x', `CASE x.typtype WHEN 'd' THEN 'domain ' WHEN 'c' THEN 'composite type ' WHEN 'r' THEN 'range type ' ELSE 'type ' END || format_type(x.oid, NULL)`)}
  WHEN 'pg_proc'::regclass THEN ${of('pg_proc x', `CASE x.prokind WHEN 'a' THEN 'aggregate ' ELSE 'function ' END || x.oid::regprocedure`)}
  WHEN 'pg_constraint'::regclass THEN ${of(
    'pg_constraint x',
    `CASE WHEN x.contypid <> 0 THEN format('domain constraint %s %I', format_type(x.contypid, NULL), x.conname)
       WHEN x.contype = 'n' THEN (SELECT format('column not null %s.%I', x.conrelid::regclass, a.attname) FROM pg_attribute a WHERE a.attrelid = x.conrelid AND a.attnum = x.conkey[1])
       ELSE format('%s %s %I', CASE x.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 't' THEN 'trigger' ELSE 'key' END, x.conrelid::regclass, x.conname) END`,
  )}
  WHEN 'pg_trigger'::regclass THEN ${of('pg_trigger x', `${onTable('trigger', 'tgrelid')} x.tgname)`)}
  WHEN 'pg_rewrite'::regclass THEN ${of('pg_rewrite x', `${onTable('rule', 'ev_class')} x.rulename)`)}
  WHEN 'pg_policy'::regclass THEN ${of('pg_policy x', `${onTable('policy', 'polrelid')} x.polname)`)}
  WHEN 'pg_namespace'::regclass THEN 'schema ' || o.identity
  WHEN 'pg_extension'::regclass THEN 'extension ' || o.identity
  WHEN 'pg_event_trigger'::regclass THEN 'event trigger ' || o.identity
  WHEN 'pg_publication'::regclass THEN 'publication ' || o.identity
  WHEN 'pg_statistic_ext'::regclass THEN 'statistics ' || o.identity
  ELSE format('object of %s %s %s', d.classoid::regclass, o.type, o.identity) END`;

const comment = (on: string, text: string) => `format('COMMENT ON %s IS %L', ${on}, ${text})`;

/**
 * Comments. Applications and tools keep more in them than words for people: PostgREST, Hasura, PostGraphile and pg_partman read them.
 * @see https://www.postgresql.org/docs/current/sql-comment.html
 */
export const COMMENT_PARTS: readonly Part[] = [
  {
    kind: 'comment',
    sql: () => `SELECT o.type || ' ' || o.identity AS id, ${OBJECT} AS parent, d.description AS definition,
        ${comment(`${WORD} || ' ' || ${NAME}`, 'd.description')} AS make, ${comment(`${WORD} || ' ' || ${NAME}`, 'd.description')} AS alter,
        ${comment(`${WORD} || ' ' || ${NAME}`, 'NULL')} AS drop
      FROM ${COMMENTS} WHERE ${OF_USERS} ORDER BY 1`,
  },
  shared('database', 'pg_database', 'datname', 's.datname = current_database()', false),
  shared(
    'role',
    'pg_roles',
    'rolname',
    `${ofUsers('s.rolname')} AND s.rolname <> $1 AND ${notIgnored('s.rolname')}`,
    true,
  ),
];

/** Comments on what belongs to the whole server. */
function shared(what: string, catalog: string, name: string, condition: string, isShared: boolean): Part {
  const on = `format('${what.toUpperCase()} %I', s.${name})`;
  return {
    kind: `comment on ${what}`,
    shared: isShared,
    sql: () => `SELECT quote_ident(s.${name}) AS id, '${what} ' || quote_ident(s.${name}) AS parent, d.description AS definition,
        ${comment(on, 'd.description')} AS make, ${comment(on, 'd.description')} AS alter, ${comment(on, 'NULL')} AS drop
      FROM ${catalog} s JOIN pg_shdescription d ON d.objoid = s.oid AND d.classoid = '${catalog === 'pg_roles' ? 'pg_authid' : catalog}'::regclass
      WHERE ${condition} ORDER BY 1`,
  };
}

import { notOfExtension, OF_USERS, type Part, TABLE_KEY, TABLES } from './part';

const T = `c.oid::regclass`;
/** What comes with the parent's is listed, so that nothing is missing when it is on its own, but is never said. */
const INHERITED = `(k.conparentid <> 0 OR k.coninhcount > 0 AND NOT k.conislocal)`;
const constraint = (kind: string, types: string): Part => ({
  kind,
  leaf: true,
  sql: () => `SELECT format('%s %I', ${T}, k.conname) AS id, ${TABLE_KEY} AS parent, pg_get_constraintdef(k.oid) AS definition,
      CASE WHEN ${INHERITED} THEN '' ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', ${T}, k.conname, pg_get_constraintdef(k.oid)) END AS make,
      NULL AS alter, CASE WHEN ${INHERITED} THEN '' ELSE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', ${T}, k.conname) END AS drop
    FROM ${TABLES} JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype IN (${types}) ORDER BY k.conparentid <> 0, k.oid`,
});

/** Views as \`c\`; their rule and their columns come with them. */
const VIEWS = (kind: string) =>
  `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${OF_USERS} AND c.relkind = '${kind}' AND c.relpersistence <> 't' AND ${notOfExtension('pg_class', 'c.oid')}`;
const VIEW_COLUMNS = `(SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ',', '' ORDER BY a.attnum) FROM pg_attribute a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)`;
/** Views and columns that a view reads. */
const NEEDS = `ARRAY(SELECT DISTINCT CASE WHEN r.relkind IN ('v', 'm') THEN CASE r.relkind WHEN 'v' THEN 'view ' ELSE 'materialized view ' END || r.oid::regclass
    ELSE format('column %s.%I', r.oid::regclass, ra.attname) END
  FROM pg_rewrite w JOIN pg_depend dep ON dep.classid = 'pg_rewrite'::regclass AND dep.objid = w.oid AND dep.refclassid = 'pg_class'::regclass AND dep.refobjid <> c.oid
  JOIN pg_class r ON r.oid = dep.refobjid LEFT JOIN pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = dep.refobjsubid WHERE w.ev_class = c.oid AND dep.refobjsubid > 0)`;
const OPTIONS = `CASE WHEN c.reloptions IS NOT NULL THEN format(' WITH (%s)', (SELECT string_agg(format('%I = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ' ORDER BY o)
  FROM unnest(c.reloptions) AS o)) END`;
const VIEW = (create: string, kind: string) =>
  `concat('${create} ', ${T}, ${OPTIONS}, ' AS ', rtrim(pg_get_viewdef(c.oid), ';')${kind})`;
const ANY_RELATION = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${OF_USERS} AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relpersistence <> 't'
  AND ${notOfExtension('pg_class', 'c.oid')}`;
/** The key of a relation of any kind. */
export const RELATION_KEY = `CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence ' ELSE 'table ' END || ${T}`;

/** Indexes as `ic` and `i`, of relations as `c`; those of constraints apart. */
const INDEXES = `${ANY_RELATION} JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class ic ON ic.oid = i.indexrelid
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = ic.oid AND k.contype IN ('p', 'u', 'x'))`;
/** The statement that makes an index. That of a partitioned one says ON ONLY; without it those of its partitions are made along. */
const INDEX = `CASE ic.relkind WHEN 'I' THEN format('CREATE %sINDEX %I ON ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, ic.relname)
    || substr(pg_get_indexdef(ic.oid), 1 + length(format('CREATE %sINDEX %I ON ONLY ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, ic.relname)))
  ELSE pg_get_indexdef(ic.oid) END`;
/** By what it serves: the server chooses its name. */
const INDEX_OF_PARTITION = (partition: string, parent: string) =>
  `format('%s of %s', (${partition})::regclass, (${parent})::regclass)`;

const state = (column: string) =>
  `CASE ${column} WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END`;
const ROLES_OF_POLICY = `(SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ' ORDER BY role) FROM unnest(p.polroles) AS role)`;
const COMMAND = `CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END`;
const POLICY = `concat('CREATE POLICY ', quote_ident(p.polname), ' ON ', ${T}, CASE WHEN p.polpermissive THEN ' AS PERMISSIVE' ELSE ' AS RESTRICTIVE' END, ' FOR ', ${COMMAND},
  ' TO ', ${ROLES_OF_POLICY}, ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')`;

/** What hangs on tables, and views. */
export const ON_TABLE_PARTS: readonly Part[] = [
  constraint('check', `'c'`),
  constraint('key', `'p', 'u', 'x'`),
  {
    kind: 'view',
    sql: () => `SELECT ${T}::text AS id, NULL AS parent, ${VIEW('', '')} AS definition, ${VIEW('CREATE VIEW', '')} AS make,
        ${VIEW('CREATE OR REPLACE VIEW', '')} AS alter, ${VIEW_COLUMNS} AS alterable, format('DROP VIEW IF EXISTS %s', ${T}) AS drop, ${NEEDS} AS needs
      FROM ${VIEWS('v')} ORDER BY c.oid`,
  },
  {
    kind: 'materialized view',
    sql: () => `SELECT ${T}::text AS id, NULL AS parent, ${VIEW('', '')} AS definition, ${VIEW('CREATE MATERIALIZED VIEW', `, CASE WHEN c.relispopulated THEN ' WITH DATA' ELSE ' WITH NO DATA' END`)} AS make,
        NULL AS alter, format('DROP MATERIALIZED VIEW IF EXISTS %s', ${T}) AS drop, ${NEEDS} AS needs
      FROM ${VIEWS('m')} ORDER BY c.oid`,
  },
  {
    kind: 'materialized view data',
    inline: true,
    sql: () => `SELECT ${T}::text AS id, 'materialized view ' || ${T} AS parent, c.relispopulated::text AS definition, '' AS make,
        format('REFRESH MATERIALIZED VIEW %s%s', ${T}, CASE WHEN c.relispopulated THEN '' ELSE ' WITH NO DATA' END) AS alter, '' AS drop
      FROM ${VIEWS('m')}`,
  },
  {
    kind: 'index',
    leaf: true,
    // Those of constraints come with the constraint.
    sql: () => `SELECT ic.oid::regclass::text AS id, ${RELATION_KEY} AS parent, ${INDEX} AS definition, ${INDEX} AS make, NULL AS alter,
        format('DROP INDEX IF EXISTS %s', ic.oid::regclass) AS drop
      FROM ${INDEXES} AND NOT ic.relispartition ORDER BY ic.oid`,
  },
  {
    kind: 'index of partition',
    inline: true,
    // Made with the index of the parent and with a partition that is new; else it has to be attached. It goes with the parent's.
    sql: () => `SELECT ${INDEX_OF_PARTITION('c.oid', 'h.inhparent')} AS id, 'partition ' || ${T} AS parent, '' AS definition,
        format('%s; ALTER INDEX %s ATTACH PARTITION %s', ${INDEX}, h.inhparent::regclass, ic.oid::regclass) AS make, NULL AS alter, '' AS drop,
        ARRAY(SELECT CASE WHEN ah.inhparent IS NULL THEN 'index ' || above.relid ELSE 'index of partition ' || ${INDEX_OF_PARTITION('ai.indrelid', 'ah.inhparent')} END
          FROM pg_partition_ancestors(ic.oid) AS above JOIN pg_index ai ON ai.indexrelid = above.relid LEFT JOIN pg_inherits ah ON ah.inhrelid = above.relid
          WHERE above.relid <> ic.oid)
        || ARRAY(SELECT 'partition ' || above.relid FROM pg_partition_ancestors(c.oid) AS above) AS "madeWith"
      FROM ${INDEXES} AND ic.relispartition JOIN pg_inherits h ON h.inhrelid = ic.oid
      ORDER BY (SELECT count(*) FROM pg_partition_ancestors(ic.oid)), ic.oid`,
  },
  {
    kind: 'valid index',
    inline: true,
    // One that a build which failed, or was under way when the snapshot was made, has left: it serves no query, and if it is unique it guards nothing.
    sql: () => `SELECT ic.oid::regclass::text AS id, 'index ' || ic.oid::regclass AS parent, '' AS definition, format('REINDEX INDEX %s', ic.oid::regclass) AS make,
        NULL AS alter, '' AS drop
      FROM ${INDEXES} AND NOT ic.relispartition AND ic.relkind = 'i' AND i.indisvalid`,
  },
  constraint('foreign key', `'f'`),
  {
    kind: 'replica identity',
    leaf: true,
    sql: () => `SELECT ${T}::text AS id, ${TABLE_KEY} AS parent, identity AS definition, format('ALTER TABLE %s REPLICA IDENTITY %s', ${T}, identity) AS make,
        format('ALTER TABLE %s REPLICA IDENTITY %s', ${T}, identity) AS alter, format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', ${T}) AS drop
      FROM ${TABLES} CROSS JOIN LATERAL (SELECT CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' WHEN 'i' THEN (SELECT 'USING INDEX ' || quote_ident(ic.relname)
        FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident) END AS identity) AS r WHERE identity IS NOT NULL`,
  },
  {
    kind: 'statistics',
    leaf: true,
    sql: (
      version,
    ) => `SELECT format('%I.%I', sn.nspname, x.stxname) AS id, ${TABLE_KEY} AS parent, concat(x.stxkind::text, (SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum = ANY (x.stxkeys::int2[])), ${version >= 140000 ? 'pg_get_statisticsobjdef_expressions(x.oid)::text' : `''`}) AS definition,
        pg_get_statisticsobjdef(x.oid) AS make,
        NULL AS alter, format('DROP STATISTICS IF EXISTS %I.%I', sn.nspname, x.stxname) AS drop
      FROM ${TABLES} JOIN pg_statistic_ext x ON x.stxrelid = c.oid JOIN pg_namespace sn ON sn.oid = x.stxnamespace`,
  },
  {
    kind: 'trigger',
    leaf: true,
    sql: () => `SELECT format('%s %I', ${T}, g.tgname) AS id, ${RELATION_KEY} AS parent, pg_get_triggerdef(g.oid) AS definition, pg_get_triggerdef(g.oid) AS make, NULL AS alter,
        format('DROP TRIGGER IF EXISTS %I ON %s', g.tgname, ${T}) AS drop
      FROM ${ANY_RELATION} JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgparentid = 0 ORDER BY g.oid`,
  },
  {
    kind: 'trigger state',
    sql: () => `SELECT format('%s %I', ${T}, g.tgname) AS id, format('trigger %s %I', ${T}, g.tgname) AS parent, g.tgenabled AS definition,
        format('ALTER TABLE %s %s TRIGGER %I', ${T}, ${state('g.tgenabled')}, g.tgname) AS make, format('ALTER TABLE %s %s TRIGGER %I', ${T}, ${state('g.tgenabled')}, g.tgname) AS alter,
        format('ALTER TABLE %s ENABLE TRIGGER %I', ${T}, g.tgname) AS drop
      FROM ${ANY_RELATION} JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled <> 'O'`,
  },
  {
    kind: 'rule',
    leaf: true,
    sql: () => `SELECT format('%s %I', ${T}, w.rulename) AS id, ${RELATION_KEY} AS parent, pg_get_ruledef(w.oid) AS definition, rtrim(pg_get_ruledef(w.oid), ';') AS make, NULL AS alter,
        format('DROP RULE IF EXISTS %I ON %s', w.rulename, ${T}) AS drop
      FROM ${ANY_RELATION} JOIN pg_rewrite w ON w.ev_class = c.oid AND w.rulename <> '_RETURN' ORDER BY w.oid`,
  },
  {
    kind: 'rule state',
    sql: () => `SELECT format('%s %I', ${T}, w.rulename) AS id, format('rule %s %I', ${T}, w.rulename) AS parent, w.ev_enabled AS definition,
        format('ALTER TABLE %s %s RULE %I', ${T}, ${state('w.ev_enabled')}, w.rulename) AS make, format('ALTER TABLE %s %s RULE %I', ${T}, ${state('w.ev_enabled')}, w.rulename) AS alter,
        format('ALTER TABLE %s ENABLE RULE %I', ${T}, w.rulename) AS drop
      FROM ${ANY_RELATION} JOIN pg_rewrite w ON w.ev_class = c.oid AND w.rulename <> '_RETURN' AND w.ev_enabled <> 'O'`,
  },
  {
    kind: 'policy',
    leaf: true,
    sql: () => `SELECT format('%s %I', ${T}, p.polname) AS id, ${TABLE_KEY} AS parent, ${POLICY} AS definition, ${POLICY} AS make, NULL AS alter,
        format('DROP POLICY IF EXISTS %I ON %s', p.polname, ${T}) AS drop
      FROM ${TABLES} JOIN pg_policy p ON p.polrelid = c.oid ORDER BY p.oid`,
  },
];

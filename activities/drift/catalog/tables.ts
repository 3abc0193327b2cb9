import { notOfExtension, OF_USERS, type Part, TABLE_KEY, TABLES } from './part';

const T = `c.oid::regclass`;
const COLUMN_TYPE = `format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
  THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END`;
const GENERATED = `CASE WHEN a.attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%s) %s', pg_get_expr(d.adbin, d.adrelid),
  CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END) END`;
const COLUMNS = `pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum`;
/** Live columns of users' tables. */
const TABLE_COLUMNS = `${TABLES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum`;
const COLUMN_ID = `format('%s.%I', ${T}, a.attname)`;
const COLUMN_KEY = `'column ' || ${COLUMN_ID}`;
const alterColumn = (what: string, ...values: string[]) =>
  `format('ALTER TABLE %s ALTER COLUMN %I ${what}', ${[T, 'a.attname', ...values].join(', ')})`;

const SEQUENCE_OPTIONS = (s: string) =>
  `format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s', ${s}.seqstart, ${s}.seqincrement, ${s}.seqmin, ${s}.seqmax, ${s}.seqcache,
    CASE WHEN ${s}.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)`;
/** The sequence of an identity column. */
const IDENTITY_SEQUENCE = `JOIN pg_depend own ON own.classid = 'pg_class'::regclass AND own.refclassid = 'pg_class'::regclass AND own.refobjid = a.attrelid
  AND own.refobjsubid = a.attnum AND own.deptype = 'i' JOIN pg_sequence s ON s.seqrelid = own.objid`;
const IDENTITY = `(SELECT format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, s.seqrelid::regclass,
  ${SEQUENCE_OPTIONS('s')}) FROM pg_depend own JOIN pg_sequence s ON s.seqrelid = own.objid WHERE own.classid = 'pg_class'::regclass
  AND own.refclassid = 'pg_class'::regclass AND own.refobjid = a.attrelid AND own.refobjsubid = a.attnum AND own.deptype = 'i')`;
const DEFAULT = `CASE WHEN a.attgenerated = '' AND d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END`;
const NOT_NULL = `CASE WHEN a.attnotnull THEN ' NOT NULL' END`;
const COLUMN = `concat(quote_ident(a.attname), ' ', ${COLUMN_TYPE}, ${GENERATED}, ${DEFAULT}, CASE WHEN a.attidentity <> '' THEN ${IDENTITY} END, ${NOT_NULL})`;
/**
 * The value that rows of before got when the column was added with a default. A default that was changed since says another, so
 * the column is added with that value and the default set afterwards.
 */
const MISSING = `CASE WHEN a.atthasmissing AND a.attgenerated = '' THEN (a.attmissingval::text::text[])[1] END`;
const ADD_COLUMN = `CASE WHEN ${MISSING} IS NULL OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') IN (${MISSING}, quote_literal(${MISSING}) || '::' || format_type(a.atttypid, NULL))
  THEN format('ALTER TABLE %s ADD COLUMN %s', ${T}, ${COLUMN})
  ELSE format('ALTER TABLE %s ADD COLUMN %I %s DEFAULT %L%s; ALTER TABLE %s ALTER COLUMN %I %s', ${T}, a.attname, ${COLUMN_TYPE}, ${MISSING}, ${NOT_NULL},
    ${T}, a.attname, coalesce('SET' || ${DEFAULT}, 'DROP DEFAULT')) END`;

/** What a parent has, its partitions and children get from it: nothing to be done for themselves. */
const own = (sql: string) => `CASE WHEN a.attinhcount > 0 THEN '' ELSE ${sql} END`;
const unlessInherited = (condition: string, sql: string) =>
  `CASE WHEN a.attinhcount > 0 AND EXISTS (SELECT FROM pg_inherits i JOIN pg_attribute parent ON parent.attrelid = i.inhparent AND parent.attname = a.attname
     LEFT JOIN pg_attrdef pd ON pd.adrelid = parent.attrelid AND pd.adnum = parent.attnum WHERE i.inhrelid = c.oid AND ${condition}) THEN '' ELSE ${sql} END`;
const SAME_DEFAULT = `pg_get_expr(pd.adbin, pd.adrelid) = pg_get_expr(d.adbin, d.adrelid)`;

const OPTIONS = `CASE WHEN c.reloptions IS NOT NULL THEN format(' WITH (%s)', (SELECT string_agg(format('%I = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ')
  FROM unnest(c.reloptions) AS o)) END`;
const COLUMN_LIST = `(SELECT coalesce(string_agg(${COLUMN}, ', ' ORDER BY a.attnum), '') FROM ${COLUMNS}
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attislocal)`;
const PARENTS = `(SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid)`;
const BOUND = `pg_get_expr(c.relpartbound, c.oid)`;
const MAKE_TABLE = `concat('CREATE ', CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED ' END, 'TABLE ', ${T},
  CASE WHEN c.relispartition THEN format(' PARTITION OF %s %s', ${PARENTS}, ${BOUND})
       WHEN c.reloftype <> 0 THEN format(' OF %s', c.reloftype::regtype)
       ELSE format(' (%s)%s', ${COLUMN_LIST}, ' INHERITS (' || ${PARENTS} || ')') END,
  CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) END, ${OPTIONS})`;
/** Parents come before their children. */
const DEPTH = `CASE WHEN c.relispartition THEN (SELECT count(*) FROM pg_partition_ancestors(c.oid)) ELSE 0 END,
  EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid), c.oid`;

const SEQUENCES = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${OF_USERS} AND c.relkind = 'S' AND c.relpersistence <> 't'
  AND ${notOfExtension('pg_class', 'c.oid')} JOIN pg_sequence s ON s.seqrelid = c.oid
  AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_class'::regclass AND i.objid = c.oid AND i.deptype = 'i')`;

/** A word of `pg_attribute` that not every major version has. */
const newer = (column: string) => `to_jsonb(a) ->> '${column}'`;

/** Sequences, tables, columns. */
export const TABLE_PARTS: readonly Part[] = [
  {
    kind: 'sequence',
    sql: () => `SELECT ${T}::text AS id, NULL AS parent, format_type(s.seqtypid, NULL) || ${SEQUENCE_OPTIONS('s')} AS definition,
        format('CREATE SEQUENCE %s AS %s %s', ${T}, format_type(s.seqtypid, NULL), ${SEQUENCE_OPTIONS('s')}) AS make,
        format('ALTER SEQUENCE %s AS %s %s', ${T}, format_type(s.seqtypid, NULL), ${SEQUENCE_OPTIONS('s')}) AS alter,
        format('DROP SEQUENCE IF EXISTS %s', ${T}) AS drop
      FROM ${SEQUENCES} ORDER BY c.oid`,
  },
  {
    kind: 'table',
    deletes: true,
    sql: () => `SELECT ${T}::text AS id, NULL AS parent, concat(c.relkind, pg_get_partkeydef(c.oid), nullif(c.reloftype, 0)::regtype) AS definition, ${MAKE_TABLE} AS make,
        NULL AS alter, format('DROP TABLE IF EXISTS %s', ${T}) AS drop
      FROM ${TABLES} ORDER BY ${DEPTH}`,
  },
  {
    kind: 'persistence',
    inline: true,
    sql: () => `SELECT ${T}::text AS id, ${TABLE_KEY} AS parent, c.relpersistence AS definition, '' AS make,
        format('ALTER TABLE %s SET %s', ${T}, CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE 'LOGGED' END) AS alter, '' AS drop
      FROM ${TABLES}`,
  },
  {
    kind: 'partition',
    inline: true,
    leaf: true,
    sql: () => `SELECT ${T}::text AS id, ${TABLE_KEY} AS parent, i.inhparent::regclass || ' ' || ${BOUND} AS definition,
        format('ALTER TABLE %s ATTACH PARTITION %s %s', i.inhparent::regclass, ${T}, ${BOUND}) AS make, NULL AS alter,
        format('ALTER TABLE %s DETACH PARTITION %s', i.inhparent::regclass, ${T}) AS drop
      FROM ${TABLES} JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.relispartition ORDER BY ${DEPTH}`,
  },
  {
    kind: 'inheritance',
    inline: true,
    sql: () => `SELECT ${T} || ' of ' || i.inhparent::regclass AS id, ${TABLE_KEY} AS parent, '' AS definition,
        format('ALTER TABLE %s INHERIT %s', ${T}, i.inhparent::regclass) AS make, NULL AS alter,
        format('ALTER TABLE %s NO INHERIT %s', ${T}, i.inhparent::regclass) AS drop
      FROM ${TABLES} JOIN pg_inherits i ON i.inhrelid = c.oid WHERE NOT c.relispartition ORDER BY ${DEPTH}, i.inhseqno`,
  },
  {
    kind: 'column',
    inline: true,
    deletes: true,
    sql: () => `SELECT ${COLUMN_ID} AS id, ${TABLE_KEY} AS parent, concat(${COLUMN_TYPE}, ${GENERATED}) AS definition, ${own(ADD_COLUMN)} AS make,
        ${own("format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING %I::%s', " + T + ', a.attname, ' + COLUMN_TYPE + ', a.attname, format_type(a.atttypid, a.atttypmod))')} AS alter,
        concat(${GENERATED}, ';') AS alterable,
        ${own("format('ALTER TABLE %s DROP COLUMN IF EXISTS %I', " + T + ', a.attname)')} AS drop
      FROM ${TABLE_COLUMNS} ORDER BY ${DEPTH}, a.attnum`,
  },
  {
    kind: 'column default',
    inline: true,
    leaf: true,
    sql: () => `SELECT ${COLUMN_ID} AS id, ${COLUMN_KEY} AS parent, pg_get_expr(d.adbin, d.adrelid) AS definition,
        ${unlessInherited(SAME_DEFAULT, alterColumn('SET DEFAULT %s', 'pg_get_expr(d.adbin, d.adrelid)'))} AS make,
        ${unlessInherited(SAME_DEFAULT, alterColumn('SET DEFAULT %s', 'pg_get_expr(d.adbin, d.adrelid)'))} AS alter,
        ${unlessInherited(SAME_DEFAULT, alterColumn('DROP DEFAULT'))} AS drop
      FROM ${TABLE_COLUMNS} WHERE a.attgenerated = '' AND d.adbin IS NOT NULL ORDER BY ${DEPTH}, a.attnum`,
  },
  {
    kind: 'column identity',
    inline: true,
    sql: () => `SELECT ${COLUMN_ID} AS id, ${COLUMN_KEY} AS parent, ${IDENTITY} AS definition, ${alterColumn('ADD%s', IDENTITY)} AS make,
        ${alterColumn(
          'SET GENERATED %s SET START WITH %s SET INCREMENT BY %s SET MINVALUE %s SET MAXVALUE %s SET CACHE %s SET %s',
          `CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END`,
          's.seqstart',
          's.seqincrement',
          's.seqmin',
          's.seqmax',
          's.seqcache',
          `CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END`,
        )} AS alter,
        ${alterColumn('DROP IDENTITY IF EXISTS')} AS drop
      FROM ${TABLE_COLUMNS} ${IDENTITY_SEQUENCE} WHERE a.attidentity <> '' AND a.attinhcount = 0 ORDER BY ${DEPTH}, a.attnum`,
  },
  {
    kind: 'column not null',
    inline: true,
    sql: () => `SELECT ${COLUMN_ID} AS id, ${COLUMN_KEY} AS parent, '' AS definition, ${unlessInherited('parent.attnotnull', alterColumn('SET NOT NULL'))} AS make, NULL AS alter,
        ${unlessInherited('parent.attnotnull', alterColumn('DROP NOT NULL'))} AS drop
      FROM ${TABLE_COLUMNS} WHERE a.attnotnull ORDER BY ${DEPTH}, a.attnum`,
  },
  {
    kind: 'column storage',
    sql: () => `SELECT ${COLUMN_ID} AS id, ${COLUMN_KEY} AS parent, a.attstorage AS definition,
        ${alterColumn('SET STORAGE %s', `CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END`)} AS make,
        ${alterColumn('SET STORAGE %s', `CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END`)} AS alter,
        ${alterColumn('SET STORAGE %s', `CASE t.typstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END`)} AS drop
      FROM ${TABLE_COLUMNS} WHERE a.attstorage <> t.typstorage`,
  },
  {
    kind: 'column compression',
    sql: () => `SELECT ${COLUMN_ID} AS id, ${COLUMN_KEY} AS parent, ${newer('attcompression')} AS definition,
        ${alterColumn('SET COMPRESSION %s', `CASE ${newer('attcompression')} WHEN 'l' THEN 'lz4' ELSE 'pglz' END`)} AS make,
        ${alterColumn('SET COMPRESSION %s', `CASE ${newer('attcompression')} WHEN 'l' THEN 'lz4' ELSE 'pglz' END`)} AS alter,
        ${alterColumn('SET COMPRESSION default')} AS drop
      FROM ${TABLE_COLUMNS} WHERE ${newer('attcompression')} <> ''`,
  },
  {
    kind: 'column statistics',
    sql: () => `SELECT ${COLUMN_ID} AS id, ${COLUMN_KEY} AS parent, a.attstattarget::text AS definition, ${alterColumn('SET STATISTICS %s', 'a.attstattarget')} AS make,
        ${alterColumn('SET STATISTICS %s', 'a.attstattarget')} AS alter, ${alterColumn('SET STATISTICS -1')} AS drop
      FROM ${TABLE_COLUMNS} WHERE a.attstattarget >= 0`,
  },
  {
    kind: 'column options',
    sql: () => `SELECT ${COLUMN_ID} AS id, ${COLUMN_KEY} AS parent, a.attoptions::text AS definition, ${alterColumn('SET (%s)', `array_to_string(a.attoptions, ', ')`)} AS make,
        NULL AS alter, ${alterColumn('RESET (%s)', `(SELECT string_agg(split_part(o, '=', 1), ', ') FROM unnest(a.attoptions) AS o)`)} AS drop
      FROM ${TABLE_COLUMNS} WHERE a.attoptions IS NOT NULL`,
  },
  {
    kind: 'sequence of column',
    sql: () => `SELECT ${T}::text AS id, 'sequence ' || ${T} AS parent, own.refobjid::regclass || '.' || a.attname AS definition,
        format('ALTER SEQUENCE %s OWNED BY %s.%I', ${T}, own.refobjid::regclass, a.attname) AS make,
        format('ALTER SEQUENCE %s OWNED BY %s.%I', ${T}, own.refobjid::regclass, a.attname) AS alter, format('ALTER SEQUENCE IF EXISTS %s OWNED BY NONE', ${T}) AS drop
      FROM ${SEQUENCES} JOIN pg_depend own ON own.classid = 'pg_class'::regclass AND own.objid = c.oid AND own.refclassid = 'pg_class'::regclass
        AND own.deptype = 'a' AND own.refobjsubid > 0 JOIN pg_attribute a ON a.attrelid = own.refobjid AND a.attnum = own.refobjsubid`,
  },
  {
    kind: 'storage option',
    sql: () => `SELECT ${T} || ' ' || split_part(o, '=', 1) AS id, ${TABLE_KEY} AS parent, o AS definition,
        format('ALTER TABLE %s SET (%I = %L)', ${T}, split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)) AS make,
        format('ALTER TABLE %s SET (%I = %L)', ${T}, split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)) AS alter,
        format('ALTER TABLE %s RESET (%I)', ${T}, split_part(o, '=', 1)) AS drop
      FROM ${TABLES}, unnest(c.reloptions) AS o`,
    inline: true,
  },
  {
    kind: 'row security',
    sql: () => `SELECT ${T}::text AS id, ${TABLE_KEY} AS parent, '' AS definition, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', ${T}) AS make, NULL AS alter,
        format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', ${T}) AS drop FROM ${TABLES} WHERE c.relrowsecurity`,
  },
  {
    kind: 'forced row security',
    sql: () => `SELECT ${T}::text AS id, ${TABLE_KEY} AS parent, '' AS definition, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', ${T}) AS make, NULL AS alter,
        format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', ${T}) AS drop FROM ${TABLES} WHERE c.relforcerowsecurity`,
  },
];

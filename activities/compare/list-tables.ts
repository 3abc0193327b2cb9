import { fenceSchema } from '../../plan/names';
import { outOfReach, unreadable } from '../postgres/extension-tables';
import { queryRows, type Session, type Side } from '../postgres/session';
import { compareNames, type TableName } from './table-name';

/** One column of a table's key. */
export interface KeyColumn {
  readonly name: string;
  /** As `format_type` prints it, schema and modifier included: what a text is cast to that names a value. */
  readonly type: string;
  /** Equality of the key's index, as `OPERATOR(schema.=)`: an index scan needs the operator of its own family. */
  readonly equals: string;
  /** int2, int4 or int8: rows can be told apart by ranges of it. */
  readonly isInteger: boolean;
}

/** A table with rows of its own: ordinary tables and leaves of partitioned ones. */
export interface ComparedTable extends TableName {
  /** Columns of the primary key, else of the replica identity's index; empty: rows have no key. */
  readonly key: readonly KeyColumn[];
  /** All columns that aren't dropped, generated ones too, in the order of the source. */
  readonly columns: readonly string[];
  /**
   * Those of them that may hold most of the table's bytes: where TOAST is larger than the table itself, every column of a
   * type without a limit. They go into a row's hash by a hash of their own.
   */
  readonly wide: readonly string[];
  /** Columns of type bytea, or of a domain over it. */
  readonly binary?: readonly string[];
  /** Columns whose values may be long, whatever their type is. */
  readonly long?: readonly string[];
  /** Every one of them is in `wide`: with their texts, rows would be longer than PostgreSQL makes a text. */
  readonly isLong?: boolean;
  /** The database has no encoding: texts may be of any bytes, and go to us in ASCII. */
  readonly asBytes?: boolean;
  /**
   * What to read it from on a side where that isn't the table by its own name and columns: SQL with the alias `t` whose
   * columns have the names above.
   */
  readonly from?: Partial<Record<Side, string>>;
  /** The same without a condition on rows. */
  readonly whole?: Partial<Record<Side, string>>;
}

/** The table with every value that may be long in a hash of its own: no text of a whole row is made. */
export const inOwnHashes = (table: ComparedTable): ComparedTable => ({
  ...table,
  wide: [...new Set([...table.wide, ...(table.long ?? [])])],
  isLong: true,
});

/** A table as one side's catalog has it. */
export interface ListedTable extends ComparedTable {
  readonly oid: number;
  /** Name of its file: another one when all of it was written anew. */
  readonly filenode: number;
  readonly isPartition: boolean;
  /** Of each column: its number, its type, and the expression of one that is computed when it is read. */
  readonly attributes: readonly Attribute[];
  /** Pages of the main fork. */
  readonly blocks: number;
  /** Pages with TOAST. */
  readonly allBlocks: number;
}

/** Number, oid of the type, oid of the expression of a virtual generated column. */
export type Attribute = readonly [number: number, type: number, expression: number | null];

/**
 * Every permanent table outside the system's schemas and ours, sorted by schema and name, as the session's snapshot sees the
 * catalog; sizes and names of types are those of now. `cron.job` isn't among them: until the switch the jobs of the target are
 * off on purpose. Nor are tables of RDS's own extensions that we can't read whole.
 */
export async function listTables(session: Session, migration: string): Promise<ListedTable[]> {
  const tables = await queryRows<ListedTable>(
    session,
    `SELECT n.nspname AS schema, c.relname AS name, coalesce(k.columns, '[]') AS key,
            c.oid::int8::float8 AS oid, c.relfilenode::int8::float8 AS filenode, c.relispartition AS "isPartition",
            (coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int8)::float8 AS blocks,
            (coalesce(pg_table_size(c.oid), 0) / current_setting('block_size')::int8)::float8 AS "allBlocks",
            coalesce((SELECT json_agg(json_build_array(a.attnum, a.atttypid::int8, d.oid::int8) ORDER BY a.attnum) FROM pg_attribute a
                       LEFT JOIN pg_attrdef d ON a.attgenerated = 'v' AND d.adrelid = a.attrelid AND d.adnum = a.attnum
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS attributes,
            coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
            coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.reltoastrelid <> 0
                         AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype, 'xml'::regtype)
                         AND pg_relation_size(c.reltoastrelid) > pg_relation_size(c.oid)), '[]') AS wide,
            coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.typoutput = 'byteaout'::regproc), '[]') AS binary,
            coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen = -1 AND a.attstorage <> 'p'), '[]') AS long,
            getdatabaseencoding() = 'SQL_ASCII' AS "asBytes"
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN LATERAL (
         SELECT json_agg(json_build_object(
                  'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                  'equals', format('OPERATOR(%I.%s)', o.nspname, o.oprname),
                  'isInteger', a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)) ORDER BY u.place) AS columns
           FROM pg_index i
          CROSS JOIN unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS u (attnum, opclass, place)
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum
           JOIN pg_opclass oc ON oc.oid = u.opclass
          CROSS JOIN LATERAL (
            SELECT op.oprname, ns.nspname FROM pg_amop ao
              JOIN pg_operator op ON op.oid = ao.amopopr JOIN pg_namespace ns ON ns.oid = op.oprnamespace
             WHERE ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
               AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
          ) o
          WHERE u.place <= i.indnkeyatts AND i.indexrelid = coalesce(
                  (SELECT indexrelid FROM pg_index WHERE indrelid = c.oid AND indisprimary AND indisvalid),
                  (SELECT indexrelid FROM pg_index WHERE indrelid = c.oid AND indisreplident AND indisvalid))
       ) k ON true
      WHERE c.relkind = 'r' AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', $1) AND n.nspname NOT LIKE 'pg\\_%'
        AND NOT (n.nspname = 'cron' AND c.relname = 'job') AND NOT (${outOfReach()} AND ${unreadable()})`,
    [fenceSchema(migration)],
  );
  return tables.sort(compareNames);
}

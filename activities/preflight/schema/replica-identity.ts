import { type Check, EVIDENCE_MAX } from '../../../plan/checks';
import { outOfReach } from '../../postgres/extension-tables';
import { queryRows, type Session } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script, scriptOf } from '../remedy';
import { databaseCheck, type In, RELATION, USER_SCHEMAS } from '../sql-check';

const code = 'replica-identity';

/** So many tables are named where all are asked for: of more, the answer would not fit into a payload of Temporal (2 MiB). */
const ALL_MAX = 4_000;

/** A table on which UPDATE and DELETE fail as soon as it is published. */
export interface BareTable {
  readonly oid: string;
  /** Qualified and quoted. */
  readonly name: string;
  /** `pg_class.relreplident`: d (primary key), i (index), n (nothing), f (full). */
  readonly identity: string;
  /** Its index, where `identity` is `i`. */
  readonly identityIndex: string | null;
  /** It has a primary key that would do. */
  readonly primaryKey: boolean;
  /** The narrowest unique index that would do. */
  readonly index: string | null;
  /** FULL would not do either: columns of types that have no equality. */
  readonly unequalColumns: readonly string[];
  /** The server refuses FULL for it, once it is published: it has generated columns. */
  readonly fullRefused: boolean;
  /** Rows updated and deleted since the statistics were reset: what FULL would write twice. */
  readonly changedRows: string;
  readonly bytes: string;
}

/**
 * Whether values of the type of column `a` can be compared by the default operator class of btree or hash, as apply has
 * to when it looks for a row by all of its columns. Domains and arrays are as their base and element type.
 */
export const HAS_NO_EQUALITY = `EXISTS (
  SELECT FROM pg_type declared
    JOIN pg_type base ON base.oid = coalesce(nullif(declared.typbasetype, 0), declared.oid)
    JOIN pg_type t ON t.oid = CASE WHEN base.typcategory = 'A' AND base.typelem <> 0 THEN base.typelem ELSE base.oid END
   WHERE declared.oid = a.atttypid AND t.typtype = 'b'
     AND NOT EXISTS (
       SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
        WHERE o.opcdefault AND (o.opcintype = t.oid OR EXISTS (
          SELECT FROM pg_cast k WHERE k.castsource = t.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))))`;

/**
 * From 18 on UPDATE and DELETE of a published table `c` with REPLICA IDENTITY FULL fail if it has generated columns, unless the publication
 * sends them. Ours doesn't: the target computes its own.
 * @see https://www.postgresql.org/docs/18/logical-replication-gencols.html
 */
const FULL_REFUSED = `(current_setting('server_version_num')::int >= 180000 AND EXISTS (
  SELECT FROM pg_attribute g WHERE g.attrelid = c.oid AND g.attnum > 0 AND NOT g.attisdropped AND g.attgenerated <> ''))`;

/**
 * A deferrable primary key is of no use as replica identity, nor is a partial or deferrable unique index, or one over an
 * expression or a column that may be null. Tables of RDS's own extensions are a matter of `extension-tables`.
 * @see https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY
 */
const BARE = `
  WITH bare AS MATERIALIZED (
    SELECT c.oid, ${RELATION} AS name, c.relreplident AS identity, ${FULL_REFUSED} AS full_refused
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND ${USER_SCHEMAS} AND NOT ${outOfReach()}
       AND CASE c.relreplident
             WHEN 'f' THEN ${FULL_REFUSED}
             WHEN 'n' THEN true
             WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate)
             ELSE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid AND i.indimmediate)
           END)
  SELECT bare.oid::text AS oid, bare.name, bare.identity,
         (SELECT format('%I', r.relname) FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid
           WHERE i.indrelid = bare.oid AND i.indisreplident LIMIT 1) AS "identityIndex",
         EXISTS (SELECT FROM pg_index i WHERE i.indrelid = bare.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate) AS "primaryKey",
         (SELECT format('%I', r.relname)
            FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid
           WHERE i.indrelid = bare.oid AND i.indisunique AND i.indisvalid AND i.indisready AND i.indislive AND i.indimmediate
             AND i.indpred IS NULL AND i.indexprs IS NULL
             AND NOT EXISTS (SELECT FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k (attnum)
                               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                              WHERE NOT a.attnotnull OR a.attgenerated <> '')
           ORDER BY i.indnkeyatts, r.relpages, r.relname LIMIT 1) AS "index",
         ARRAY(SELECT a.attname::text FROM pg_attribute a
                WHERE a.attrelid = bare.oid AND a.attnum > 0 AND NOT a.attisdropped AND ${HAS_NO_EQUALITY}
                ORDER BY a.attnum) AS "unequalColumns",
         bare.full_refused AS "fullRefused",
         (coalesce(pg_stat_get_tuples_updated(bare.oid), 0) + coalesce(pg_stat_get_tuples_deleted(bare.oid), 0))::text AS "changedRows",
         pg_table_size(bare.oid)::text AS bytes
    FROM bare ORDER BY bare.name`;

export const bareTables = (session: Session): Promise<BareTable[]> => queryRows<BareTable>(session, BARE);

/** Ordinary tables, partitions among them, which is what is replicated. */
export async function countTables(session: Session): Promise<number> {
  const [row] = await queryRows<{ tables: number }>(
    session,
    `SELECT count(*)::int AS tables FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND ${USER_SCHEMAS}`,
  );
  return row?.tables ?? 0;
}

/**
 * The cheapest replica identity that can be set without a change of the table's columns: its primary key, a unique
 * index, all columns. Undefined where none of them would do.
 */
export function cheapestIdentity(table: BareTable): string | undefined {
  if (table.primaryKey) return 'DEFAULT';
  if (table.index !== null) return `USING INDEX ${table.index}`;
  return table.unequalColumns.length === 0 && !table.fullRefused ? 'FULL' : undefined;
}

/** Why FULL would not do for a table that has no other identity either. */
export const whyNotFull = ({ unequalColumns, fullRefused }: BareTable): string =>
  fullRefused
    ? 'it has generated columns, for which this version of PostgreSQL refuses it'
    : `${unequalColumns.join(', ')} are of types without equality`;

/** A key column of its own. Names of constraints are names of indexes, and unique in a schema: so this one has the oid of the table. */
export function newKey({ oid, name }: Pick<BareTable, 'oid' | 'name'>): string {
  const key = `keyshift_key_${oid}`;
  return `ALTER TABLE ${name} ADD COLUMN keyshift_key bigint GENERATED ALWAYS AS IDENTITY, ADD CONSTRAINT ${key} UNIQUE (keyshift_key), REPLICA IDENTITY USING INDEX ${key};`;
}

/** The statement that gives a table a usable replica identity. */
export function remedyOf(table: BareTable): string {
  const identity = cheapestIdentity(table);
  return identity === undefined ? newKey(table) : `ALTER TABLE ${table.name} REPLICA IDENTITY ${identity};`;
}

const FULL_COSTS =
  'FULL writes the whole old row to the WAL for each UPDATE and DELETE, and apply looks for the row by all columns: before PostgreSQL 16 by reading the whole table';

function judge(bare: readonly In<BareTable>[], mode: 'require' | 'set', most: number): Check {
  if (bare.length === 0) return { code, level: 'ok', message: 'all tables have a usable replica identity' };
  const evidence = {
    count: bare.length,
    found: bare.slice(0, most).map((table) => ({
      table: `${table.database}: ${table.name}`,
      cheapest: cheapestIdentity(table) ?? 'a new key column',
      changedRows: Number(table.changedRows),
      bytes: Number(table.bytes),
    })),
  };
  const names = (list: readonly In<BareTable>[]) => named(list.map(({ database, name }) => `${database}: ${name}`));
  const unsettable = bare.filter((table) => cheapestIdentity(table) === undefined);
  const full = bare.filter((table) => cheapestIdentity(table) === 'FULL');
  if (mode === 'set' && unsettable.length === 0) {
    return {
      code,
      level: 'ok',
      message: `Keyshift sets the replica identity of ${counted(bare.length, 'table')} and restores it afterwards: ${named(
        bare.map((table) => `${table.database}: ${table.name} ${cheapestIdentity(table)}`),
      )}${full.length > 0 ? `. ${FULL_COSTS}` : ''}`,
      evidence,
    };
  }
  const left = mode === 'set' ? unsettable : bare;
  return {
    code,
    level: 'block',
    message: `${left.length} table${left.length === 1 ? ' has' : 's have'} no usable replica identity: ${names(left)}. UPDATE and DELETE on them would fail on the source as soon as they are published.${
      mode === 'require' && full.length > 0 ? ` ${FULL_COSTS}.` : ''
    }${unsettable.length > 0 ? ` ${names(unsettable)}: FULL would not do (columns whose type has no equality, or, from 18 on, generated columns), so only a key of its own does, and to add one rewrites the table.` : ''}`,
    remedy: [
      ...(mode === 'require' && unsettable.length < bare.length ? [letKeyshift(bare.length, unsettable.length)] : []),
      scriptOf(
        left.map((table) => ({ database: table.database, sql: remedyOf(table) })),
        most,
        left.length > most ? ['or print all of them: keyshift preflight <plan> --id <id> --all'] : [],
      ),
    ].join('\n'),
    evidence,
  };
}

/** What rescues most with one line comes before what has a line for each table. */
const letKeyshift = (bare: number, unsettable: number): string =>
  `-- let Keyshift set and restore ${unsettable === 0 ? 'all of them' : `${bare - unsettable} of the ${bare}`}, in the plan: replicaIdentity: set${unsettable === 0 ? '' : '; the others need a key'}`;

export const replicaIdentity = databaseCheck<BareTable>(
  code,
  bareTables,
  (bare, { plan, all }) => judge(bare, plan.replicaIdentity, all === true ? ALL_MAX : EVIDENCE_MAX),
  { essential: true },
);

/** The narrowest unique index of table `c` that would do as its replica identity. */
export const KEY_INDEX = `(SELECT format('%I', r.relname) FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid
           WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
             AND NOT EXISTS (SELECT FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k (attnum)
                               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE NOT a.attnotnull)
           ORDER BY i.indnkeyatts, r.relname LIMIT 1)`;

export interface FullTable {
  readonly oid: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly index: string | null;
}

/**
 * Tables with `REPLICA IDENTITY FULL`, no primary key, and a column whose type has no equality: apply finds the row of
 * an UPDATE or DELETE by comparing all columns, and fails on such a type. (By a primary key of its own, the target finds
 * it.)
 */
const FULL_WITHOUT_EQUALITY = `
  SELECT c.oid::text AS oid, ${RELATION} AS name, u.columns,
         ${KEY_INDEX} AS "index"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   CROSS JOIN LATERAL (SELECT ARRAY(SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND ${HAS_NO_EQUALITY}
                                     ORDER BY a.attnum) AS columns) u
   WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident = 'f' AND ${USER_SCHEMAS} AND u.columns <> '{}'
     AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)
   ORDER BY 1`;

export const fullIdentityTypes = databaseCheck<FullTable>(
  'full-identity-types',
  (session) => queryRows<FullTable>(session, FULL_WITHOUT_EQUALITY),
  (tables) => {
    if (tables.length === 0) {
      return {
        code: 'full-identity-types',
        level: 'ok',
        message: 'every table with REPLICA IDENTITY FULL can be compared by all of its columns',
      };
    }
    const lines = tables.map(({ database, name, columns }) => `${database}: ${name} (${columns.join(', ')})`);
    return {
      code: 'full-identity-types',
      level: 'block',
      message: `${counted(tables.length, 'table')} with REPLICA IDENTITY FULL and columns whose type has no equality: ${named(lines)}. The first UPDATE or DELETE on them stops replication for good.`,
      remedy: script(
        tables.map(({ database, oid, name, index }) => ({
          database,
          sql: index === null ? newKey({ oid, name }) : `ALTER TABLE ${name} REPLICA IDENTITY USING INDEX ${index};`,
        })),
        'or, where such a table is only ever inserted into, override it in the plan',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

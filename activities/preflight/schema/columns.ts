import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';

interface Computed {
  readonly name: string;
  readonly column: string;
  readonly kind: 'generated' | 'identity';
  readonly inKey: boolean;
  /** It is stored, and made of a system column. */
  readonly ofSystem: boolean;
}

/**
 * Identity columns go on counting by their sequence, generated ones are computed on the target. Up to 17, and in 18
 * unless a publication says otherwise, generated columns are not sent: a key that has one can't find its row. Apply computes them
 * before it knows the row's table: `tableoid`, the one system column that they may use, is 0 there.
 * @see https://www.postgresql.org/docs/current/logical-replication-gencols.html
 */
export const generatedColumns = databaseCheck<Computed>(
  'generated-columns',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, format('%I', a.attname) AS "column",
              CASE WHEN a.attgenerated <> '' THEN 'generated' ELSE 'identity' END AS kind,
              a.attgenerated <> '' AND EXISTS (
                SELECT FROM pg_index i
                 WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
                   AND CASE WHEN c.relreplident = 'i' THEN i.indisreplident ELSE i.indisprimary END) AS "inKey",
              a.attgenerated = 's' AND EXISTS (
                SELECT FROM pg_attrdef g WHERE g.adrelid = c.oid AND g.adnum = a.attnum AND g.adbin::text ~ ':varattno -') AS "ofSystem"
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND a.attnum > 0 AND NOT a.attisdropped
          AND (a.attgenerated <> '' OR a.attidentity <> '') AND ${USER_SCHEMAS}
        ORDER BY 1, 2`,
    ),
  (found) => {
    const code = 'generated-columns';
    const keys = found.filter(({ inKey }) => inKey);
    const ofSystem = found.filter((one) => one.ofSystem && !one.inKey);
    const labels = (list: readonly (typeof found)[number][]) =>
      list.map(({ database, name, column }) => `${database}: ${name}.${column}`);
    const generated = found.filter(({ kind }) => kind === 'generated');
    const evidence = { identity: found.length - generated.length, generated: evidenceOf(labels(generated)) };
    if (keys.length + ofSystem.length > 0) {
      return {
        code,
        level: 'block',
        message: [
          ...(keys.length === 0
            ? []
            : [
                `${counted(keys.length, 'generated column')} in keys that replication finds rows by: ${named(labels(keys))}. Generated columns are not sent, so UPDATE and DELETE could not be applied.`,
              ]),
          ...(ofSystem.length === 0
            ? []
            : [
                `${counted(ofSystem.length, 'generated column')} made of tableoid: ${named(labels(ofSystem))}. Apply does not know it yet when it computes them, and would write others than the source has.`,
              ]),
        ].join(' '),
        remedy: script(
          [...keys, ...ofSystem].map(({ database, name, column }) => ({
            database,
            sql: `ALTER TABLE ${name} ALTER COLUMN ${column} DROP EXPRESSION;`,
          })),
          'that makes it an ordinary column, which the application has to fill; or give the table another key as REPLICA IDENTITY USING INDEX and drop the primary key',
        ),
        evidence,
      };
    }
    return {
      code,
      level: 'ok',
      message:
        found.length === 0
          ? 'there are neither generated nor identity columns'
          : `${counted(evidence.identity, 'identity column')} go on counting as sequences do, ${counted(generated.length, 'generated column')} are computed on the target`,
      evidence,
    };
  },
);

/** Whether a relation `c` belongs to an extension. */
export const OF_EXTENSION = `EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`;

/**
 * `regclass` and its like are sent as names and looked up on the target: what is not there, or (regproc, regoper) there
 * twice under one name, stops replication.
 */
export const regColumns = databaseCheck<{ name: string; column: string; type: string }>(
  'reg-columns',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, format('%I', a.attname) AS "column", format_type(a.atttypid, NULL) AS type
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND a.attnum > 0 AND NOT a.attisdropped AND ${USER_SCHEMAS}
          AND a.atttypid IN (SELECT t.oid FROM pg_type t WHERE t.typname ~ '^_?reg(class|proc|procedure|oper|operator|type|role|namespace|config|dictionary|collation|database)$'
                               AND t.typnamespace = 'pg_catalog'::regnamespace)
          AND NOT ${OF_EXTENSION}
        ORDER BY 1, 2`,
    ),
  (found) => {
    const code = 'reg-columns';
    if (found.length === 0) return { code, level: 'ok', message: 'no table has columns of types such as regclass' };
    const lines = found.map(({ database, name, column, type }) => `${database}: ${name}.${column} ${type}`);
    return {
      code,
      level: 'warn',
      message: `${counted(found.length, 'column')} that refer to objects by their OID: ${named(lines)}. They are sent as names: a value that names something made after the snapshot stops replication until it is on the target, too.`,
      remedy: script(
        found.map(({ database, name, column, type }) => ({
          database,
          sql: `ALTER TABLE ${name} ALTER COLUMN ${column} TYPE ${type.endsWith('[]') ? 'text[]' : 'text'} USING ${column}::${type.endsWith('[]') ? 'text[]' : 'text'};`,
        })),
        'that rewrites the table; or acknowledge this in the plan',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

interface SequenceNearEnd {
  readonly sequence: string;
  readonly table: string | null;
  readonly column: string | null;
  readonly last: string;
  readonly limit: string;
  readonly percent: number;
  /** It is the sequence's type that ends it, or its own MAXVALUE. */
  readonly ownLimit: boolean;
}

const NEAR_END_PERCENT = 90;

/**
 * Sequences that have used up nine tenths of what they, or the integer column that they fill, can take; the margin of
 * the plan counts as used.
 */
export const sequenceRanges = databaseCheck<SequenceNearEnd>(
  'sequence-ranges',
  (session, { plan }) =>
    queryRows(
      session,
      `WITH used AS (
         SELECT c.oid, ${RELATION} AS sequence, s.seqtypid, s.seqincrement AS step,
                CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END AS own,
                coalesce(pg_sequence_last_value(c.oid), s.seqstart)::numeric + $1::numeric * s.seqincrement AS last
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
          WHERE c.relkind = 'S' AND NOT s.seqcycle AND
                CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT,USAGE') END AND ${USER_SCHEMAS}),
       filled AS (
         SELECT used.*, t.relation, t.attname,
                CASE t.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END AS fits
           FROM used LEFT JOIN LATERAL (
             SELECT format('%I.%I', tn.nspname, tc.relname) AS relation, format('%I', a.attname) AS attname, a.atttypid
               FROM pg_depend d JOIN pg_class tc ON tc.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
               JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
              WHERE d.classid = 'pg_class'::regclass AND d.objid = used.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 LIMIT 1) t ON true)
       SELECT sequence, relation AS "table", attname AS "column", last::text AS last,
              CASE WHEN step > 0 THEN least(own, coalesce(fits, own)) ELSE own END::text AS "limit",
              floor(100 * last / CASE WHEN step > 0 THEN least(own, coalesce(fits, own)) ELSE own END)::int AS percent,
              own < CASE seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END AS "ownLimit"
         FROM filled
        WHERE (step > 0) = (own > 0) AND own <> 0
          AND 100 * last / CASE WHEN step > 0 THEN least(own, coalesce(fits, own)) ELSE own END >= ${NEAR_END_PERCENT}
        ORDER BY 1`,
      [plan.carry.sequenceMargin],
    ),
  (found) => {
    const code = 'sequence-ranges';
    if (found.length === 0)
      return { code, level: 'ok', message: `no sequence has used ${NEAR_END_PERCENT} % of its range` };
    const lines = found.map(
      ({ database, sequence, last, limit, percent }) =>
        `${database}: ${sequence} at ${last} of ${limit} (${percent} %)`,
    );
    return {
      code,
      level: 'warn',
      message: `${counted(found.length, 'sequence')} near the end: ${named(lines)}. To change the type of a column later means DDL in the middle of a migration.`,
      remedy: script(
        found.flatMap(({ database, sequence, table, column, ownLimit }) => [
          ...(table !== null && column !== null
            ? [{ database, sql: `ALTER TABLE ${table} ALTER COLUMN ${column} TYPE bigint;` }]
            : []),
          { database, sql: `ALTER SEQUENCE ${sequence} AS bigint${ownLimit ? ' NO MAXVALUE NO MINVALUE' : ''};` },
        ]),
        'the change of a column rewrites its table under an exclusive lock; or acknowledge this in the plan',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

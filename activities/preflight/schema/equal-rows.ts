import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';
import { type FullTable, KEY_INDEX, newKey } from './replica-identity';

const code = 'full-identity-equality';

/**
 * Whether values of column `a` may be equal, but not identical: the default btree operator class of its type has no `equalimage` function
 * (numeric, float, jsonb, interval, citext...), or its collation is not deterministic. A numeric with a scale and a character with a length are
 * written in one way. Domains, arrays and ranges are as their base, element and bound; a tsvector is identical when it is equal.
 * @see https://www.postgresql.org/docs/current/btree.html#BTREE-SUPPORT-FUNCS
 */
const MAY_BE_EQUAL = `(EXISTS (SELECT FROM pg_collation l WHERE l.oid = a.attcollation AND NOT l.collisdeterministic) OR EXISTS (
  SELECT FROM pg_type declared
    JOIN pg_type base ON base.oid = coalesce(nullif(declared.typbasetype, 0), declared.oid)
    LEFT JOIN pg_range r ON r.rngtypid = base.oid
    JOIN pg_type t ON t.oid = CASE WHEN base.typcategory = 'A' AND base.typelem <> 0 THEN base.typelem ELSE coalesce(r.rngsubtype, base.oid) END
   CROSS JOIN LATERAL (
     SELECT o.opcfamily, o.opcintype FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree'
      WHERE o.opcdefault AND (o.opcintype = t.oid OR EXISTS (
              SELECT FROM pg_cast k WHERE k.castsource = t.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))
      ORDER BY o.opcintype = t.oid DESC LIMIT 1) op
   WHERE declared.oid = a.atttypid AND t.typtype = 'b' AND t.oid NOT IN ('tsvector'::regtype, 'tsquery'::regtype)
     AND NOT (t.oid IN ('numeric'::regtype, 'bpchar'::regtype) AND greatest(a.atttypmod, declared.typtypmod) >= 0)
     AND NOT EXISTS (SELECT FROM pg_amproc p WHERE p.amprocfamily = op.opcfamily AND p.amproclefttype = op.opcintype
                        AND p.amprocrighttype = op.opcintype AND p.amprocnum = 4)))`;

/** Tables without a key that have REPLICA IDENTITY FULL, or get it where the plan says so ($1), and such columns. */
const TABLES = `
  SELECT * FROM (
    SELECT c.oid::text AS oid, ${RELATION} AS name, u.columns, c.relreplident AS identity, ${KEY_INDEX} AS "index"
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (SELECT ARRAY(SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND ${MAY_BE_EQUAL}
                                       ORDER BY a.attnum) AS columns) u
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND ${USER_SCHEMAS} AND u.columns <> '{}'
       AND (c.relreplident = 'f' OR $1 AND c.relreplident IN ('d', 'n'))
       AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)) AS found
   WHERE identity = 'f' OR "index" IS NULL ORDER BY name`;

/**
 * Apply finds the row of an UPDATE or DELETE by equality where there is no key, so of several equal rows it may change another one: 1.0 may
 * stand where the source has 1.00. Nothing is lost, but a comparison of what is written finds a difference.
 */
export const fullIdentityEquality = databaseCheck<FullTable>(
  code,
  (session, { plan }) => queryRows<FullTable>(session, TABLES, [plan.replicaIdentity === 'set']),
  (tables) => {
    if (tables.length === 0) {
      return {
        code,
        level: 'ok',
        message: 'no table with REPLICA IDENTITY FULL has rows that may be equal, but not identical',
      };
    }
    const lines = tables.map(({ database, name, columns }) => `${database}: ${name} (${columns.join(', ')})`);
    return {
      code,
      level: 'warn',
      message: `${counted(tables.length, 'table')} with REPLICA IDENTITY FULL, no key, and columns whose values may be equal, but not identical: ${named(lines)}. Of several equal rows apply may change another one, so that 1.0 stands where 1.00 stood. The comparison before the cutover and the proof count such rows.`,
      remedy: script(
        tables.map(({ database, oid, name, index }) => ({
          database,
          sql: index === null ? newKey({ oid, name }) : `ALTER TABLE ${name} REPLICA IDENTITY USING INDEX ${index};`,
        })),
        'a key tells equal rows apart; or accept it in the plan where how a value is written does not matter',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

import { DatabaseError } from 'pg';
import { escapeIdentifier, queryRows, type Session } from '../../postgres/session';
import { SQLSTATE } from '../../postgres/sqlstates';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';

const code = 'search-path';

/** An expression that apply computes, and that calls a function which may look for names by `search_path`. */
interface Candidate {
  readonly what: string;
  readonly owner: string;
  /** Queries that compute it for a row: one of the table's, and one of nulls. */
  readonly queries: readonly string[];
  /** With their arguments, qualified. */
  readonly functions: readonly string[];
}

interface Unresolved {
  readonly what: string;
  readonly functions: readonly string[];
  readonly error: string;
  /** Where names are found now. */
  readonly path: string;
}

/** More than these are not tried: each is a query or two. */
const MOST = 500;
/** For one row. */
const TRIAL_MS = 2_000;

/**
 * Functions of a language that resolves names as it runs, without a path of their own, in expressions that apply computes: those of
 * indexes, CHECK constraints, domains, generated columns and partition keys. Defaults are left out: apply computes none of a column that is sent.
 */
const CANDIDATES = `
  WITH risky AS MATERIALIZED (
    SELECT p.oid, p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
     WHERE p.pronamespace <> 'pg_catalog'::regnamespace AND l.lanname NOT IN ('c', 'internal') AND p.prokind = 'f'
       AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS one WHERE one LIKE 'search\\_path=%')),
  calls AS MATERIALIZED (
    SELECT d.classid, d.objid, d.objsubid, r.name FROM pg_depend d JOIN risky r ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = r.oid
     UNION
    SELECT d.classid, d.objid, d.objsubid, r.name FROM pg_depend d JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND d.refobjid = o.oid
      JOIN risky r ON r.oid = o.oprcode),
  relation AS (
    SELECT c.oid, ${RELATION} AS name, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${USER_SCHEMAS}),
  expression AS (
    SELECT 'index ' || i.indexrelid::regclass AS what, r.oid AS relid, part.expression, 'pg_class'::regclass AS classid, i.indexrelid AS objid, 0 AS objsubid
      FROM pg_index i JOIN relation r ON r.oid = i.indrelid
     CROSS JOIN LATERAL (VALUES (pg_get_expr(i.indexprs, r.oid)), (pg_get_expr(i.indpred, r.oid))) AS part (expression) WHERE part.expression IS NOT NULL
     UNION ALL
    SELECT format('constraint %I on %s', k.conname, r.name), r.oid, pg_get_expr(k.conbin, r.oid), 'pg_constraint'::regclass, k.oid, 0
      FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid WHERE k.contype = 'c'
     UNION ALL
    SELECT format('generated column %I of %s', a.attname, r.name), r.oid, pg_get_expr(g.adbin, r.oid), 'pg_attrdef'::regclass, g.oid, 0
      FROM pg_attrdef g JOIN relation r ON r.oid = g.adrelid JOIN pg_attribute a ON a.attrelid = g.adrelid AND a.attnum = g.adnum AND a.attgenerated = 's'
     UNION ALL
    -- Before PostgreSQL 15 it is the column that depends, not its expression.
    SELECT format('generated column %I of %s', a.attname, r.name), r.oid, pg_get_expr(g.adbin, r.oid), 'pg_class'::regclass, g.adrelid, g.adnum
      FROM pg_attrdef g JOIN relation r ON r.oid = g.adrelid JOIN pg_attribute a ON a.attrelid = g.adrelid AND a.attnum = g.adnum AND a.attgenerated = 's'
     UNION ALL
    SELECT 'partition key of ' || r.name, r.oid, pg_get_expr(t.partexprs, r.oid), 'pg_class'::regclass, r.oid, 0
      FROM pg_partitioned_table t JOIN relation r ON r.oid = t.partrelid WHERE t.partexprs IS NOT NULL)
  SELECT e.what, pg_get_userbyid(r.relowner)::text AS owner, array_agg(DISTINCT c.name) AS functions,
         ARRAY[format('SELECT %s FROM %s LIMIT 1', e.expression, r.name), format('SELECT %s FROM (SELECT (NULL::%s).*) AS nulls', e.expression, r.name)] AS queries
    FROM expression e JOIN relation r ON r.oid = e.relid
    JOIN calls c ON c.classid = e.classid AND c.objid = e.objid AND c.objsubid = e.objsubid
   GROUP BY e.what, e.expression, r.name, r.relowner
   UNION ALL
  SELECT format('domain %s', t.oid::regtype), pg_get_userbyid(t.typowner)::text, array_agg(DISTINCT c.name),
         ARRAY[format('SELECT %s FROM (SELECT NULL::%s AS value) AS nulls', pg_get_expr(k.conbin, 0), format_type(t.typbasetype, t.typtypmod))]
    FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN calls c ON c.classid = 'pg_constraint'::regclass AND c.objid = k.oid
   WHERE ${USER_SCHEMAS} AND k.contype = 'c'
   GROUP BY t.oid, t.typowner, t.typbasetype, t.typtypmod, k.conbin
   ORDER BY 1 LIMIT ${MOST}`;

/** What a name that is not found gives. */
const NOT_FOUND: readonly string[] = [
  SQLSTATE.undefinedTable,
  SQLSTATE.undefinedFunction,
  SQLSTATE.undefinedObject,
  SQLSTATE.undefinedSchema,
];

/**
 * Computes it as apply would: by the owner's rights, where only the system's names are found without a schema. Read-only, rolled back.
 * @returns what PostgreSQL says where a name isn't found
 */
async function tryOut(session: Session, { owner, queries }: Candidate): Promise<string | undefined> {
  for (const query of queries) {
    try {
      await session.query(
        `BEGIN READ ONLY; SET LOCAL statement_timeout = ${TRIAL_MS}; SET LOCAL ROLE ${escapeIdentifier(owner)}; ${query}`,
      );
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (NOT_FOUND.includes(error.code ?? '')) return error.message;
    } finally {
      await session.query('ROLLBACK');
    }
  }
  return undefined;
}

/**
 * Apply finds no name without its schema, but the system's: a function that looks for a table of the application so fails there, though
 * it does well wherever the application calls it. Tried, not guessed: by the first row of the table, and by one of nulls.
 * @see https://www.postgresql.org/docs/current/logical-replication-security.html and CVE-2018-1058
 */
export const searchPath = databaseCheck<Unresolved>(
  code,
  async (session) => {
    const candidates = await queryRows<Candidate>(session, CANDIDATES);
    const [now] = await queryRows<{ path: string }>(
      session,
      `SELECT coalesce(string_agg(trim(one), ', '), 'public') AS path
         FROM pg_settings, unnest(string_to_array(reset_val, ',')) AS one WHERE name = 'search_path' AND trim(one) NOT IN ('"$user"', '', '""')`,
    );
    const found: Unresolved[] = [];
    for (const candidate of candidates) {
      const error = await tryOut(session, candidate);
      if (error !== undefined) found.push({ ...candidate, error, path: now?.path ?? 'public' });
    }
    return found;
  },
  (found) => {
    if (found.length === 0) {
      return {
        code,
        level: 'ok',
        message: 'no expression that apply computes is known to look for names by search_path',
      };
    }
    const lines = found.map(({ database, what, error }) => `${database}: ${what} (${error})`);
    const sql = found.flatMap(({ database, functions, path }) =>
      functions.map((name) => ({ database, sql: `ALTER FUNCTION ${name} SET search_path = ${path};` })),
    );
    return {
      code,
      level: 'block',
      message: `${counted(found.length, 'expression')} whose functions find names by search_path, which is empty for apply: ${named(lines)}. The first row for it stops replication.`,
      remedy: script(
        sql.filter(
          (one, at) => sql.findIndex((other) => other.database === one.database && other.sql === one.sql) === at,
        ),
        'that is the path as it is now; or write the schema before each name in the function',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

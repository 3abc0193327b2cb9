import { outOfReach } from '../../postgres/extension-tables';
import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';

/** RDS takes tablespaces for compatibility only: all are on the same volume, and an instance that has some is no rule. */
export const tablespaces = databaseCheck<{ name: string; kind: string; tablespace: string }>(
  'tablespaces',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, c.relkind AS kind, format('%I', t.spcname) AS tablespace
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_tablespace t ON t.oid = c.reltablespace
        WHERE c.relkind IN ('r', 'p', 'i', 'I', 'm') AND t.spcname <> 'pg_global' AND n.nspname <> 'pg_toast'
        ORDER BY 1`,
    ),
  (found) => {
    const code = 'tablespaces';
    if (found.length === 0) return { code, level: 'ok', message: 'everything is in the default tablespace' };
    const lines = found.map(({ database, name, tablespace }) => `${database}: ${name} in ${tablespace}`);
    return {
      code,
      level: 'warn',
      message: `${counted(found.length, 'relation')} in tablespaces of their own: ${named(lines)}. On RDS they are on the same volume as all else; the target has them as they are, but whether a restore takes them is not proven.`,
      remedy: script(
        found.map(({ database, name, kind }) => ({
          database,
          sql: `ALTER ${kind === 'm' ? 'MATERIALIZED VIEW' : /i/i.test(kind) ? 'INDEX' : 'TABLE'} ${name} SET TABLESPACE pg_default;`,
        })),
        'that copies each of them under an exclusive lock',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

/** What makes an invalid index valid, or goes without it. Neither an index of a partition nor that of a constraint can be dropped alone. */
type Build = 'alone' | 'again' | 'by partitions' | 'not needed';

/** @see https://www.postgresql.org/docs/current/sql-reindex.html (CONCURRENTLY does not take indexes of exclusion constraints) */
const REBUILD: Readonly<Record<Build, (name: string) => string | undefined>> = {
  alone: (name) => `REINDEX INDEX ${name};`,
  again: (name) => `REINDEX INDEX CONCURRENTLY ${name};`,
  'by partitions': () => undefined,
  'not needed': (name) => `DROP INDEX CONCURRENTLY ${name};`,
};

/** Left by a concurrent build that failed: they cost writes, serve no query, and a unique one guards nothing. */
export const invalidIndexes = databaseCheck<{ name: string; table: string; build: Build }>(
  'invalid-indexes',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, i.indrelid::regclass::text AS "table",
              CASE WHEN i.indisexclusion THEN 'alone' WHEN c.relkind = 'I' THEN 'by partitions'
                   WHEN c.relispartition OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid) THEN 'again'
                   ELSE 'not needed' END AS build
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND ${USER_SCHEMAS}
          AND i.indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index WHERE datname = current_database())
        ORDER BY 1`,
    ),
  (found) => {
    const code = 'invalid-indexes';
    if (found.length === 0) return { code, level: 'ok', message: 'every index is valid' };
    const lines = found.map(({ database, name, table }) => `${database}: ${name} of ${table}`);
    return {
      code,
      level: 'warn',
      message: `${counted(found.length, 'invalid index', 'invalid indexes')}: ${named(lines)}. They come along as they are; a unique one guards nothing.`,
      remedy: script(
        found.flatMap(({ database, name, build }) => {
          const sql = REBUILD[build](name);
          return sql === undefined ? [] : [{ database, sql }];
        }),
        ...found
          .filter(({ build }) => build === 'by partitions')
          .map(
            ({ database, name }) =>
              `${database}: ${name} becomes valid when each partition has its index attached: ALTER INDEX ... ATTACH PARTITION`,
          ),
        'where an index that is dropped here is wanted, instead: REINDEX INDEX CONCURRENTLY <index>;',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

/** `NOT VALID`: rows from before the constraint may be against it. They come along as they are, and so does the mark. */
export const unvalidatedConstraints = databaseCheck<{ table: string; name: string }>(
  'unvalidated-constraints',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS "table", format('%I', k.conname) AS name
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT k.convalidated AND ${USER_SCHEMAS} ORDER BY 1, 2`,
    ),
  (found) => {
    const code = 'unvalidated-constraints';
    if (found.length === 0) return { code, level: 'ok', message: 'every constraint is validated' };
    const lines = found.map(({ database, table, name }) => `${database}: ${name} on ${table}`);
    return {
      code,
      level: 'ok',
      message: `${counted(found.length, 'constraint')} NOT VALID, which come along as they are: ${named(lines)}`,
      remedy: script(
        found.map(({ database, table, name }) => ({
          database,
          sql: `ALTER TABLE ${table} VALIDATE CONSTRAINT ${name};`,
        })),
      ),
      evidence: evidenceOf(lines),
    };
  },
);

interface DomainColumn {
  readonly domain: string;
  readonly constraint: string;
  readonly column: string;
  /** Gives a row where a row of the table is against the constraint. */
  readonly query: string;
}

/**
 * A row that is against a constraint of a domain which is `NOT VALID`: the source changes its other columns as it likes, but apply reads all of its
 * values anew, and each has to fit. Looked at: columns of the domain, or of a domain over it.
 * @see https://www.postgresql.org/docs/current/sql-alterdomain.html
 */
export const domainConstraints = databaseCheck<Omit<DomainColumn, 'query'>>(
  'domain-constraints',
  async (session) => {
    const columns = await queryRows<DomainColumn>(
      session,
      `WITH RECURSIVE loose AS (
         SELECT t.oid AS type, t.oid AS domain, k.conname, pg_get_expr(k.conbin, 0) AS expression, format_type(t.typbasetype, t.typtypmod) AS base
           FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid WHERE k.contype = 'c' AND NOT k.convalidated
          UNION
         SELECT t.oid, l.domain, l.conname, l.expression, l.base FROM loose l JOIN pg_type t ON t.typbasetype = l.type AND t.typtype = 'd')
       SELECT l.domain::regtype::text AS domain, format('%I', l.conname) AS "constraint", format('%s.%I', ${RELATION}, a.attname) AS "column",
              format('SELECT FROM ONLY %s AS t WHERE NOT (SELECT %s FROM (SELECT t.%I::%s AS value) AS v) LIMIT 1', ${RELATION}, l.expression, a.attname, l.base) AS query
         FROM loose l JOIN pg_attribute a ON a.atttypid = l.type AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND ${USER_SCHEMAS} AND NOT ${outOfReach()} ORDER BY 1, 2, 3`,
    );
    const against: DomainColumn[] = [];
    for (const column of columns) {
      if ((await queryRows(session, column.query)).length > 0) against.push(column);
    }
    return against.map(({ query: _query, ...found }) => found);
  },
  (found) => {
    const code = 'domain-constraints';
    if (found.length === 0) return { code, level: 'ok', message: 'no row is against a constraint of its domain' };
    const lines = found.map(
      ({ database, domain, constraint, column }) => `${database}: ${column} (${constraint} of ${domain})`,
    );
    const sql = found.map(({ database, domain, constraint }) => ({
      database,
      sql: `ALTER DOMAIN ${domain} DROP CONSTRAINT IF EXISTS ${constraint};`,
    }));
    return {
      code,
      level: 'block',
      message: `${counted(found.length, 'column')} with rows against a constraint of their domain that is NOT VALID: ${named(lines)}. The first UPDATE of such a row stops replication, whatever it changes.`,
      remedy: script(sql, 'or correct the rows, then: ALTER DOMAIN ... VALIDATE CONSTRAINT ...'),
      evidence: evidenceOf(lines),
    };
  },
);

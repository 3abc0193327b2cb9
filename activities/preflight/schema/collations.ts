import { queryOne, queryRows, type Session } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, type In, RELATION } from '../sql-check';
import type { Check } from '../../../plan/checks';

/** A collation whose version in the catalog is not that of the library. */
export interface Drifted {
  /** Qualified; null: the default collation of the database. */
  readonly collation: string | null;
  readonly databaseName: string;
  readonly recorded: string;
  readonly actual: string;
  /** Indexes that are ordered by it. */
  readonly indexes: readonly string[];
}

/** More indexes than this are rebuilt by one statement for the whole database. */
const NAMED_INDEXES = 15;

const indexesBy = (collations: string) => `ARRAY(
  SELECT ${RELATION} FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'i' AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND i.indcollation::oid[] && ${collations} ORDER BY 1)`;

/** Versions of libc or ICU that differ from those with which indexes were built: their order may be wrong. */
export async function driftedCollations(session: Session): Promise<Drifted[]> {
  const found = await queryRows<Drifted>(
    session,
    `SELECT format('%I.%I', s.nspname, o.collname) AS collation, current_database()::text AS "databaseName",
            o.collversion AS recorded, pg_collation_actual_version(o.oid) AS actual,
            ${indexesBy('ARRAY[o.oid]')} AS indexes
       FROM pg_collation o JOIN pg_namespace s ON s.oid = o.collnamespace
      WHERE o.collversion IS NOT NULL AND o.collversion <> pg_collation_actual_version(o.oid)
        AND o.collencoding IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database()))
        AND (o.oid >= 16384 OR EXISTS (SELECT FROM pg_index i WHERE o.oid = ANY (i.indcollation::oid[])))
      ORDER BY 1`,
  );
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  // The version of a database's own collation is recorded from PostgreSQL 15 on.
  if (version < 150_000) return found;
  const own = await queryRows<Drifted>(
    session,
    `SELECT NULL AS collation, format('%I', d.datname) AS "databaseName", d.datcollversion AS recorded,
            pg_database_collation_actual_version(d.oid) AS actual, ${indexesBy(`ARRAY['pg_catalog."default"'::regcollation::oid]`)} AS indexes
       FROM pg_database d WHERE d.datname = current_database() AND d.datcollversion <> pg_database_collation_actual_version(d.oid)`,
  );
  return [...own, ...found];
}

/** @param where the side, for the message */
export function judgeCollations(found: readonly In<Drifted>[], where: string): Check {
  const code = 'collations';
  if (found.length === 0)
    return {
      code,
      level: 'ok',
      message: `the versions of all collations are those that the indexes of ${where} were built with`,
    };
  const lines = found.map(
    ({ database, collation, recorded, actual, indexes }) =>
      `${database}: ${collation ?? 'the default collation'} ${recorded} is ${actual} now, ${counted(indexes.length, 'index', 'indexes')}`,
  );
  return {
    code,
    level: 'warn',
    message: `${counted(found.length, 'collation')} of ${where} changed since indexes were built: ${named(lines)}. Such an index may miss rows, or take doubles.`,
    remedy: script(
      found.flatMap((one) => [...rebuild(one), { database: one.database, sql: refresh(one) }]),
      'a unique index that finds doubles has to be cleared of them first',
    ),
    evidence: evidenceOf(
      found.map(({ database, collation, indexes }) => ({ database, collation, indexes: evidenceOf(indexes) })),
    ),
  };
}

const rebuild = ({ database, databaseName, indexes }: In<Drifted>) =>
  indexes.length > NAMED_INDEXES
    ? [{ database, sql: `REINDEX DATABASE CONCURRENTLY ${databaseName};` }]
    : indexes.map((index) => ({ database, sql: `REINDEX INDEX CONCURRENTLY ${index};` }));

const refresh = ({ collation, databaseName }: Drifted): string =>
  collation === null
    ? `ALTER DATABASE ${databaseName} REFRESH COLLATION VERSION;`
    : `ALTER COLLATION ${collation} REFRESH VERSION;`;

export const collations = databaseCheck<Drifted>('collations', driftedCollations, (found) =>
  judgeCollations(found, 'the source'),
);

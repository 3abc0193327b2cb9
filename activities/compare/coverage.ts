import { fenceSchema } from '../../plan/names';
import type { Coverage } from '../../plan/report';
import { outOfReach, unreadable } from '../postgres/extension-tables';
import { queryRows, type Session } from '../postgres/session';

/** What a database has of things that hold rows, by kind; each kind is either compared or has its reason below. */
export type Counted = Readonly<Record<string, number>>;

/** Kinds that are compared, as `countRelations` calls them. */
export const COMPARED_KINDS = ['tables', 'partitions'] as const;

/** Why rows of the other kinds are not compared. */
export const NOT_COMPARED: Readonly<Record<string, string>> = {
  'partitioned tables': 'they hold no rows of their own: their partitions are compared',
  'unlogged tables': 'logical replication has none; carry.unloggedTables says what becomes of them',
  'materialized views': 'they are refreshed on the target; carry.materializedViews says whether',
  'foreign tables': 'their rows are on other servers',
  'cron.job': 'its jobs are off on one side on purpose',
};

/** Why a table that is named is not. */
const OF_EXTENSION = "it is an extension's, belongs to rdsadmin, and the master user may not read all of it";

/**
 * Counts what holds rows, as the session's snapshot sees the catalog: a count of its own, by which the list of compared
 * tables is checked. Our schema, the system's and temporary tables are left out. A table of an extension that can't be read is counted by its name.
 */
export async function countRelations(session: Session, migration: string): Promise<Counted> {
  const rows = await queryRows<{ kind: string; count: number }>(
    session,
    `SELECT CASE WHEN n.nspname = 'cron' AND c.relname = 'job' THEN 'cron.job'
                 WHEN c.relkind = 'r' AND c.relpersistence = 'p' AND ${outOfReach()} AND ${unreadable()} THEN format('%I.%I', n.nspname, c.relname)
                 WHEN c.relkind = 'p' THEN 'partitioned tables' WHEN c.relkind = 'm' THEN 'materialized views'
                 WHEN c.relkind = 'f' THEN 'foreign tables' WHEN c.relpersistence = 'u' THEN 'unlogged tables'
                 WHEN c.relispartition THEN 'partitions' ELSE 'tables' END AS kind, count(*)::int AS count
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't' AND n.nspname <> $1
        AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_' GROUP BY 1`,
    [fenceSchema(migration)],
  );
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
}

/** How many of the kinds that are compared. */
export const comparable = (counted: Counted): number =>
  COMPARED_KINDS.reduce((sum, kind) => sum + (counted[kind] ?? 0), 0);

/** What of it was compared, and what not, and why. */
export function coverageOf(counted: Counted, { tables, partitions }: { tables: number; partitions: number }): Coverage {
  return {
    counted,
    compared: { tables: tables - partitions, partitions },
    notCompared: Object.entries(counted)
      .filter(([kind]) => !(COMPARED_KINDS as readonly string[]).includes(kind))
      .map(([kind, count]) => ({ kind, count, why: NOT_COMPARED[kind] ?? OF_EXTENSION })),
  };
}

import { fenceSchema } from '../../plan/names';
import { escapeIdentifier, queryRows, type Session } from '../postgres/session';

/** A materialized view of the target that may be older than the source's. */
export interface StaleView {
  /** Schema and name, as SQL writes them. */
  readonly view: string;
  /** Whether the target's was refreshed at all since the snapshot. */
  readonly refreshed: boolean;
}

/** States by view. */
export type ViewStates = ReadonlyMap<string, string>;

/**
 * Table of ours on the target, in each database: how a view stood on both sides when the target's was known to be no older than the source's, and
 * how the source's stood at the last look.
 */
const viewsTable = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.views`;

/**
 * How the populated materialized views stand. A REFRESH gives a view another file, one CONCURRENTLY only changes those rows that differ, which the statistics count. Both
 * also change without one, by VACUUM FULL or when the statistics are reset: a state that is another says that the view may have been refreshed, one that is
 * the same that it was not.
 * @see https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW
 */
export async function readViewStates(session: Session, migration: string): Promise<ViewStates> {
  const rows = await queryRows<{ view: string; state: string }>(
    session,
    `SELECT format('%I.%I', n.nspname, c.relname) AS view, concat_ws(' ', pg_relation_filenode(c.oid), pg_stat_get_tuples_inserted(c.oid),
              pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid)) AS state
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname <> $1 ORDER BY 1`,
    [fenceSchema(migration)],
  );
  return new Map(rows.map(({ view, state }) => [view, state]));
}

/**
 * Notes that a view of the target is no older than the source's.
 * @param source how the source's stood before the target's was refreshed, from rows that had arrived
 */
export async function noteRefreshed(target: Session, migration: string, view: string, source: string): Promise<void> {
  await createViewsTable(target, migration);
  const state = (await readFiles(target, migration)).get(view);
  if (state !== undefined) await note(target, migration, { view, source, target: state, seen: source });
}

/**
 * Views that may be older than the source's: whose source may have been refreshed since the target's was. A refresh of the target's by hand is seen; it
 * counts if the source's stood at the look before as it does now, since nothing else tells which of two came first.
 */
export async function staleViews(source: ViewStates, target: Session, migration: string): Promise<StaleView[]> {
  await createViewsTable(target, migration);
  const here = await readFiles(target, migration);
  const notes = await readNotes(target, migration);
  const found: StaleView[] = [];
  for (const [view, there] of source) {
    const state = here.get(view);
    // The comparison of the schemas says so.
    if (state === undefined) continue;
    const before = notes.get(view) ?? { view, source: '', target: state, seen: there };
    const isNewer = state !== before.target && there === before.seen;
    const now = { view, source: isNewer ? there : before.source, target: state, seen: there };
    if (JSON.stringify(now) !== JSON.stringify(notes.get(view))) await note(target, migration, now);
    if (now.source !== there) found.push({ view, refreshed: now.source !== '' });
  }
  return found;
}

/** Of the target the file is enough, since what the board prints gives a view another one. */
const readFiles = async (target: Session, migration: string): Promise<ViewStates> =>
  new Map([...(await readViewStates(target, migration))].map(([view, state]) => [view, state.replace(/ .*/, '')]));

/** Unlogged: no publication may have it. After a crash nothing is known, and every view counts as stale. */
async function createViewsTable(target: Session, migration: string): Promise<void> {
  const [there] = await queryRows(target, 'SELECT 1 WHERE to_regclass($1) IS NOT NULL', [viewsTable(migration)]);
  if (there) return;
  await target.query(
    `CREATE UNLOGGED TABLE IF NOT EXISTS ${viewsTable(migration)} (view text PRIMARY KEY, source text NOT NULL, target text NOT NULL, seen text NOT NULL)`,
  );
}

interface Note {
  readonly view: string;
  readonly source: string;
  readonly target: string;
  readonly seen: string;
}

async function readNotes(target: Session, migration: string): Promise<Map<string, Note>> {
  const rows = await queryRows<Note>(target, `SELECT view, source, target, seen FROM ${viewsTable(migration)}`);
  return new Map(rows.map((one) => [one.view, one]));
}

async function note(target: Session, migration: string, one: Note): Promise<void> {
  await target.query(
    `INSERT INTO ${viewsTable(migration)} (view, source, target, seen) VALUES ($1, $2, $3, $4)
     ON CONFLICT (view) DO UPDATE SET source = excluded.source, target = excluded.target, seen = excluded.seen`,
    [one.view, one.source, one.target, one.seen],
  );
}

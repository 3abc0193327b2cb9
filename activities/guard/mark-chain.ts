import { queryRows, type Session } from '../postgres/session';
import { fenceTable } from '../postgres/fence-table';

/** So many of the newest marks stay readable: two minutes of them, longer than the time between two comparisons. */
const KEPT = 24;

/** A mark of the chain, by its place. */
export type Chain = ReadonlyMap<string, string>;

/**
 * Writes the next mark of the guard: it moves the slot of an idle database, and is one link of a chain of which none may
 * be missing on the target. Each is greater than all before it, whatever the clock of the worker says: the guard may move to
 * a worker whose clock is behind.
 * @param at ISO 8601, clock of the worker
 */
export async function writeLink(source: Session, migration: string, number: number, at: string): Promise<void> {
  await source.query(
    `INSERT INTO ${fenceTable(migration)} AS fence (purpose, mark)
     SELECT $1, CASE WHEN newest >= $2 THEN newest || '0' ELSE $2 END
       FROM (SELECT max(mark COLLATE "C") AS newest FROM ${fenceTable(migration)} WHERE purpose LIKE 'guard-%') AS marks
     ON CONFLICT (purpose) DO UPDATE SET mark = excluded.mark WHERE fence.mark COLLATE "C" < excluded.mark`,
    [`guard-${number % KEPT}`, at],
  );
}

export async function readChain(session: Session, migration: string): Promise<Chain> {
  const rows = await queryRows<{ purpose: string; mark: string }>(
    session,
    `SELECT purpose, mark FROM ${fenceTable(migration)} WHERE purpose LIKE 'guard-%'`,
  );
  return new Map(rows.map(({ purpose, mark }) => [purpose, mark]));
}

/**
 * Marks of the source, read before those of the target, that the target passed over: it has a later one, but not these.
 * Apply keeps the order of commits, so it never got them: a slot was dropped and made anew, or moved forward, by hand.
 */
export function missingLinks(source: Chain, target: Chain): string[] {
  const newest = [...target.values()].sort().at(-1);
  if (newest === undefined) return [];
  return [...source]
    .filter(([place, mark]) => mark < newest && (target.get(place) ?? '') < mark)
    .map(([, mark]) => mark);
}

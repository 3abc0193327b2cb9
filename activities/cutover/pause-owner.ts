import type { MigrationRef } from '../dependencies';
import { fenceTable, readMark } from '../postgres/fence-table';
import { queryRows, type Session } from '../postgres/session';
import { type EndedPause, endOf, markPurpose, noteEnd } from './pause-mark';

/**
 * Who may decide what becomes of a pause: one row on the source, written by each attempt. Whoever acts for an attempt that is gone (its
 * watchdog) does so only as long as the row still names that attempt, and both sides lock the row first. So either the next attempt has
 * taken over, or the pause is ended, never both.
 */
const ownerPurpose = (ref: MigrationRef) => `${markPurpose(ref)}-owner` as const;

/**
 * Makes an attempt the owner of the pause.
 * @returns the end of this activity's pause where somebody has noted one: then there is nothing to own
 */
export async function takePause(
  source: Session,
  ref: MigrationRef,
  { owner, activity }: { readonly owner: string; readonly activity: string },
): Promise<EndedPause | undefined> {
  return inTransaction(source, async () => {
    await source.query(
      `INSERT INTO ${fenceTable(ref.id)} (purpose, mark) VALUES ($1, $2)
       ON CONFLICT (purpose) DO UPDATE SET mark = excluded.mark`,
      [ownerPurpose(ref), owner],
    );
    // A statement of its own: it sees what was committed while the one before it waited for the row.
    return endOf(source, ref, activity);
  });
}

/** In the place of an owner: its pause was ended by somebody else, and no attempt has come since. */
export const ENDED = '';

/**
 * Notes the end of a pause in the name of its owner.
 * @param owner as it was read; undefined: the pause of a worker that notes none
 * @returns false where another attempt owns it by now: it is not ended then
 */
export async function endAsOwner(
  source: Session,
  ref: MigrationRef,
  owner: string | undefined,
  ended: EndedPause,
): Promise<boolean> {
  const purpose = ownerPurpose(ref);
  const table = fenceTable(ref.id);
  return inTransaction(source, async () => {
    const owned =
      owner === undefined
        ? await queryRows(
            source,
            `INSERT INTO ${table} (purpose, mark) VALUES ($1, '${ENDED}') ON CONFLICT (purpose) DO NOTHING RETURNING 1`,
            [purpose],
          )
        : await queryRows(
            source,
            `UPDATE ${table} SET mark = '${ENDED}' WHERE purpose = $1 AND mark = $2 RETURNING 1`,
            [purpose, owner],
          );
    if (owned.length === 0) return false;
    await noteEnd(source, ref, ended);
    return true;
  });
}

/** The attempt that owns the pause; undefined: none was noted. */
export async function ownerOf(source: Session, ref: MigrationRef): Promise<string | undefined> {
  return readMark(source, ref.id, ownerPurpose(ref));
}

async function inTransaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    const result = await work();
    await session.query('COMMIT');
    return result;
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

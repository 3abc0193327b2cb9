import { fenceSchema } from '../../plan/names';
import { createOurSchema, whoseSchema } from './provenance';
import { escapeIdentifier, queryOne, queryRows, type Session } from './session';

/**
 * Tables of ours, in a schema of ours, in every migrated database; made before the snapshot, so that the target has
 * them too.
 * - `fence`: a row for each purpose. Its `mark`, written on the source, arrives on the target behind everything that was
 *   committed before it: a drain is proven by the row, never by the sender's word. It also moves the slot of an idle
 *   database.
 * - `cutover`: written inside the pause on the side that applications go to, so that a worker that takes over knows how far it
 *   went; a row for each direction.
 */
export const fenceTable = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.fence`;
export const cutoverTable = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.cutover`;
/** Replica identities that Keyshift has set, and what was there before. */
export const identityTable = (migration: string): string =>
  `${escapeIdentifier(fenceSchema(migration))}.replica_identity`;

/** @throws ApplicationFailure NotOurs where somebody else has a schema of that name */
export async function createFenceTable(session: Session, migration: string): Promise<void> {
  await createOurSchema(session, migration);
  await session.query(
    `BEGIN;
     CREATE TABLE IF NOT EXISTS ${fenceTable(migration)} (
       purpose text PRIMARY KEY,
       mark text NOT NULL,
       fenced_at timestamptz
     );
     CREATE TABLE IF NOT EXISTS ${cutoverTable(migration)} (id integer PRIMARY KEY, facts jsonb NOT NULL);
     COMMIT`,
  );
}

/**
 * What is recorded of replica identities stays until they are restored; whoever does that calls this again. A schema of our name that
 * is not ours stays as it is.
 */
export async function dropFenceTable(session: Session, migration: string): Promise<void> {
  if ((await whoseSchema(session, migration)) !== 'ours') return;
  await session.query(
    (await hasRecorded(session, migration))
      ? `DROP TABLE IF EXISTS ${fenceTable(migration)}, ${cutoverTable(migration)}`
      : `DROP SCHEMA IF EXISTS ${escapeIdentifier(fenceSchema(migration))} CASCADE`,
  );
}

/** Whether there are replica identities to be restored. */
async function hasRecorded(session: Session, migration: string): Promise<boolean> {
  const there = await queryRows(session, 'SELECT 1 WHERE to_regclass($1) IS NOT NULL', [identityTable(migration)]);
  if (there.length === 0) return false;
  return (await queryRows(session, `SELECT 1 FROM ${identityTable(migration)} LIMIT 1`)).length > 0;
}

/** What a mark is for; each has a row of its own, so that marks written at the same time don't hide each other. */
export type MarkPurpose =
  | 'pause'
  /** The same in the way back: what came by replication from the other side must not look like a fence of this one. */
  | 'pause-back'
  /** Whose pause was ended while no worker attended to it. */
  | 'pause-ended'
  | 'pause-back-ended'
  /** Which attempt of a pause may decide what becomes of it. */
  | 'pause-owner'
  | 'pause-back-owner'
  /** Which pause has begun with its switch, and when. */
  | 'pause-begun'
  | 'pause-back-begun'
  | 'catch-up'
  | 'verify'
  /** That a view is refreshed from everything that was committed before. */
  | 'refresh'
  /** How long a mark takes, for the forecast of the pause. */
  | 'board'
  | `guard-${number}`
  /** Consistent point of our slot, once it is made: a slot that is gone or another is never made anew in silence. */
  | 'slot'
  /** We are about to make our slot: one of its name that is there without this row is somebody else's. */
  | 'slot-begun'
  /** Fingerprint of the schema when the slot was made. */
  | 'schema'
  /** The largest oid of a relation then: what is beyond was made since. */
  | 'newest-oid'
  /** Why our slots were given up. */
  | 'given-up';

/** Writes a mark on the source. Returns a position before its commit: an origin that has applied the mark is beyond. */
export async function writeMark(
  source: Session,
  migration: string,
  purpose: MarkPurpose,
  mark: string,
): Promise<string> {
  const { lsn } = await queryOne<{ lsn: string }>(
    source,
    `INSERT INTO ${fenceTable(migration)} (purpose, mark) VALUES ($1, $2)
     ON CONFLICT (purpose) DO UPDATE SET mark = excluded.mark
     RETURNING pg_current_wal_insert_lsn()::text AS lsn`,
    [purpose, mark],
  );
  return lsn;
}

/** The mark that has arrived on the target. */
export async function readMark(target: Session, migration: string, purpose: MarkPurpose): Promise<string | undefined> {
  const rows = await queryRows<{ mark: string }>(
    target,
    `SELECT mark FROM ${fenceTable(migration)} WHERE purpose = $1`,
    [purpose],
  );
  return rows[0]?.mark;
}

/** Writes a mark that stays as the first attempt wrote it. @returns what stands there now */
export async function writeOnce(
  source: Session,
  migration: string,
  purpose: MarkPurpose,
  mark: string,
): Promise<string> {
  await source.query(
    `INSERT INTO ${fenceTable(migration)} (purpose, mark) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING`,
    [purpose, mark],
  );
  return (await readMark(source, migration, purpose)) ?? mark;
}

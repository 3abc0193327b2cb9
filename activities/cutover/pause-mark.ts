import type { MigrationRef } from '../dependencies';
import { fenceTable, readMark, writeMark } from '../postgres/fence-table';
import { queryOne, queryRows, type Session } from '../postgres/session';

/**
 * Name of the row by which a pause is known. Each direction has its own: rows of the fence table are replicated, and what
 * came from the other side must not look like a fence of this one.
 */
export const markPurpose = ({ direction }: MigrationRef): 'pause' | 'pause-back' =>
  direction === 'back' ? 'pause-back' : 'pause';

/**
 * Notes since when the fence is up, if that isn't noted yet, so that an attempt that takes over counts the time before it
 * against the budget.
 * @returns how long it has been up already, in milliseconds
 */
export async function notePause(source: Session, ref: MigrationRef): Promise<number> {
  const { ms } = await queryOne<{ ms: number }>(
    source,
    `INSERT INTO ${fenceTable(ref.id)} AS fence (purpose, mark, fenced_at) VALUES ('${markPurpose(ref)}', '', clock_timestamp())
     ON CONFLICT (purpose) DO UPDATE SET fenced_at = coalesce(fence.fenced_at, excluded.fenced_at)
     RETURNING greatest(0, extract(epoch FROM clock_timestamp() - fenced_at) * 1000)::float8 AS ms`,
  );
  return Math.round(ms);
}

/** How long a fence has been up, in milliseconds; undefined: it is down. */
export async function pausedFor(source: Session, ref: MigrationRef): Promise<number | undefined> {
  const [fenced] = await queryRows<{ ms: number }>(
    source,
    `SELECT extract(epoch FROM clock_timestamp() - fenced_at)::float8 * 1000 AS ms
       FROM ${fenceTable(ref.id)} WHERE purpose = '${markPurpose(ref)}' AND fenced_at IS NOT NULL`,
  );
  return fenced?.ms;
}

export async function forgetPause(source: Session, ref: MigrationRef): Promise<void> {
  await source.query(`UPDATE ${fenceTable(ref.id)} SET fenced_at = NULL WHERE purpose = '${markPurpose(ref)}'`);
}

/** Why a pause was ended by somebody other than its attempt. */
export const UNATTENDED = 'the budget ended while no worker attended to the pause';

/** Why a pause was ended by the watchdog of its attempt. */
export const WORKER_ENDED =
  'the process of the worker ended inside the pause, before the switch; its watchdog ended the pause at once';

/** A pause that was ended before its switch. */
export interface EndedPause {
  /** The activity whose pause it was, the same for all its attempts. */
  readonly activity: string;
  readonly pauseMs: number;
  /** Why, for the notices. */
  readonly reason: string;
}

const endPurpose = (ref: MigrationRef) => `${markPurpose(ref)}-ended` as const;

/**
 * Notes whose pause is ended, before it is: an attempt of the same activity that comes later must not begin another pause, which
 * nobody has approved.
 */
export async function noteEnd(source: Session, ref: MigrationRef, ended: EndedPause): Promise<void> {
  await writeMark(source, ref.id, endPurpose(ref), JSON.stringify(ended));
}

/** The pause of an activity that was ended by somebody else; undefined: it was not. */
export async function endOf(source: Session, ref: MigrationRef, activity: string): Promise<EndedPause | undefined> {
  const mark = await readMark(source, ref.id, endPurpose(ref));
  const ended = mark === undefined ? undefined : (JSON.parse(mark) as EndedPause);
  return ended?.activity === activity ? ended : undefined;
}

import type { MigrationRef } from '../dependencies';
import { fenceTable, readMark, writeMark } from '../postgres/fence-table';
import { queryRows, type Session } from '../postgres/session';

/**
 * Name of the row by which a pause is known. Each direction has its own: rows of the fence table are replicated, and what
 * came from the other side must not look like a fence of this one.
 */
export const markPurpose = ({ direction }: MigrationRef): 'pause' | 'pause-back' =>
  direction === 'back' ? 'pause-back' : 'pause';

/** Of a pause: since when its fence is up, in microseconds since 1970. No other pause has the same. */
const NAME_OF_PAUSE = '(extract(epoch FROM pause.fenced_at) * 1000000)::bigint::text';

const MS_SINCE = 'greatest(0, extract(epoch FROM clock_timestamp() - pause.fenced_at) * 1000)::float8';

/** A pause that is under way. */
export interface PresentPause {
  /** How long its fence has been up, in milliseconds. */
  readonly ms: number;
  /** Tells it from every other pause, those of the same migration included. */
  readonly pause: string;
  /** How long ago an attempt noted that it begins with the switch, in milliseconds; absent: no attempt of it has. */
  readonly switchBegunMs?: number;
}

/** Its row is there before the drain: after that it is updated only, since a row more would stand in the way of the way back. */
const begunPurpose = (ref: MigrationRef) => `${markPurpose(ref)}-begun` as const;

/**
 * Notes since when the fence is up, if that isn't noted yet, so that an attempt that takes over counts the time before it
 * against the budget.
 */
export async function notePause(source: Session, ref: MigrationRef): Promise<PresentPause> {
  const rows = await queryRows<PresentPause & { purpose: string }>(
    source,
    `INSERT INTO ${fenceTable(ref.id)} AS pause (purpose, mark, fenced_at)
     VALUES ('${markPurpose(ref)}', '', clock_timestamp()), ('${begunPurpose(ref)}', '', NULL)
     ON CONFLICT (purpose) DO UPDATE SET fenced_at = coalesce(pause.fenced_at, excluded.fenced_at)
     RETURNING purpose, ${NAME_OF_PAUSE} AS pause, ${MS_SINCE} AS ms`,
  );
  const { ms = 0, pause = '' } = rows.find(({ purpose }) => purpose === markPurpose(ref)) ?? {};
  return { ms: Math.round(ms), pause };
}

/**
 * Notes that from now on a request may be sent that switches traffic: whoever comes later must not take a switch that does not show for
 * one that was not made.
 */
export async function noteSwitchBegun(source: Session, ref: MigrationRef): Promise<void> {
  if (await noteBegun(source, ref)) return;
  throw new Error('the fence is down: somebody took it down while the pause was under way');
}

/**
 * The same for an attempt that goes on with the switch of one before it, and so may send another request. Where the fence is down already there
 * is nothing that could be lowered too early.
 */
export async function noteSwitchGoesOn(source: Session, ref: MigrationRef): Promise<void> {
  await noteBegun(source, ref);
}

/** False: there is no pause to note it of. */
async function noteBegun(source: Session, ref: MigrationRef): Promise<boolean> {
  const noted = await queryRows(
    source,
    `UPDATE ${fenceTable(ref.id)} AS begun
        SET mark = ${NAME_OF_PAUSE} || ' ' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint
       FROM ${fenceTable(ref.id)} AS pause
      WHERE begun.purpose = '${begunPurpose(ref)}' AND pause.purpose = '${markPurpose(ref)}' AND pause.fenced_at IS NOT NULL
     RETURNING 1`,
  );
  return noted.length > 0;
}

/** The pause that is under way; undefined: its fence is down. */
export async function presentPause(source: Session, ref: MigrationRef): Promise<PresentPause | undefined> {
  const [found] = await queryRows<{ ms: number; pause: string; begun: number | null }>(
    source,
    `SELECT ${MS_SINCE} AS ms, ${NAME_OF_PAUSE} AS pause,
            CASE WHEN begun.mark LIKE ${NAME_OF_PAUSE} || ' %'
                 THEN greatest(0, extract(epoch FROM clock_timestamp()) * 1000 - split_part(begun.mark, ' ', 2)::float8)::float8 END AS begun
       FROM ${fenceTable(ref.id)} AS pause LEFT JOIN ${fenceTable(ref.id)} AS begun ON begun.purpose = '${begunPurpose(ref)}'
      WHERE pause.purpose = '${markPurpose(ref)}' AND pause.fenced_at IS NOT NULL`,
  );
  if (!found) return undefined;
  const { ms, pause, begun } = found;
  return { ms: Math.round(ms), pause, ...(begun === null ? {} : { switchBegunMs: begun }) };
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

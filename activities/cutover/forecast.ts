import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ForecastStep, PauseForecast } from '../../plan/board';
import { compareLsn } from '../../plan/lsn';
import { type Named, subscriptionName } from '../../plan/names';
import type { MigrationRef } from '../dependencies';
import { type EachDatabase, oneByOne } from '../each-database';
import { readMark, writeMark } from '../postgres/fence-table';
import { type Session, type Sides, withSession } from '../postgres/session';
import { findSubscription, originOf, originProgress } from '../postgres/subscriptions';
import { throwIfCancelled } from '../wait';
import { listSequences, readStates } from './sequences';

/** A mark that takes longer than this says that the drain will be long; how long, the lag says. */
const LONGEST_MARK_MS = 5_000;
const LOOK_EVERY_MS = 2;
const ROUND_TRIPS = 5;

/** What others have measured or know already, in milliseconds. */
export interface KnownTimes {
  /** What is copied inside the pause. */
  readonly carryMs: number;
  /** Each traffic switch, all in all: they are made one after the other. */
  readonly switchMs: number;
  /** Every fence but the SQL fence. */
  readonly fencesMs: number;
}

/** What one database's part of the pause takes, in milliseconds. */
interface DatabaseTimes {
  readonly source: number;
  readonly target: number;
  /** A commit on the target that waits for its flush. */
  readonly flush: number;
  readonly mark: number;
  readonly sequences: number;
}

/**
 * How long writes will be stopped, by what can be measured without stopping anything: round trips to both sides, a mark that is
 * written on the source until it is on the target, a commit on the target, a read of all sequences. The pause works in all
 * databases at the same time, so the slowest one counts.
 */
export async function forecastPause(
  input: MigrationRef & { readonly databases: readonly string[] },
  sides: Sides,
  { carryMs, switchMs, fencesMs }: KnownTimes,
  each: EachDatabase = oneByOne,
): Promise<PauseForecast> {
  const all = await measureDatabases(input, sides, each);
  const slowest = (what: keyof DatabaseTimes): number => Math.max(0, ...all.map((times) => times[what]));
  const [source, target, flush] = [slowest('source'), slowest('target'), slowest('flush')];
  const steps: ForecastStep[] = [
    { step: 'fence', ms: 2 * (source + flush) + fencesMs },
    { step: 'sessions', ms: 6 * source },
    // Asynchronous apply, as it is now, leaves the flush to the drain; synchronous apply, as the pause has it, to each commit.
    { step: 'drain', ms: slowest('mark') + flush },
    { step: 'sequences', ms: slowest('sequences') },
    { step: 'copies', ms: carryMs },
    { step: 'snapshots', ms: 2 * Math.max(source, target) + flush },
    { step: 'verify', ms: 2 * source },
    { step: 'record', ms: target + flush },
    { step: 'switch', ms: switchMs },
  ].map(({ step, ms }) => ({ step, ms: Math.round(ms * 10) / 10 }));
  return { ms: Math.round(steps.reduce((sum, { ms }) => sum + ms, 0) * 10) / 10, steps };
}

async function measureDatabases(
  input: MigrationRef & { readonly databases: readonly string[] },
  { source, target }: Sides,
  each: EachDatabase,
): Promise<DatabaseTimes[]> {
  return each('the forecast', input.databases, (database, look) => {
    const options = { step: 'forecast', database, ...look };
    return withSession(source, options, (from) =>
      withSession(target, options, async (to) => {
        await throwIfCancelled();
        const roundTrips = { source: await roundTrip(from), target: await roundTrip(to) };
        // Written nowhere but to the WAL.
        const commit = await timed(() => to.query(`SELECT pg_logical_emit_message(true, 'keyshift', 'forecast')`));
        return {
          ...roundTrips,
          flush: Math.max(0, commit - roundTrips.target),
          mark: await timeOfMark(from, to, input, database),
          sequences: await timeOfSequences(from, to, input.id),
        };
      }),
    );
  });
}

/** The middle one of a few. */
async function roundTrip(session: Session): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < ROUND_TRIPS; n += 1) times.push(await timed(() => session.query('SELECT 1')));
  return times.sort((a, b) => a - b)[Math.floor(ROUND_TRIPS / 2)] ?? 0;
}

/** As the drain proves it: by the row and by the origin of the subscription. */
async function timeOfMark(source: Session, target: Session, migration: Named, database: string): Promise<number> {
  const subscription = await findSubscription(target, subscriptionName(migration, database));
  if (!subscription?.subenabled) return 0;
  const mark = randomUUID();
  return timed(async () => {
    const giveUpAt = performance.now() + LONGEST_MARK_MS;
    const position = await writeMark(source, migration.id, 'board', mark);
    for (;;) {
      const arrived =
        (await readMark(target, migration.id, 'board')) === mark &&
        compareLsn((await originProgress(target, originOf(subscription))) ?? '0/0', position) >= 0;
      if (arrived || performance.now() > giveUpAt) return;
      await throwIfCancelled();
      await sleep(LOOK_EVERY_MS);
    }
  });
}

/** Both sides are read at the same time; what is written takes about as long as what is read. */
async function timeOfSequences(source: Session, target: Session, migration: string): Promise<number> {
  const names = await listSequences(source, migration);
  if (names.length === 0) return 0;
  return 2 * (await timed(() => Promise.all([readStates(source, names), readStates(target, names)])));
}

/** How long something takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

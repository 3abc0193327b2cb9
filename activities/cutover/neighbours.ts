import { setTimeout as sleep } from 'node:timers/promises';
import type { MovedJob, MovedSubscription, Neighbours } from '../../plan/report';
import type { Dependencies, MigrationRef } from '../dependencies';
import { endable } from '../postgres/end-sessions';
import { accessTo, escapeIdentifier, queryRows, type Session, withSession } from '../postgres/session';
import { fenceTable } from '../postgres/fence-table';
import { subscriptionCatalog } from '../postgres/subscription-catalog';
import { activeJobs, hasCron, setActive } from '../quarantine/cron-jobs';
import { foreignSubscriptions, withWorker } from '../quarantine/subscriptions';

/** Between two looks whether a worker has ended, in milliseconds: it is downtime. */
const LOOK_EVERY_MS = 2;

/** Sessions of the source, by database. */
type SourceSessions = ReadonlyMap<string, { readonly source: Session }>;

/**
 * What writes on the source by itself and is to go on on the target: found before the pause, so that a source without any pays
 * nothing in it. Per database, and only where the plan says `move`.
 */
export interface NeighbourPlan {
  /** Databases in which there is a subscription. */
  readonly subscribed: readonly string[];
  /** The database in which pg_cron is. */
  readonly cron?: string;
}

export async function planNeighbours(ref: MigrationRef, pairs: SourceSessions): Promise<NeighbourPlan | undefined> {
  const { subscriptions, cronJobs } = ref.plan.carry;
  const [first] = pairs.values();
  if (!first) return undefined;
  const found = subscriptions === 'move' ? await foreignSubscriptions(first.source, ref) : [];
  const subscribed = [...new Set(found.map(({ database }) => database))].filter((database) => pairs.has(database));
  // What it asks once per session is asked before the pause.
  for (const database of subscribed) await subscriptionCatalog(pairs.get(database)?.source as Session);
  let cron: string | undefined;
  for (const [database, { source }] of cronJobs === 'move' ? pairs : []) if (await hasCron(source)) cron = database;
  if (subscribed.length === 0 && cron === undefined) return undefined;
  return cron === undefined ? { subscribed } : { subscribed, cron };
}

const purposeOf = ({ direction }: MigrationRef) => (direction === 'back' ? 'neighbours-back' : 'neighbours');

/**
 * Stops what writes on the source by itself: subscriptions disabled, their workers ended; cron jobs inactive, their runs ended. What
 * ran is noted in our table before, so that whoever takes over, or gives the pause up, starts exactly that again. An attempt after
 * this one finds the note and adds to it.
 */
export async function holdNeighbours(
  ref: MigrationRef,
  pairs: SourceSessions,
  { subscribed, cron }: NeighbourPlan,
  mayGoOn: () => void,
): Promise<Neighbours> {
  const [first] = pairs.values();
  if (!first) throw new Error('no database to cut over');
  const earlier = await readNote(first.source, ref);
  const subscriptions = (await foreignSubscriptions(first.source, ref)).filter(({ database }) =>
    subscribed.includes(database),
  );
  const home = cron === undefined ? undefined : pairs.get(cron)?.source;
  const jobs = cron === undefined || !home ? [] : (await activeJobs(home)).map((job) => ({ database: cron, ...job }));
  const held: Neighbours = {
    subscriptions: merge(earlier?.subscriptions, subscriptions, ({ database, name }) => `${database} ${name}`),
    cronJobs: merge(earlier?.cronJobs, jobs, ({ id }) => id),
  };
  await first.source.query(
    `INSERT INTO ${fenceTable(ref.id)} (purpose, mark) VALUES ('${purposeOf(ref)}', $1)
     ON CONFLICT (purpose) DO UPDATE SET mark = excluded.mark`,
    [JSON.stringify(held)],
  );
  for (const { database, name, enabled } of subscriptions) {
    if (enabled) await pairs.get(database)?.source.query(`ALTER SUBSCRIPTION ${escapeIdentifier(name)} DISABLE`);
  }
  if (home) {
    await setActive(
      home,
      jobs.map(({ id }) => id),
      false,
    );
    await home.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE backend_type LIKE 'pg\\_cron%' AND backend_type NOT LIKE '%launcher%' AND ${endable()}`,
    );
  }
  const names = held.subscriptions.map(({ name }) => name);
  while (names.length > 0 && (await withWorker(first.source, names)).length > 0) {
    mayGoOn();
    await sleep(LOOK_EVERY_MS);
  }
  return held;
}

/** What an earlier attempt noted is how it was; what this one sees may be that attempt's own doing. */
function merge<T>(earlier: readonly T[] | undefined, now: readonly T[], keyOf: (one: T) => string): T[] {
  const known = new Set(earlier?.map(keyOf));
  return [...(earlier ?? []), ...now.filter((one) => !known.has(keyOf(one)))];
}

/**
 * Up to where each subscription of the source has applied, for good: its worker has ended. The same on the target lets it go on
 * there with nothing lost and nothing twice.
 */
export async function withPositions(pairs: SourceSessions, held: Neighbours): Promise<Neighbours> {
  const subscriptions: MovedSubscription[] = [];
  for (const one of held.subscriptions) {
    const session = pairs.get(one.database)?.source as Session;
    const [row] = await queryRows<{ position: string | null }>(
      session,
      `SELECT pg_replication_origin_progress('pg_' || s.oid, true)::text AS position
         FROM ${await subscriptionCatalog(session)} s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database() WHERE s.subname = $1`,
      [one.name],
    );
    subscriptions.push({ ...one, ...(row?.position ? { position: row.position } : {}) });
  }
  return { ...held, subscriptions };
}

async function readNote(source: Session, ref: MigrationRef): Promise<Neighbours | undefined> {
  const [row] = await queryRows<{ mark: string }>(
    source,
    `SELECT mark FROM ${fenceTable(ref.id)} WHERE purpose = '${purposeOf(ref)}'`,
  );
  return row && (JSON.parse(row.mark) as Neighbours);
}

/**
 * Starts on the source what a pause had stopped there, when the pause is given up or undone. Does nothing where no pause noted
 * anything; killed half-way, it does the same again.
 */
export async function releaseNeighbours(deps: Dependencies, ref: MigrationRef, source: Session): Promise<void> {
  const held = await readNote(source, ref);
  if (!held) return;
  const access = await accessTo(deps, ref, 'source');
  const inDatabase = (database: string, work: (session: Session) => Promise<unknown>) =>
    withSession(access, { step: 'unfence', database }, work);
  for (const { database, name, enabled } of held.subscriptions) {
    if (!enabled) continue;
    await inDatabase(database, async (session) => {
      const [there] = await queryRows(session, 'SELECT 1 FROM pg_subscription WHERE subname = $1', [name]);
      if (there) await session.query(`ALTER SUBSCRIPTION ${escapeIdentifier(name)} ENABLE`);
    });
  }
  for (const [database, jobs] of byDatabase(held.cronJobs)) {
    await inDatabase(database, (session) =>
      setActive(
        session,
        jobs.map(({ id }) => id),
        true,
      ),
    );
  }
  await source.query(`DELETE FROM ${fenceTable(ref.id)} WHERE purpose = '${purposeOf(ref)}'`);
}

export function byDatabase(jobs: readonly MovedJob[]): Map<string, MovedJob[]> {
  const result = new Map<string, MovedJob[]>();
  for (const job of jobs) result.set(job.database, [...(result.get(job.database) ?? []), job]);
  return result;
}

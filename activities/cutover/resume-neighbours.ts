import { fitTexts } from '../../plan/board';
import type { MovedSubscription, Neighbours } from '../../plan/report';
import { finalFailure } from '../../plan/failures';
import { type Dependencies, type MigrationRef, instanceOf } from '../dependencies';
import { whyApplyFails } from '../follow/apply-error';
import { accessIfThere, accessTo, escapeIdentifier, queryRows, type Session, withSession } from '../postgres/session';
import { subscriptionCatalog } from '../postgres/subscription-catalog';
import { hasCron, removeKeepOff, setActive } from '../quarantine/cron-jobs';
import { readRecords } from '../quarantine/records';
import { detachSubscription, foreignSubscriptions, withWorker } from '../quarantine/subscriptions';
import { type ApplyTrigger, switchTriggers } from '../quarantine/triggers';
import { waitUntil } from '../wait';
import { byDatabase } from './neighbours';

/** A publisher may take a while to notice that the reader before is gone. */
const START_TIMEOUT_MS = 120_000;

export interface ResumeInput extends MigrationRef {
  readonly databases: readonly string[];
  /** What the pause stopped on the source. */
  readonly neighbours?: Neighbours;
}

export interface Resumed {
  readonly triggers: number;
  readonly cronJobs: number;
  readonly subscriptions: readonly string[];
  /** What the quarantine switched off and nothing has switched on again. */
  readonly stays: readonly string[];
}

/**
 * Right after the switch: what the quarantine had switched off and what was moved runs on the target. Triggers fire for what is
 * applied as before; jobs that were active on the source are active here; subscriptions go on from where the source's ended, after
 * those of the source are off their slots for good.
 * @throws ApplicationFailure SubscriptionFailed when a subscription doesn't get going on the target
 */
export async function resumeNeighbours(deps: Dependencies, input: ResumeInput): Promise<Resumed> {
  const access = await accessTo(deps, input, 'target');
  const [first] = input.databases;
  if (first === undefined) throw new Error('no database to resume in');
  const inDatabase = <T>(database: string, work: (session: Session) => Promise<T>): Promise<T> =>
    withSession(access, { step: 'resume', database }, work);
  const { subscriptions = [], cronJobs = [] } = input.neighbours ?? {};
  const [triggers, jobs, quarantined] = await inDatabase(
    first,
    async (session) =>
      [
        await readRecords(session, input.id, 'trigger'),
        await readRecords(session, input.id, 'cron-job'),
        await readRecords(session, input.id, 'subscription'),
      ] as const,
  );
  for (const database of input.databases) {
    await inDatabase(database, async (session) => {
      const there = await existing(
        session,
        triggers.filter((one) => one.database === database).map(({ was }) => was as unknown as ApplyTrigger),
      );
      await switchTriggers(session, there, 'on');
      if (await hasCron(session)) await removeKeepOff(session, input.id);
    });
  }
  for (const [database, moved] of byDatabase(cronJobs)) {
    await inDatabase(database, (session) =>
      setActive(
        session,
        moved.map(({ id }) => id),
        true,
      ),
    );
  }
  await detachOnSource(deps, input, subscriptions);
  for (const one of subscriptions) await inDatabase(one.database, (session) => goOn(deps, session, input, one));
  const isMoved = new Set([...subscriptions.map(({ name }) => name), ...cronJobs.map(({ id }) => id)]);
  return {
    triggers: triggers.length,
    cronJobs: cronJobs.length,
    subscriptions: subscriptions.map(({ name }) => name),
    stays: fitTexts(
      [...quarantined, ...jobs]
        .filter(({ name }) => !isMoved.has(name))
        .map(({ database, kind, name }) => `${kind} ${name} in database ${database} is off on the target`),
    ),
  };
}

/** Triggers that nobody has dropped since, and that don't fire already as they should. */
async function existing(session: Session, triggers: readonly ApplyTrigger[]): Promise<ApplyTrigger[]> {
  if (triggers.length === 0) return [];
  const rows = await queryRows<{ schema: string; table: string; trigger: string; state: string }>(
    session,
    `SELECT n.nspname AS schema, c.relname AS "table", t.tgname AS trigger, t.tgenabled::text AS state
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace`,
  );
  return triggers.filter((wanted) =>
    rows.some(
      (one) =>
        one.schema === wanted.schema &&
        one.table === wanted.table &&
        one.trigger === wanted.trigger &&
        one.state !== wanted.state,
    ),
  );
}

/** The source's subscriptions are off their slots before the target's read from them: nobody can enable both. */
async function detachOnSource(
  deps: Dependencies,
  ref: MigrationRef,
  subscriptions: readonly MovedSubscription[],
): Promise<void> {
  if (subscriptions.length === 0) return;
  const access = await accessIfThere(deps, ref, 'source');
  if (!access) return;
  for (const { database, name } of subscriptions) {
    await withSession(access, { step: 'resume', database }, async (session) => {
      const found = (await foreignSubscriptions(session, ref)).find((one) => one.name === name);
      if (found?.slot) await detachSubscription(session, name);
    });
  }
}

/**
 * Takes over a subscription: origin and ENABLE in one transaction, as its commit is flushed and the advance alone is not. An
 * origin that is beyond has moved by itself, and setting it back would apply changes twice.
 */
async function goOn(deps: Dependencies, session: Session, ref: MigrationRef, moved: MovedSubscription): Promise<void> {
  const { name, slot, enabled, position, database } = moved;
  const [found] = (await foreignSubscriptions(session, ref)).filter(
    (one) => one.name === name && one.database === database,
  );
  if (!found) {
    throw finalFailure(
      'ResourceGone',
      `Subscription ${name} in database ${database} came to the source after the snapshot, so ${instanceOf(ref, 'target')} has none. Create it there with create_slot = false, slot_name = ${slot ?? 'NONE'}, enabled = false, then send retry: its position is ${position ?? 'unknown'}.`,
    );
  }
  if (slot === null) return;
  if (!found.enabled) await takeOver(session, name, slot, enabled, position);
  if (!enabled) return;
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  await waitUntil(async () => {
    if ((await withWorker(session, [name])).length > 0) return { done: undefined };
    if (Date.now() > giveUpAt) {
      const { text } = await whyApplyFails(deps, ref, { name });
      throw finalFailure(
        'SubscriptionFailed',
        `Subscription ${name} in database ${database} of ${instanceOf(ref, 'target')} has taken over slot ${slot} of its publisher, but has no worker. Applications are on the target; what this subscription brings waits in the slot. ${text} Correct it (can the target reach the publisher?), then send retry.`,
      );
    }
    return { waitingFor: `worker of ${name}` };
  });
}

async function takeOver(
  session: Session,
  name: string,
  slot: string,
  enable: boolean,
  position: string | undefined,
): Promise<void> {
  const quoted = escapeIdentifier(name);
  await session.query('BEGIN');
  try {
    if (position !== undefined) {
      await session.query(
        `SELECT pg_replication_origin_advance('pg_' || s.oid, $2::pg_lsn)
           FROM ${await subscriptionCatalog(session)} s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
          WHERE s.subname = $1 AND coalesce(pg_replication_origin_progress('pg_' || s.oid, true), '0/0') < $2::pg_lsn`,
        [name, position],
      );
    }
    await session.query(`ALTER SUBSCRIPTION ${quoted} SET (slot_name = ${escapeIdentifier(slot)})`);
    if (enable) await session.query(`ALTER SUBSCRIPTION ${quoted} ENABLE`);
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import { compareLsn, type Lsn } from '../../plan/lsn';
import { subscriptionName } from '../../plan/names';
import type { CutoverFacts } from '../../plan/report';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { fenceTable, readMark, writeMark } from '../postgres/fence-table';
import { accessTo, queryOne, type Session, withSession } from '../postgres/session';
import { findSubscription, originProgress } from '../postgres/subscriptions';
import { findInstance } from '../rds/find-instance';
import { forgetCutover, readCutover, writeCutover } from './cutover-facts';
import {
  type FencePlan,
  fenceSql,
  type ForeignSession,
  foreignSessions,
  terminateForeignSessions,
  unfenceSql,
} from './fence';
import { type DatabasePair, type Endpoints, openPauseSessions, type PauseSessions } from './pause-sessions';
import { copySequences } from './sequences';
import { Timeline } from './timeline';
import { preparedSwitches, type PreparedSwitch } from './traffic-plan';

/** Between two looks inside the pause, in milliseconds: every one of them is downtime. */
const LOOK_EVERY_MS = 2;
/** Two empty looks this far apart: a login that was under way when the fence went up would show up in between. */
const LATE_LOGIN_MS = 10;
/** Half the heartbeat timeout of the pause: after this, Temporal may be about to begin another attempt. */
const STALE_AFTER_MS = 2_000;

export interface CutOverInput extends MigrationRef {
  readonly databases: readonly string[];
  readonly fence: FencePlan;
}

/** Either traffic is on the target, or nothing happened and the gate opens again. */
export type CutOverResult =
  | ({ readonly switched: true } & CutoverFacts)
  | { readonly switched: false; readonly reason: string; readonly pauseMs: number };

/** Thrown inside the pause to give it up; never leaves this file. */
class PauseGivenUp extends Error {}

/**
 * The pause: fence writes, drain, sequences, switch traffic. One activity, since every round trip to the server in it is
 * downtime. Before the switch it can be given up at any time without loss: budget, an error. After the
 * switch it only goes forward. It may be killed at any point: the next attempt, in any process, reads from the databases
 * how far it went.
 */
export async function cutOver(deps: Dependencies, input: CutOverInput): Promise<CutOverResult> {
  const context = Context.current();
  const sessions = await openPauseSessions(deps, input);
  let keepOpen = false;
  try {
    const switches = await preparedSwitches(awsOf(deps, input), input.plan.cutover.traffic, sessions);
    const earlier = await readCutover(sessions.first.target, input.id);
    if (earlier && isUnderWay(switches)) {
      return await rollForward(switches, { ...earlier, attempts: context.info.attempt });
    }
    const result = await pause(deps, input, sessions, switches, context);
    keepOpen = result.switched;
    return result;
  } finally {
    await sessions.close({ keepSnapshots: keepOpen });
  }
}

/** A plan without switches is switched by whoever approved it, from the moment that the pause is recorded. */
const isUnderWay = (switches: readonly PreparedSwitch[]): boolean =>
  switches.length === 0 || switches.some(({ done }) => done);

/** An attempt before this one died behind the switch: finish what it left. */
async function rollForward(switches: readonly PreparedSwitch[], facts: CutoverFacts): Promise<CutOverResult> {
  await applyAll(switches);
  const { holder: _gone, ...rest } = facts;
  return { switched: true, ...rest };
}

/** Behind the first write there is no way back: whatever fails is tried again until it works. */
async function applyAll(switches: readonly PreparedSwitch[]): Promise<void> {
  for (const one of switches) {
    try {
      await one.apply();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw ApplicationFailure.retryable(
        `Traffic is on its way to the target, but ${one.what} refuses: ${message}`,
        'SwitchUnfinished',
      );
    }
  }
}

async function pause(
  deps: Dependencies,
  input: CutOverInput,
  sessions: PauseSessions,
  switches: readonly PreparedSwitch[],
  context: Context,
): Promise<CutOverResult> {
  const { first } = sessions;
  await forgetCutover(first.target, input.id);
  const timeline = new Timeline();
  let pastSwitch = false;
  const fenced = await raiseFence(input, first);
  timeline.done('fence');
  const deadline = Date.now() + input.plan.cutover.pauseBudgetMs - fenced.alreadyMs;
  const mayGoOn = () => {
    if (Date.now() > deadline) throw new PauseGivenUp(`the budget of ${input.plan.cutover.pauseBudgetMs} ms ended`);
  };
  try {
    const drained = await drainUntilStill(input, sessions, timeline, mayGoOn);
    await sessions.holdSnapshots(deps, input.id);
    mayGoOn();
    const facts = (): CutoverFacts => ({
      timeline: timeline.steps,
      pauseMs: fenced.alreadyMs + timeline.totalMs,
      switchedAt: new Date().toISOString(),
      fenceLsn: drained.fenceLsn,
      fencedRoles: input.fence.roles,
      sequences: drained.sequences,
      traffic: switches.map(({ what, from, to }) => ({ what, from, to })),
      attempts: context.info.attempt,
      holder: deps.ownTaskQueue,
      targetSnapshots: drained.targetSnapshots,
    });
    const recordingSince = Date.now();
    await writeCutover(first.target, input.id, facts());
    timeline.done('recorded');
    // Another attempt has ended this one's sessions by now if it took this one for dead.
    if (Date.now() - recordingSince > STALE_AFTER_MS)
      throw new PauseGivenUp('this process stood still before the switch');
    const [decisive, ...rest] = switches;
    await decisive?.apply();
    pastSwitch = true;
    await applyAll(rest);
    timeline.done('switch');
    return { switched: true, ...facts() };
  } catch (error) {
    if (pastSwitch) throw error;
    // The first switch may have failed on its way out or on its way back: only the world knows. When it can't be asked,
    // this throws, the fence stays up, and the next attempt asks again.
    if (switches.length > 0 && (await isSwitched(deps, input, sessions)))
      throw ApplicationFailure.retryable('the switch took effect, its answer got lost');
    await lowerFenceOf(input, first.source);
    await forgetCutover(first.target, input.id).catch(() => undefined);
    timeline.done('unfence');
    const pauseMs = fenced.alreadyMs + timeline.totalMs;
    return { switched: false, pauseMs, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** True when traffic is on its way to the target, given that the pause was recorded there. */
async function isSwitched(deps: Dependencies, input: MigrationRef, sessions: Endpoints): Promise<boolean> {
  const switches = await preparedSwitches(awsOf(deps, input), input.plan.cutover.traffic, sessions);
  return isUnderWay(switches);
}

/**
 * Takes down the fence of a pause whose end nobody knows, unless traffic is on the target already. Needs nothing of the
 * target: where that is gone, nothing can have been switched to it that would still be there.
 * @throws ApplicationFailure TrafficRefused when traffic is on the target: nothing may be undone then
 */
export async function lowerFence(deps: Dependencies, input: CutOverInput): Promise<void> {
  if (await isCutOver(deps, input)) {
    throw finalFailure(
      'TrafficRefused',
      'Traffic is on the target already: undoing now would lose what was written there. Send retry to go forward (docs/operating.md, "After the switch").',
    );
  }
  const [database] = input.databases;
  if (database === undefined) return;
  await withSession(await accessTo(deps, input, 'source'), { step: 'unfence', database }, (source) =>
    lowerFenceOf(input, source),
  );
}

/** Whether the pause was recorded on the target and a switch points there. */
async function isCutOver(deps: Dependencies, input: CutOverInput): Promise<boolean> {
  const aws = awsOf(deps, input);
  const target = await findInstance(aws, input.plan.target.instance);
  const [database] = input.databases;
  if (!target || database === undefined) return false;
  const [sourceAccess, targetAccess] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const recorded = await withSession(targetAccess, { step: 'unfence', database, readOnly: true }, (session) =>
    readCutover(session, input.id),
  );
  const endpoints = { sourceEndpoint: sourceAccess.endpoint, targetEndpoint: targetAccess.endpoint };
  return recorded !== undefined && (await isSwitched(deps, input, endpoints));
}

/**
 * Raises the fence and notes on the source since when it is up, so that an attempt that takes over a fence counts the
 * time before it against the budget.
 */
async function raiseFence(input: CutOverInput, { source }: DatabasePair): Promise<{ alreadyMs: number }> {
  await source.query(fenceSql(input.fence));
  const { ms } = await queryOne<{ ms: number }>(
    source,
    `INSERT INTO ${fenceTable(input.id)} AS fence (purpose, mark, fenced_at) VALUES ('pause', '', clock_timestamp())
     ON CONFLICT (purpose) DO UPDATE SET fenced_at = coalesce(fence.fenced_at, excluded.fenced_at)
     RETURNING greatest(0, extract(epoch FROM clock_timestamp() - fenced_at) * 1000)::float8 AS ms`,
  );
  return { alreadyMs: Math.round(ms) };
}

async function lowerFenceOf(input: CutOverInput, source: Session): Promise<void> {
  await source.query(unfenceSql(input.fence));
  await source.query(`UPDATE ${fenceTable(input.id)} SET fenced_at = NULL WHERE purpose = 'pause'`);
}

/** Ends sessions in batches until none is left, twice in a row. */
async function endForeignSessions(input: CutOverInput, { source }: DatabasePair, mayGoOn: () => void): Promise<void> {
  const spared = input.plan.cutover.spareRoles;
  for (let emptyLooks = 0; emptyLooks < 2;) {
    const ended = await terminateForeignSessions(source, input.id, spared);
    emptyLooks = ended.length === 0 ? emptyLooks + 1 : 0;
    try {
      mayGoOn();
    } catch (error) {
      if (!(error instanceof PauseGivenUp) || ended.length === 0) throw error;
      throw new PauseGivenUp(
        `${error.message}; sessions kept coming back behind the fence: ${ended.map(describe).join(', ')}`,
      );
    }
    await sleep(ended.length === 0 ? LATE_LOGIN_MS : LOOK_EVERY_MS);
  }
}

const describe = ({ user, application, client }: ForeignSession): string =>
  `${user} (${application || 'unnamed'}, from ${client ?? 'local'})`;

interface Drained {
  readonly fenceLsn: Lsn;
  readonly sequences: number;
  readonly targetSnapshots: Record<string, string>;
}

/**
 * Drains, copies the sequences and takes the snapshots, and begins again if anything was committed on the source
 * meanwhile: every transaction that writes takes a transaction id, so an unchanged next id proves that none did, by
 * whatever role and whatever way it came. (Autovacuum takes ids, too: that costs a round of a few milliseconds.)
 */
async function drainUntilStill(
  input: CutOverInput,
  sessions: PauseSessions,
  timeline: Timeline,
  mayGoOn: () => void,
): Promise<Drained> {
  const { first, pairs } = sessions;
  for (;;) {
    await endForeignSessions(input, first, mayGoOn);
    timeline.done('sessions ended');
    const { fenceLsn, nextXid } = await drain(input, pairs, mayGoOn);
    timeline.done('drain');
    const counts = await Promise.all(
      [...pairs.values()].map((pair) => copySequences(pair.source, pair.target, pair.sequences)),
    );
    timeline.done('sequences');
    const targetSnapshots = await sessions.takeSnapshots();
    timeline.done('snapshots');
    const foreign = await foreignSessions(first.source, input.id, input.plan.cutover.spareRoles);
    const still = foreign.length === 0 && (await readNextXid(first)) === nextXid;
    timeline.done('fence verified');
    if (still) return { fenceLsn, targetSnapshots, sequences: counts.reduce((sum, count) => sum + count, 0) };
    mayGoOn();
  }
}

async function readNextXid({ source }: DatabasePair): Promise<string> {
  return (await queryOne<{ xid: string }>(source, 'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid')).xid;
}

/**
 * Writes a mark behind everything that was committed on the source and waits until it is on the target. Proven there, by
 * the row itself and by the origin of the subscription, never by the sender's word.
 */
async function drain(
  input: CutOverInput,
  pairs: ReadonlyMap<string, DatabasePair>,
  mayGoOn: () => void,
): Promise<{ fenceLsn: Lsn; nextXid: string }> {
  const mark = randomUUID();
  const entries = [...pairs];
  const positions = await Promise.all(entries.map(([, pair]) => writeMark(pair.source, input.id, 'pause', mark)));
  const [, first] = entries[0] ?? [];
  if (!first) throw new Error('no database to drain');
  const nextXid = await readNextXid(first);
  await Promise.all(
    entries.map(async ([database, pair], index) => {
      const name = subscriptionName(input.id, database);
      const subscription = await findSubscription(pair.target, name);
      if (!subscription) throw finalFailure('ResourceGone', `subscription ${name} is gone from the target`);
      const behind = async () =>
        (await readMark(pair.target, input.id, 'pause')) !== mark ||
        compareLsn((await originProgress(pair.target, `pg_${subscription.oid}`)) ?? '0/0', positions[index] ?? '0/0') <
          0;
      while (await behind()) {
        mayGoOn();
        await sleep(LOOK_EVERY_MS);
      }
    }),
  );
  return { fenceLsn: positions.sort(compareLsn).at(-1) ?? '0/0', nextXid };
}

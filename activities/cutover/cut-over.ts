import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import { compareLsn, type Lsn } from '../../plan/lsn';
import { subscriptionName } from '../../plan/names';
import type { Carried, CutoverFacts, Neighbours } from '../../plan/report';
import { syncLargeObjects } from '../carry/large-objects';
import { copyUnloggedTables } from '../carry/unlogged-tables';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { fenceTable, readMark, writeMark } from '../postgres/fence-table';
import { accessTo, queryOne, queryRows, type Session, withSession } from '../postgres/session';
import { findSubscription, originProgress } from '../postgres/subscriptions';
import { closeAgainSql, openTargetSql } from '../quarantine/read-only';
import { endpointOf, findInstance, requireInstance } from '../rds/find-instance';
import { forgetCutover, readCutover, writeCutover } from './cutover-facts';
import {
  type FencePlan,
  fenceSql,
  type ForeignSession,
  foreignSessions,
  terminateForeignSessions,
  unfenceSql,
  withoutDroppedRoles,
} from './fence';
import { holdNeighbours, releaseNeighbours, withPositions } from './neighbours';
import { type DatabasePair, openPauseSessions, type PauseSessions } from './pause-sessions';
import { copySequences } from './sequences';
import { Timeline } from './timeline';
import { namesTarget, preparedSwitches, type PreparedSwitch, SWITCH_UNCONFIRMED } from './traffic-plan';

/** Between two looks inside the pause, in milliseconds: every one of them is downtime. */
const LOOK_EVERY_MS = 2;
/** Two empty looks this far apart: a login that was under way when the fence went up would show up in between. */
const LATE_LOGIN_MS = 10;
/** A third of the heartbeat timeout of the pause: after this, Temporal may be about to begin another attempt. */
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
  const overdue = await endOverduePause(deps, input);
  if (overdue) return overdue;
  const sessions = await openPauseSessions(deps, input);
  let keepOpen = false;
  try {
    const switches = await preparedSwitches(awsOf(deps, input), input.plan.cutover.traffic, sessions);
    const earlier = await readCutover(sessions.first.target, input.id);
    if (!earlier && switches.some(({ done }) => done)) {
      throw finalFailure(
        'AlreadySwitched',
        'A traffic switch points at the target, but no pause of this migration is recorded there: somebody switched by hand. Put the endpoint of the source back into it, then send retry.',
      );
    }
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

/**
 * A fence that an earlier attempt left up for longer than the budget comes down first of all. That needs the source only:
 * the target may be the reason why the pause did not end.
 */
async function endOverduePause(deps: Dependencies, input: CutOverInput): Promise<CutOverResult | undefined> {
  const [database] = input.databases;
  if (database === undefined) throw new Error('no database to cut over');
  const access = await accessTo(deps, input, 'source');
  return withSession(access, { step: 'pause-budget', database }, async (source) => {
    const [fenced] = await queryRows<{ ms: number }>(
      source,
      `SELECT extract(epoch FROM clock_timestamp() - fenced_at)::float8 * 1000 AS ms
         FROM ${fenceTable(input.id)} WHERE purpose = 'pause' AND fenced_at IS NOT NULL`,
    );
    if (!fenced || fenced.ms <= input.plan.cutover.pauseBudgetMs || (await isCutOver(deps, input))) return undefined;
    await lowerFenceOf(deps, input, source);
    const pauseMs = Math.round(fenced.ms);
    return { switched: false, pauseMs, reason: 'the budget ended while no worker attended to the pause' };
  });
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
      if (isUnconfirmed(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw ApplicationFailure.retryable(
        `Traffic is on its way to the target, but ${one.what} refuses: ${message}`,
        'SwitchUnfinished',
      );
    }
  }
}

/** AWS took the write, so traffic is on its way whatever a read says. */
const isUnconfirmed = (error: unknown): boolean =>
  error instanceof ApplicationFailure && error.type === SWITCH_UNCONFIRMED;

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
  let alreadyMs = 0;
  let deadline = Number.POSITIVE_INFINITY;
  const mayGoOn = () => {
    // Superseded by another attempt, or its workflow is gone: this one must not switch.
    if (context.cancellationSignal.aborted) throw new PauseGivenUp('Temporal does not wait for this attempt any more');
    if (Date.now() > deadline) throw new PauseGivenUp(`the budget of ${input.plan.cutover.pauseBudgetMs} ms ended`);
  };
  try {
    alreadyMs = await raiseFence(input, first);
    deadline = Date.now() + input.plan.cutover.pauseBudgetMs - alreadyMs;
    timeline.done('fence');
    const held = await hold(input, sessions, mayGoOn);
    if (held) timeline.done('neighbours stopped');
    const drained = await drainUntilStill(input, sessions, timeline, mayGoOn);
    const neighbours = held && (await withPositions(sessions.pairs, held));
    await sessions.holdSnapshots(deps, input.id);
    mayGoOn();
    const facts = (): CutoverFacts => ({
      timeline: timeline.steps,
      pauseMs: alreadyMs + timeline.totalMs,
      switchedAt: new Date().toISOString(),
      fenceLsn: drained.fenceLsn,
      fencedRoles: input.fence.roles,
      sequences: drained.sequences,
      traffic: switches.map(({ what, from, to }) => ({ what, from, to })),
      attempts: context.info.attempt,
      ...(neighbours ? { neighbours } : {}),
      ...(drained.carried ? { carried: drained.carried } : {}),
      holder: deps.ownTaskQueue,
      targetSnapshots: drained.targetSnapshots,
    });
    const recordingSince = Date.now();
    await writeCutover(first.target, input.id, facts());
    timeline.done('recorded');
    mayGoOn();
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
    if (pastSwitch || isUnconfirmed(error)) throw error;
    // The first switch may have failed on its way out or on its way back: only the world knows. When it can't be asked,
    // this throws, the fence stays up, and the next attempt asks again.
    if (switches.length > 0 && (await isCutOver(deps, input)))
      throw ApplicationFailure.retryable('the switch took effect, its answer got lost');
    await lowerFenceOf(deps, input, first.source);
    await closeTargetAgain(sessions);
    await forgetCutover(first.target, input.id).catch(() => undefined);
    timeline.done('unfence');
    const pauseMs = alreadyMs + timeline.totalMs;
    return { switched: false, pauseMs, reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Takes down the fence of a pause whose end nobody knows, unless traffic is on the target already. Needs nothing of the
 * target: where that is gone, nothing can have been switched to it that would still be there.
 * @throws ApplicationFailure AlreadySwitched when traffic is on the target: nothing may be undone then
 */
export async function lowerFence(deps: Dependencies, input: CutOverInput): Promise<void> {
  if (await isCutOver(deps, input)) {
    throw finalFailure(
      'AlreadySwitched',
      'Traffic is on the target already: undoing now would lose what was written there. Send retry to go forward (docs/operating.md, "After the switch").',
    );
  }
  const [database] = input.databases;
  if (database === undefined) return;
  await withSession(await accessTo(deps, input, 'source'), { step: 'unfence', database }, (source) =>
    lowerFenceOf(deps, input, source),
  );
}

/**
 * Whether traffic is on its way to the target: a switch names it, or, where the plan has none, the pause was recorded
 * there. A target that is gone has no traffic.
 */
async function isCutOver(deps: Dependencies, input: CutOverInput): Promise<boolean> {
  const aws = awsOf(deps, input);
  const target = await findInstance(aws, input.plan.target.instance);
  const [database] = input.databases;
  if (!target?.Endpoint?.Address || database === undefined) return false;
  const { traffic } = input.plan.cutover;
  if (traffic.length > 0) {
    const source = await requireInstance(aws, input.plan.source.instance);
    return namesTarget(aws, traffic, { sourceEndpoint: endpointOf(source), targetEndpoint: endpointOf(target) });
  }
  const access = await accessTo(deps, input, 'target');
  const recorded = await withSession(access, { step: 'unfence', database, readOnly: true }, (session) =>
    readCutover(session, input.id),
  );
  return recorded !== undefined;
}

/**
 * Notes on the source since when the fence is up, so that an attempt that takes it over counts the time before it against
 * the budget, and raises it. The note comes first: a fence without one would have no end.
 * @returns how long it has been up already, in milliseconds
 */
async function raiseFence(input: CutOverInput, { source }: DatabasePair): Promise<number> {
  const fence = await withoutDroppedRoles(source, input.fence);
  const { ms } = await queryOne<{ ms: number }>(
    source,
    `INSERT INTO ${fenceTable(input.id)} AS fence (purpose, mark, fenced_at) VALUES ('pause', '', clock_timestamp())
     ON CONFLICT (purpose) DO UPDATE SET fenced_at = coalesce(fence.fenced_at, excluded.fenced_at)
     RETURNING greatest(0, extract(epoch FROM clock_timestamp() - fenced_at) * 1000)::float8 AS ms`,
  );
  await source.query(fenceSql(fence));
  return Math.round(ms);
}

/** Takes the fence down if it is up: what roles and databases have become since a fence that came down is not ours. */
async function lowerFenceOf(deps: Dependencies, input: CutOverInput, source: Session): Promise<void> {
  const up = await queryRows(
    source,
    `SELECT 1 FROM ${fenceTable(input.id)} WHERE purpose = 'pause' AND fenced_at IS NOT NULL`,
  );
  if (up.length > 0) await source.query(unfenceSql(await withoutDroppedRoles(source, input.fence)));
  // Noted apart: a process that died between the two must not leave a subscription of the source disabled.
  await releaseNeighbours(deps, input, source);
  if (up.length === 0) return;
  await source.query(`UPDATE ${fenceTable(input.id)} SET fenced_at = NULL WHERE purpose = 'pause'`);
}

/** Stops what writes on the source by itself, if there is any. */
async function hold(
  input: CutOverInput,
  { pairs, neighbours }: PauseSessions,
  mayGoOn: () => void,
): Promise<Neighbours | undefined> {
  return neighbours && holdNeighbours(input.id, pairs, neighbours, mayGoOn);
}

/**
 * Lets applications write on the target: its databases have their own defaults again, and sessions that began with ours, or that
 * would have written there already, end.
 */
async function openTarget(input: CutOverInput, { first, closed }: PauseSessions): Promise<void> {
  if (closed.length === 0) return;
  await first.target.query(openTargetSql(closed));
  await terminateForeignSessions(first.target, input.id, []);
}

/** A pause that was given up: nobody is to write on the target again. It may be the reason, so this is only tried. */
async function closeTargetAgain({ first, closed }: PauseSessions): Promise<void> {
  if (closed.length > 0) await first.target.query(closeAgainSql(closed)).catch(() => undefined);
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
  readonly carried?: Carried;
}

/**
 * Drains, copies the sequences and takes the snapshots, and begins again if anything else was committed on the source
 * meanwhile, by whatever role and whatever way it came: every transaction that writes takes a transaction id. No id may be
 * in progress before the marks nor at the end (a prepared transaction counts as in progress), and the next id may have
 * moved by the marks alone. (Autovacuum takes ids, too: that costs a round of a few milliseconds.)
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
    const before = await nextXidWhenIdle(first);
    if (before === undefined) {
      mayGoOn();
      await sleep(LOOK_EVERY_MS);
      continue;
    }
    const fenceLsn = await drain(input, pairs, mayGoOn);
    timeline.done('drain');
    const counts = await Promise.all(
      [...pairs.values()].map((pair) =>
        copySequences(pair.source, pair.target, pair.sequences, input.plan.carry.sequenceMargin),
      ),
    );
    timeline.done('sequences');
    const carried = await carry(input, pairs, timeline, mayGoOn);
    const [targetSnapshots] = await Promise.all([sessions.takeSnapshots(), openTarget(input, sessions)]);
    timeline.done('snapshots');
    const foreign = await foreignSessions(first.source, input.id, input.plan.cutover.spareRoles);
    const after = await nextXidWhenIdle(first);
    timeline.done('fence verified');
    if (foreign.length === 0 && after === before + BigInt(pairs.size)) {
      const total = counts.reduce((sum, count) => sum + count, 0);
      return { fenceLsn, targetSnapshots, sequences: total, ...(carried ? { carried } : {}) };
    }
    mayGoOn();
  }
}

/** Copies what no publication has, as the plan says; one database after the other, since each side has one disk. */
async function carry(
  input: CutOverInput,
  pairs: ReadonlyMap<string, DatabasePair>,
  timeline: Timeline,
  mayGoOn: () => void,
): Promise<Carried | undefined> {
  const { largeObjects, unloggedTables } = input.plan.carry;
  const done = { objects: 0, moved: 0, removed: 0, tables: 0, rows: 0 };
  for (const { carry: sessions } of pairs.values()) {
    if (!sessions || largeObjects !== 'copy') continue;
    const { objects, moved, removed } = await syncLargeObjects(sessions.source, sessions.target, input.id, mayGoOn);
    Object.assign(done, {
      objects: done.objects + objects,
      moved: done.moved + moved,
      removed: done.removed + removed,
    });
  }
  if (largeObjects === 'copy') timeline.done('large objects');
  for (const { carry: sessions } of pairs.values()) {
    if (!sessions || unloggedTables !== 'copy') continue;
    const { tables, rows } = await copyUnloggedTables(sessions.source, sessions.target, input.id, mayGoOn);
    Object.assign(done, { tables: done.tables + tables, rows: done.rows + rows });
  }
  if (unloggedTables === 'copy') timeline.done('unlogged tables');
  const { objects, moved, removed, tables, rows } = done;
  if (largeObjects !== 'copy' && unloggedTables !== 'copy') return undefined;
  return {
    ...(largeObjects === 'copy' ? { largeObjects: { objects, moved, removed } } : {}),
    ...(unloggedTables === 'copy' ? { unloggedTables: { tables, rows } } : {}),
  };
}

/** The next transaction id of the source; undefined while any transaction that has one is in progress. */
async function nextXidWhenIdle({ source }: DatabasePair): Promise<bigint | undefined> {
  const { xmin, xmax } = await queryOne<{ xmin: string; xmax: string }>(
    source,
    `SELECT pg_snapshot_xmin(s)::text AS xmin, pg_snapshot_xmax(s)::text AS xmax FROM pg_current_snapshot() AS s`,
  );
  return xmin === xmax ? BigInt(xmax) : undefined;
}

/**
 * Writes a mark behind everything that was committed on the source and waits until it is on the target. Proven there, by
 * the row itself and by the origin of the subscription, never by the sender's word.
 */
async function drain(input: CutOverInput, pairs: ReadonlyMap<string, DatabasePair>, mayGoOn: () => void): Promise<Lsn> {
  const mark = randomUUID();
  const entries = [...pairs];
  const positions = await Promise.all(entries.map(([, pair]) => writeMark(pair.source, input.id, 'pause', mark)));
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
  return positions.sort(compareLsn).at(-1) ?? '0/0';
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { CutoverFacts, Neighbours, PauseStep } from '../../plan/report';
import type { Dependencies } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { accessTo, withSession } from '../postgres/session';
import { isOpaque } from '../traffic/prepared-switches';
import { type PreparedSwitch, SwitchRefused } from '../traffic/traffic-switch';
import { type CutOverInput, type CutOverResult, PauseGivenUp } from './cut-over-input';
import { forgetCutover, writeCutover } from './cutover-facts';
import { type Drained, drainUntilStill } from './drain';
import { fenceSql, withoutDroppedRoles } from './fence';
import type { Fence, PauseClock } from './fences/fence';
import { isCutOver } from './is-cut-over';
import { lowerFenceOf } from './lower-fence';
import { holdNeighbours, withPositions } from './neighbours';
import { closeTargetAgain, forgetWayThere, openOldSource } from './open-target';
import { notePause } from './pause-mark';
import { endEarlierAttempt, type PauseSessions } from './pause-sessions';
import { isUnconfirmed, moveTraffic, releaseFences } from './release';
import { Timeline } from './timeline';

/** A third of the heartbeat timeout of the pause: after this, Temporal may be about to begin another attempt. */
const STALE_AFTER_MS = 2_000;

/** What looks at the budget by itself comes first, with a better reason. */
const GRACE_MS = 100;
/** So long a target that does not answer is waited for to close it; the next pause does so in any case. */
const CLOSE_LATE_MS = 60_000;
const CLOSE_AGAIN_MS = 200;
const GIVE_UP = { step: 'unfence', statementTimeoutMs: 2_000 } as const;

/** Everything that one attempt of the pause works with; all of it was opened before writes stop. */
export interface Pause {
  readonly deps: Dependencies;
  readonly input: CutOverInput;
  readonly sessions: PauseSessions;
  readonly switches: readonly PreparedSwitch[];
  /** Every fence but the SQL fence. */
  readonly fences: readonly Fence[];
  readonly context: Context;
}

/** How far the switch is: before it, nothing has happened; while it is under way, only the world knows. */
type Switched = 'not begun' | 'under way' | 'decided';

/** From the first fence to the release. Gives up, with everything as before, as long as nothing is switched. */
export async function pause(pauseOf: Pause): Promise<CutOverResult> {
  const { deps, input, sessions, switches, fences, context } = pauseOf;
  const { first } = sessions;
  await forgetCutover(first.target, input);
  const timeline = new Timeline();
  reportProgress(() => ({ pauseMs: timeline.elapsedMs, done: timeline.steps.map(({ step }) => step) }));
  const clock = new Budget(context, input.plan.cutover.pauseBudgetMs);
  let switched: Switched = 'not begun';
  let recorded = false;
  // A statement that waits for a lock, or for a server that does not answer, knows no budget.
  let cut = false;
  try {
    clock.begin(await notePause(first.source, input), () => {
      if (switched !== 'not begun') return;
      cut = true;
      sessions.cut();
    });
    await raiseFences(pauseOf, timeline, clock);
    const held =
      sessions.neighbours && (await holdNeighbours(input, sessions.pairs, sessions.neighbours, clock.mayGoOn));
    if (held) timeline.done('neighbours stopped');
    const drained = await drainUntilStill(input, sessions, timeline, clock.mayGoOn);
    for (const fence of fences.filter(({ raisedWhen }) => raisedWhen === 'drained')) {
      await fence.raise(clock);
      timeline.done(`fence ${fence.name}`);
    }
    const neighbours = held && (await withPositions(sessions.pairs, held));
    await sessions.holdSnapshots(deps, input.id);
    clock.mayGoOn();
    const facts = () => factsOf(pauseOf, timeline, clock, drained, neighbours);
    const recordingSince = Date.now();
    recorded = true;
    await writeCutover(first.target, input, facts());
    timeline.done('recorded');
    clock.mayGoOn();
    // Another attempt has ended this one's sessions by now if it took this one for dead.
    if (Date.now() - recordingSince > STALE_AFTER_MS)
      throw new PauseGivenUp('this process stood still before the switch');
    if (input.fenceThere) {
      await openOldSource(deps, input, sessions);
      timeline.done('old source opened');
    }
    switched = 'under way';
    const [decisive, ...rest] = switches;
    await decisive?.apply();
    switched = 'decided';
    await moveTraffic(rest);
    timeline.done('switch');
    await releaseFences(fences);
    await forgetWayThere(input, sessions);
    if (fences.length > 0) timeline.done('release');
    return { switched: true, ...facts() };
  } catch (error) {
    if (switched === 'decided' || isUnconfirmed(error)) throw error;
    // The first switch may have failed on its way out or on its way back: only the world knows. When it can't be asked,
    // this throws, the fence stays up, and the next attempt asks again.
    if (mayHaveTakenEffect(input, switched, error) && (await isCutOver(deps, input)))
      throw ApplicationFailure.retryable('the switch took effect, its answer got lost');
    await (cut ? giveUpAnew(pauseOf, recorded, timeline) : giveUp(pauseOf, recorded, timeline));
    return {
      switched: false,
      pauseMs: clock.alreadyMs + timeline.totalMs,
      reason: cut ? clock.ended(timeline.steps) : messageOf(error),
    };
  } finally {
    clock.stop();
  }
}

/**
 * Everything as before. What a switch that can't be read has recorded counts as switched, so the record goes before anybody may
 * write again.
 */
async function giveUp({ deps, input, sessions }: Pause, recorded: boolean, timeline: Timeline): Promise<void> {
  const { source, target } = sessions.first;
  await closeTargetAgain(input, target, sessions.closed);
  if (recorded && isOpaque(input.plan.cutover.traffic)) await forgetCutover(target, input);
  await lowerFenceOf(deps, input, source);
  timeline.done('unfence');
  await forgetCutover(target, input).catch(() => undefined);
}

/**
 * The same by sessions of its own, the source first, since the target may be what did not answer. The server goes on with
 * statements whose session was cut off: these end before the fence comes down, or it might go up behind that.
 */
async function giveUpAnew(
  { deps, input, sessions, context }: Pause,
  recorded: boolean,
  timeline: Timeline,
): Promise<void> {
  const [database] = input.databases;
  if (database === undefined) return;
  const there = async () =>
    withSession(await accessTo(deps, input, 'target'), { ...GIVE_UP, database }, async (target) => {
      await closeTargetAgain(input, target, sessions.closed);
      await forgetCutover(target, input);
    });
  if (recorded && isOpaque(input.plan.cutover.traffic)) await there();
  const access = await accessTo(deps, input, 'source');
  await endEarlierAttempt(input.id, [access]);
  await withSession(access, { ...GIVE_UP, database }, (source) => lowerFenceOf(deps, input, source));
  timeline.done('unfence');
  // Writers are back. What was sent to the target before it fell silent may still be carried out when it wakes, and open it.
  for (const giveUpAt = Date.now() + CLOSE_LATE_MS; Date.now() < giveUpAt; await sleep(CLOSE_AGAIN_MS)) {
    try {
      await endEarlierAttempt(input.id, [await accessTo(deps, input, 'target')]);
      return await there();
    } catch {
      if (context.cancellationSignal.aborted) return;
    }
  }
}

/** A switch that can be read is always asked: an attempt that took over may have made it. */
function mayHaveTakenEffect(input: CutOverInput, switched: Switched, error: unknown): boolean {
  if (error instanceof SwitchRefused) return false;
  return isOpaque(input.plan.cutover.traffic)
    ? switched === 'under way' && input.plan.cutover.traffic.length > 0
    : input.plan.cutover.traffic.length > 0;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The fences of the plan that hold clients, then roles and sessions by SQL. */
async function raiseFences({ input, sessions, fences }: Pause, timeline: Timeline, clock: Budget): Promise<void> {
  for (const fence of fences.filter(({ raisedWhen }) => raisedWhen === 'before')) {
    await fence.raise(clock);
    timeline.done(`fence ${fence.name}`);
    clock.mayGoOn();
  }
  const { source } = sessions.first;
  await source.query(fenceSql(await withoutDroppedRoles(source, input.fence)));
  timeline.done('fence');
}

function factsOf(
  { deps, input, switches, context }: Pause,
  timeline: Timeline,
  clock: Budget,
  drained: Drained,
  neighbours: Neighbours | undefined,
): CutoverFacts {
  return {
    timeline: timeline.steps,
    pauseMs: clock.alreadyMs + timeline.totalMs,
    switchedAt: new Date().toISOString(),
    fenceLsn: drained.fenceLsn,
    wayBackFrom: drained.wayBackFrom,
    fencedRoles: input.fence.roles,
    sequences: drained.sequences,
    traffic: switches.map(({ what, from, to }) => ({ what, from, to })),
    attempts: context.info.attempt,
    ...(neighbours ? { neighbours } : {}),
    ...(drained.carried ? { carried: drained.carried } : {}),
    holder: deps.ownTaskQueue,
    targetSnapshots: drained.targetSnapshots,
  };
}

/** The budget of a pause; time before this attempt counts. */
class Budget implements PauseClock {
  /** How long the fence had been up when this attempt came, in milliseconds. */
  alreadyMs = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly context: Context,
    private readonly budgetMs: number,
  ) {}

  begin(alreadyMs: number, onEnd: () => void): void {
    this.alreadyMs = alreadyMs;
    this.#deadline = Date.now() + this.budgetMs - alreadyMs;
    this.#timer = setTimeout(onEnd, this.remainingMs() + GRACE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The budget ended in the midst of a step. */
  ended(steps: readonly PauseStep[]): string {
    const done = steps.map(({ step }) => step).join(', ') || 'nothing';
    return `the budget of ${this.budgetMs} ms ended while something did not answer, or waited for a lock; done were: ${done}`;
  }

  remainingMs(): number {
    return Math.max(0, this.#deadline - Date.now());
  }

  readonly mayGoOn = (): void => {
    // Superseded by another attempt, or its workflow is gone: this one must not switch.
    if (this.context.cancellationSignal.aborted) {
      throw new PauseGivenUp('Temporal does not wait for this attempt any more');
    }
    if (Date.now() > this.#deadline) throw new PauseGivenUp(`the budget of ${this.budgetMs} ms ended`);
  };
}

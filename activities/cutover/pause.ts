import type { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { renames } from '../../plan/instance-names';
import type { CutoverFacts, Neighbours } from '../../plan/report';
import type { Dependencies } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { isOpaque } from '../traffic/prepared-switches';
import { type PreparedSwitch, SWITCH_UNCONFIRMED, SwitchRefused } from '../traffic/traffic-switch';
import { meetAgain, requireRecord } from './behind-rename';
import { type CutOverInput, type CutOverResult, PauseGivenUp } from './cut-over-input';
import { forgetCutover, writeCutover } from './cutover-facts';
import { type Drained, drainUntilStill } from './drain';
import { fenceSql, withoutDroppedRoles } from './fence';
import type { Fence } from './fences/fence';
import { giveUp } from './give-up';
import { isCutOver } from './is-cut-over';
import { holdNeighbours, withPositions } from './neighbours';
import { forgetWayThere, openOldSource } from './open-target';
import { pointOfNoReturn } from './point-of-no-return';
import { PauseBudget } from './pause-budget';
import { notePause, noteSwitchBegun } from './pause-mark';
import type { PauseSessions } from './pause-sessions';
import { isUnconfirmed, moveTraffic, releaseFences } from './release';
import { Timeline } from './timeline';

/** A third of the heartbeat timeout of the pause: after this, Temporal may be about to begin another attempt. */
const STALE_AFTER_MS = 2_000;

const LOOK_AGAIN_WITHIN_MS = 1_000;

/** Everything that one attempt of the pause works with; all of it was opened before writes stop. */
export interface Pause {
  readonly deps: Dependencies;
  readonly input: CutOverInput;
  readonly sessions: PauseSessions;
  readonly switches: readonly PreparedSwitch[];
  /** Every fence but the SQL fence. */
  readonly fences: readonly Fence[];
  readonly context: Context;
  /** The activity, the same for all its attempts. */
  readonly activity: string;
  /** Right before the point of no return: whoever guards this attempt must not lower the fence unasked any more. */
  readonly pastReturn: () => Promise<void>;
  /** How long the fence has been up, in milliseconds, where this attempt takes a pause over; otherwise 0. */
  readonly earlierMs: number;
}

/** How far the switch is: before it, nothing has happened; while it is under way, only the world knows. */
type Switched = 'not begun' | 'under way' | 'decided';

/** From the first fence to the release. Gives up, with everything as before, as long as nothing is switched. */
export async function pause(pauseOf: Pause): Promise<CutOverResult> {
  const { deps, input, sessions, switches, fences, context, earlierMs } = pauseOf;
  const { first } = sessions;
  if (earlierMs === 0) await forgetCutover(first.target, input);
  const timeline = new Timeline();
  reportProgress(() => ({ pauseMs: timeline.elapsedMs, done: timeline.steps.map(({ step }) => step) }));
  const clock = new PauseBudget(context, input.plan.cutover.pauseBudgetMs);
  let switched: Switched = 'not begun';
  let recorded = false;
  // A statement that waits for a lock, or for a server that does not answer, knows no budget.
  let cut = false;
  let givingUp = false;
  const cutOff = () => {
    if (switched !== 'not begun' && !givingUp) return;
    cut = true;
    sessions.cut();
  };
  try {
    if (earlierMs > 0) {
      clock.begin(earlierMs, cutOff);
      await forgetCutover(first.target, input);
    }
    const { ms, pause: name } = await notePause(first.source, input);
    clock.begin(ms, cutOff);
    await raiseFences(pauseOf, timeline, clock);
    const held =
      sessions.neighbours && (await holdNeighbours(input, sessions.pairs, sessions.neighbours, clock.mayGoOn));
    if (held) timeline.done('neighbours stopped');
    const drained = await drainUntilStill(input, sessions, timeline, clock.mayGoOn);
    const neighbours = held && (await withPositions(sessions.pairs, held));
    if (!renames(input.plan)) await sessions.holdSnapshots(deps, input.id);
    clock.mayGoOn();
    const facts = () => factsOf(pauseOf, timeline, clock, drained, neighbours);
    const recordingSince = Date.now();
    recorded = true;
    const noReturn = pointOfNoReturn(input.plan.cutover.traffic);
    if (noReturn === 'record') await pauseOf.pastReturn();
    // Side by side: whoever takes over from here on goes forward by this record, and so needs to know of it on both sides.
    await Promise.all([
      writeCutover(first.target, input, { ...facts(), pause: name }),
      noteSwitchBegun(first.source, input),
      lookAgain(switches[0]),
    ]);
    timeline.done('recorded');
    clock.mayGoOn();
    // Another attempt has ended this one's sessions by now if it took this one for dead.
    if (Date.now() - recordingSince > STALE_AFTER_MS)
      throw new PauseGivenUp('this process stood still before the switch');
    if (input.fenceThere) {
      await openOldSource(deps, input, sessions);
      timeline.done('old source opened');
    }
    // A watchdog of the cutover that is still there would bring that renaming to its end again. The reboots end this session.
    if (renames(input.plan)) await forgetWayThere(input, sessions);
    if (noReturn === 'first switch') await pauseOf.pastReturn();
    switched = 'under way';
    const [decisive, ...rest] = switches;
    // FROM HERE ON a request may be under way. Nothing is given up before it is known to have had no effect.
    await decisive?.apply({
      mayGoOn: clock.mayGoOn,
      isRecorded: () => requireRecord(deps, input),
      waiting: (waitingFor) => reportProgress(() => ({ pauseMs: timeline.elapsedMs, waitingFor })),
    });
    switched = 'decided';
    if (renames(input.plan)) await meetAgain(deps, input);
    await moveTraffic(rest);
    timeline.done('switch');
    await releaseFences(fences);
    if (!renames(input.plan)) await forgetWayThere(input, sessions);
    if (fences.length > 0) timeline.done('release');
    return { switched: true, ...facts() };
  } catch (error) {
    if (switched === 'decided' || isUnconfirmed(error)) throw error;
    if (switched === 'under way' && !(error instanceof SwitchRefused)) {
      throw ApplicationFailure.retryable(
        `Nobody knows yet whether traffic is switched, so the fence stays up: ${messageOf(error)}`,
        SWITCH_UNCONFIRMED,
      );
    }
    // When it can't be asked, this throws, the fence stays up, and the next attempt asks again.
    if (mayHaveBeenMade(pauseOf, switched) && (await isCutOver(deps, input)))
      throw ApplicationFailure.retryable('the switch took effect, its answer got lost');
    givingUp = true;
    if (!cut) clock.hurry(cutOff);
    const reason = cut ? clock.ended(timeline.steps) : messageOf(error);
    const pauseMs = await giveUp({ ...pauseOf, clock, timeline, reason, recorded, isCut: () => cut });
    return { switched: false, pauseMs, reason };
  } finally {
    clock.stop();
  }
}

/**
 * Somebody may have changed since the pause was prepared what the switch is going to rewrite. Side by side with the record, so that the
 * pause is no longer for it; a store that does not answer is not waited for: what its versions say after the write is looked at in any case.
 */
async function lookAgain(decisive: PreparedSwitch | undefined): Promise<void> {
  try {
    await decisive?.lookAgain?.({ abortSignal: AbortSignal.timeout(LOOK_AGAIN_WITHIN_MS) });
  } catch (error) {
    if (error instanceof ApplicationFailure) throw error;
  }
}

/**
 * A switch that can be read is asked: an attempt before this one may have made it. One behind it can't without having ended the session
 * by which this one gives up.
 */
function mayHaveBeenMade({ input, context }: Pause, switched: Switched): boolean {
  const { traffic } = input.plan.cutover;
  return switched === 'not begun' && context.info.attempt > 1 && traffic.length > 0 && !isOpaque(traffic);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The fences of the plan that hold clients, then roles and sessions by SQL. */
async function raiseFences({ input, sessions, fences }: Pause, timeline: Timeline, clock: PauseBudget): Promise<void> {
  for (const fence of fences) {
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
  clock: PauseBudget,
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
    ...(renames(input.plan) ? {} : { holder: deps.ownTaskQueue }),
    targetSnapshots: drained.targetSnapshots,
    sourceSnapshots: drained.sourceSnapshots,
  };
}

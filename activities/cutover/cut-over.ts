import { Context } from '@temporalio/activity';
import { finalFailure } from '../../plan/failures';
import type { CutoverFacts } from '../../plan/report';
import type { Dependencies } from '../dependencies';
import { accessTo, withSession } from '../postgres/session';
import { isOpaque, preparedSwitches } from '../traffic/prepared-switches';
import type { PreparedSwitch } from '../traffic/traffic-switch';
import type { CutOverInput, CutOverResult } from './cut-over-input';
import { readCutover } from './cutover-facts';
import { closeFences, openFences } from './fence-set';
import type { Fence } from './fences/fence';
import { isCutOver } from './is-cut-over';
import { lowerFenceOf } from './lower-fence';
import { forgetWayThere, openOldSource } from './open-target';
import { type Pause, pause } from './pause';
import { endOf, noteEnd, pausedFor } from './pause-mark';
import { openPauseSessions, type PauseSessions } from './pause-sessions';
import { moveTraffic, releaseFences } from './release';

/**
 * The pause: fence writes, drain, sequences, switch traffic. One activity, since every round trip to the server in it is
 * downtime. Before the switch it can be given up at any time without loss: budget, an error. After the
 * switch it only goes forward. It may be killed at any point: the next attempt, in any process, reads from the databases
 * how far it went. The way back is the same in the other direction.
 */
export async function cutOver(deps: Dependencies, input: CutOverInput): Promise<CutOverResult> {
  const context = Context.current();
  const activity = `${context.info.workflowExecution?.runId ?? ''}/${context.info.activityId}`;
  const earlierPause = await lookAtEarlierPause(deps, input, activity);
  if ('ended' in earlierPause) return earlierPause.ended;
  const watchdog = deps.startWatchdog();
  let attempt: 'failed' | 'done' = 'failed';
  try {
    const result = await attend(deps, input, context, (sessions) =>
      watchdog.guard({ input, activity, pids: sessions.pids, alreadyMs: earlierPause.ms }),
    );
    attempt = 'done';
    return result;
  } finally {
    watchdog[attempt]();
  }
}

/** One attempt; `guarded` is called when nothing is missing but the pause itself. */
async function attend(
  deps: Dependencies,
  input: CutOverInput,
  context: Context,
  guarded: (sessions: PauseSessions) => Promise<void>,
): Promise<CutOverResult> {
  const sessions = await openPauseSessions(deps, input);
  let switches: readonly PreparedSwitch[] = [];
  let fences: readonly Fence[] = [];
  let keepOpen = false;
  try {
    const place = { deps, ref: input, from: sessions.sourceEndpoint, to: sessions.targetEndpoint };
    switches = await preparedSwitches(place);
    const earlier = await readCutover(sessions.first.target, input);
    if (!earlier && switches.some(({ done }) => done)) {
      throw finalFailure(
        'AlreadySwitched',
        'A traffic switch points at the target, but no pause of this migration is recorded there: somebody switched by hand. Put the endpoint of the source back into it, then send retry.',
      );
    }
    fences = await openFences(deps, input, input);
    await guarded(sessions);
    const pauseOf: Pause = { deps, input, sessions, switches, fences, context };
    if (earlier && (isOpaque(input.plan.cutover.traffic) || switches.some(({ done }) => done))) {
      return await rollForward(pauseOf, { ...earlier, attempts: context.info.attempt });
    }
    const result = await pause(pauseOf);
    keepOpen = result.switched;
    return result;
  } finally {
    await closeFences(fences);
    await Promise.allSettled(switches.map(async (one) => one.close?.()));
    await sessions.close({ keepSnapshots: keepOpen });
  }
}

/**
 * A fence that an earlier attempt left up for longer than the budget comes down first of all. That needs the source only:
 * the target may be the reason why the pause did not end. One that the watchdog took down stays down: another pause needs another
 * approval.
 */
async function lookAtEarlierPause(
  deps: Dependencies,
  input: CutOverInput,
  activity: string,
): Promise<{ ended: CutOverResult } | { ms: number }> {
  const [database] = input.databases;
  if (database === undefined) throw new Error('no database to cut over');
  const access = await accessTo(deps, input, 'source');
  return withSession(access, { step: 'pause-budget', database }, async (source) => {
    const ms = await pausedFor(source, input);
    const ended = await endOf(source, input, activity);
    const isOverdue = ms !== undefined && ms > input.plan.cutover.pauseBudgetMs;
    if ((!isOverdue && !ended) || (await isCutOver(deps, input))) return { ms: ms ?? 0 };
    const pauseMs = Math.round(ms ?? ended?.pauseMs ?? 0);
    await noteEnd(source, input, { activity, pauseMs });
    await lowerFenceOf(deps, input, source);
    const reason = 'the budget ended while no worker attended to the pause';
    return { ended: { switched: false, pauseMs, reason } };
  });
}

/** An attempt before this one died behind the switch: finish what it left. */
async function rollForward(
  { deps, input, sessions, switches, fences }: Pause,
  facts: CutoverFacts,
): Promise<CutOverResult> {
  await openOldSource(deps, input, sessions);
  await moveTraffic(switches);
  await releaseFences(fences);
  await forgetWayThere(input, sessions);
  const { holder: _gone, ...rest } = facts;
  return { switched: true, ...rest };
}

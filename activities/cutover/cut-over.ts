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
import { pausedFor } from './pause-mark';
import { openPauseSessions } from './pause-sessions';
import { moveTraffic, releaseFences } from './release';

/**
 * The pause: fence writes, drain, sequences, switch traffic. One activity, since every round trip to the server in it is
 * downtime. Before the switch it can be given up at any time without loss: budget, an error. After the
 * switch it only goes forward. It may be killed at any point: the next attempt, in any process, reads from the databases
 * how far it went. The way back is the same in the other direction.
 */
export async function cutOver(deps: Dependencies, input: CutOverInput): Promise<CutOverResult> {
  const context = Context.current();
  const overdue = await endOverduePause(deps, input);
  if (overdue) return overdue;
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
 * the target may be the reason why the pause did not end.
 */
async function endOverduePause(deps: Dependencies, input: CutOverInput): Promise<CutOverResult | undefined> {
  const [database] = input.databases;
  if (database === undefined) throw new Error('no database to cut over');
  const access = await accessTo(deps, input, 'source');
  return withSession(access, { step: 'pause-budget', database }, async (source) => {
    const ms = await pausedFor(source, input);
    if (ms === undefined || ms <= input.plan.cutover.pauseBudgetMs || (await isCutOver(deps, input))) return undefined;
    await lowerFenceOf(deps, input, source);
    return {
      switched: false,
      pauseMs: Math.round(ms),
      reason: 'the budget ended while no worker attended to the pause',
    };
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

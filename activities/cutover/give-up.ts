import { setTimeout as sleep } from 'node:timers/promises';
import { accessTo, pidOf, queryRows, type Session, withSession } from '../postgres/session';
import { isOpaque } from '../traffic/prepared-switches';
import { forgetCutover } from './cutover-facts';
import { lowerFenceOf } from './lower-fence';
import { closeTargetAgain } from './open-target';
import type { Pause } from './pause';
import { endEarlierAttempt, GIVE_UP_TIMEOUT_MS, type PauseSessions } from './pause-sessions';
import type { Timeline } from './timeline';

/** So long a target that does not answer is waited for to close it; the next pause does so in any case. */
const CLOSE_LATE_MS = 60_000;
const CLOSE_AGAIN_MS = 200;
/** Between two looks whether they have ended. */
const END_LOOK_MS = 5;

/**
 * Everything as before. What a switch that can't be read has recorded counts as switched, so the record goes before anybody may
 * write again. Where the attempt was cut off, the target may be what did not answer: it is closed once writers are back.
 * @throws Error when the session that was kept for this is gone: then another attempt has taken over, or the source failed over, and the
 * next attempt looks at the world anew
 */
export async function giveUp(
  pauseOf: Pause,
  recorded: boolean,
  timeline: Timeline,
  isCut: () => boolean,
): Promise<void> {
  const { deps, input, sessions, context } = pauseOf;
  const { target } = sessions.first;
  await closeTargetAgain(input, target, sessions.closed);
  if (recorded && isOpaque(input.plan.cutover.traffic))
    await (isCut() ? onTarget(pauseOf, (anew) => forgetCutover(anew, input)) : forgetCutover(target, input));
  if (isCut()) await endStatements(sessions);
  await lowerFenceOf(deps, input, sessions.spare);
  timeline.done('unfence');
  if (!isCut()) {
    await forgetCutover(target, input).catch(() => undefined);
    return;
  }
  // What was sent to the target before it fell silent may still be carried out when it wakes, and open it.
  for (const giveUpAt = Date.now() + CLOSE_LATE_MS; Date.now() < giveUpAt; await sleep(CLOSE_AGAIN_MS)) {
    try {
      await endEarlierAttempt(input.id, [await accessTo(deps, input, 'target')]);
      return await onTarget(pauseOf, async (anew) => {
        await closeTargetAgain(input, anew, sessions.closed);
        await forgetCutover(anew, input);
      });
    } catch {
      if (context.cancellationSignal.aborted) return;
    }
  }
}

async function onTarget({ deps, input }: Pause, work: (target: Session) => Promise<void>): Promise<void> {
  const [database] = input.databases;
  if (database === undefined) return;
  const options = { step: 'unfence', database, statementTimeoutMs: GIVE_UP_TIMEOUT_MS };
  await withSession(await accessTo(deps, input, 'target'), options, work);
}

/**
 * The source goes on with statements whose session was cut off: these end before the fence comes down, or it might go up behind
 * that.
 */
async function endStatements({ pids, spare }: PauseSessions): Promise<void> {
  const others = pids.filter((pid) => pid !== pidOf(spare));
  for (;;) {
    const alive = await queryRows(
      spare,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY ($1::integer[])',
      [others],
    );
    if (alive.length === 0) return;
    await sleep(END_LOOK_MS);
  }
}

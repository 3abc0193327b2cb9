import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationRef } from '../dependencies';
import { endSessionsOf } from '../postgres/ours';
import { accessTo, pidOf, type Session, withSession } from '../postgres/session';
import { isOpaque } from '../traffic/prepared-switches';
import { forgetCutover } from './cutover-facts';
import { lowerFenceOf } from './lower-fence';
import { closeTargetAgain } from './open-target';
import type { Pause } from './pause';
import type { PauseBudget } from './pause-budget';
import { noteEnd, pausedFor } from './pause-mark';
import { endEarlierAttempt, GIVE_UP_TIMEOUT_MS, type PauseSessions } from './pause-sessions';
import type { Timeline } from './timeline';

/** So long a target that does not answer is waited for to close it; the next pause does so in any case. */
const CLOSE_LATE_MS = 60_000;
const CLOSE_AGAIN_MS = 200;

/** A pause that is given up. */
export interface GivenUp extends Pause {
  readonly clock: PauseBudget;
  readonly timeline: Timeline;
  /** For the notices, and for an attempt that comes later. */
  readonly reason: string;
  /** Whether the pause may be recorded on the target. */
  readonly recorded: boolean;
  /** Whether the sessions of the attempt have been cut off by now. */
  readonly isCut: () => boolean;
}

/**
 * Everything as before. What a switch that can't be read has recorded counts as switched, so the record goes before anybody may
 * write again. Where the attempt was cut off, the target may be what did not answer: it is closed once writers are back.
 * @returns how long writes were stopped, in milliseconds
 * @throws Error when the session that was kept for this is gone: then another attempt has taken over, or the source failed over, and the
 * next attempt looks at the world anew
 */
export async function giveUp(pauseOf: GivenUp): Promise<number> {
  const { deps, input, sessions, activity, clock, timeline, reason, recorded, isCut } = pauseOf;
  const { target } = sessions.first;
  // Before anything else is undone: a record says that everything is ready for the switch, and whoever finds it goes forward.
  if (recorded) await forgetRecord(pauseOf);
  await closeTargetAgain(input, target, sessions);
  if (isCut()) await endStatements(sessions);
  // An attempt of the same activity that comes later must not begin another pause.
  await noteEnd(sessions.spare, input, { activity, pauseMs: clock.alreadyMs + timeline.elapsedMs, reason });
  await lowerFenceOf(deps, input, sessions.spare);
  timeline.done('unfence');
  const pauseMs = clock.alreadyMs + timeline.totalMs;
  if (isCut()) await closeLate(pauseOf);
  else await forgetCutover(target, input).catch(() => undefined);
  return pauseMs;
}

/** What a switch that can't be read has recorded counts as switched, so there it has to go. Elsewhere it counts only while its fence is up. */
async function forgetRecord(pauseOf: GivenUp): Promise<void> {
  const { input, sessions, isCut } = pauseOf;
  const forgetting = () =>
    isCut() ? onTarget(pauseOf, (anew) => forgetCutover(anew, input)) : forgetCutover(sessions.first.target, input);
  if (isOpaque(input.plan.cutover.traffic)) await forgetting();
  else if (!isCut()) await forgetting().catch(() => undefined);
}

/** What was sent to the target before it fell silent may still be carried out when it wakes, and open it. */
async function closeLate(pauseOf: Pause): Promise<void> {
  const { deps, input, sessions, context } = pauseOf;
  for (const giveUpAt = Date.now() + CLOSE_LATE_MS; Date.now() < giveUpAt; await sleep(CLOSE_AGAIN_MS)) {
    if (context.cancellationSignal.aborted || !(await isStillOurs(sessions.spare, input))) return;
    try {
      await endEarlierAttempt(input.id, [await accessTo(deps, input, 'target')]);
      return await onTarget(pauseOf, async (anew) => {
        await closeTargetAgain(input, anew, sessions);
        await forgetCutover(anew, input);
      });
    } catch {
      // It does not answer yet.
    }
  }
}

/** Whoever begins another pause ends this session first. */
async function isStillOurs(spare: Session, ref: MigrationRef): Promise<boolean> {
  try {
    return (await pausedFor(spare, ref)) === undefined;
  } catch {
    return false;
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
async function endStatements({ ours, spare }: PauseSessions): Promise<void> {
  await endSessionsOf(
    spare,
    ours.source.filter(({ pid }) => pid !== pidOf(spare)),
  );
}

import { setTimeout as sleep } from 'node:timers/promises';
import { applicationName, applicationNamePrefix } from '../../../plan/names';
import { renames } from '../../../plan/instance-names';
import type { Dependencies } from '../../dependencies';
import { endSessionsFor, endSessionsOf, isOneOf, ourSession, parametersOf } from '../../postgres/ours';
import { accessTo, queryRows, type Session, withSession } from '../../postgres/session';
import { presentNames } from '../../rds/present-names';
import { finishRenaming, isRenaming } from '../behind-rename';
import { isCutOver, isCutOverForSure } from '../is-cut-over';
import { lowerFenceOf } from '../lower-fence';
import { pausedFor, presentPause, UNATTENDED, WORKER_ENDED } from '../pause-mark';
import { endAsOwner, ownerOf } from '../pause-owner';
import { pointOfNoReturn } from '../point-of-no-return';
import { closeTargetLater, endOnTarget, goForwardAnew, releaseHeld } from './other-side';
import type { WatchOrder } from './watchdog';

/** What became of a pause that nobody attended to. */
export type Ended = 'was down' | 'another attempt' | 'lowered' | 'released';

/** Another attempt that is under way gets this long: the longest time that one request of it may take, with the SDK's retries. */
const OTHERS_MS = 90_000;
const LOOK_EVERY_MS = 200;
/** Word of a worker comes once in a while, and a statement that it sent may be carried out after its end. */
const LAST_STATEMENT_MS = 10_000;

/** Whether the fence is up. */
export async function isPaused(deps: Dependencies, order: WatchOrder): Promise<boolean> {
  const input = await presentNames(deps, order.input);
  return onSource(deps, input, async (source) => (await pausedFor(source, input)) !== undefined);
}

/**
 * Ends a pause whose worker has ended this moment, without waiting for the budget. Before the point of no return everything is as before
 * the pause; after it the world is asked, and the switch is finished where it was made. May run twice. As soon as another attempt owns the
 * pause, nothing is done: that one has a watchdog of its own.
 * @param pastReturn whether the worker had come to the point of no return
 */
export async function endOrphanedPause(deps: Dependencies, given: WatchOrder, pastReturn: boolean): Promise<Ended> {
  const order = { ...given, input: await presentNames(deps, given.input) };
  const { input } = order;
  if (renames(input.plan) && (await isRenaming(deps, input))) return goForward(deps, order);
  return onSource(deps, input, async (source) => {
    if ((await ownerOf(source, input)) !== order.owner) return 'another attempt';
    // What the worker sent last is carried out, or ended: from here on nothing of it changes what is read.
    await endSessionsOf(source, order.sessions.source);
    if (pastReturn || order.mayBeSwitched) {
      // Where the record on the target stands for the switch, one that is under way must not come later than the question.
      if (pointOfNoReturn(input.plan.cutover.traffic) === 'record') await endOnTarget(deps, order);
      if (await finishBegun(deps, source, order)) return 'released';
      if (await isCutOverForSure(deps, input, source)) return goForward(deps, order);
    }
    return lower(deps, source, order, { owner: order.owner, reason: WORKER_ENDED });
  });
}

/**
 * Ends a pause whose budget is over and whose worker says nothing any more, as an attempt after it would: asks the world whether traffic is
 * switched. If so, the switch is finished, and nothing is undone; otherwise everything is as before the pause. May run twice, and beside an
 * attempt that has taken over: that one is left alone. So is a fence that went up when the worker had been gone
 * for long: that is another pause, which somebody else guards.
 * @param silentMs since the worker was last heard of, in milliseconds
 */
export async function endPause(deps: Dependencies, given: WatchOrder, silentMs: number): Promise<Ended> {
  const order = { ...given, input: await presentNames(deps, given.input) };
  const { input } = order;
  // Between the two names there is nothing that clients could be let go on to.
  if (renames(input.plan) && (await isRenaming(deps, input))) return goForward(deps, order);
  return onSource(deps, input, async (source) => {
    const pausedMs = await pausedFor(source, input);
    if (pausedMs === undefined) return 'was down';
    if (pausedMs < silentMs - LAST_STATEMENT_MS) return 'another attempt';
    const owner = await ownerOf(source, input);
    if (owner !== order.owner && !(await othersEnded(source, order))) return 'another attempt';
    if (await isCutOver(deps, input)) return goForward(deps, order);
    // A worker of an older version owns nothing.
    await othersEnded(source, order);
    await endSessionsFor(source, input.id, ['pause']);
    if (await finishBegun(deps, source, order)) return 'released';
    if (await isCutOverForSure(deps, input, source)) return goForward(deps, order);
    return lower(deps, source, order, { owner, reason: UNATTENDED });
  });
}

async function onSource<T>(
  deps: Dependencies,
  input: WatchOrder['input'],
  work: (source: Session) => Promise<T>,
): Promise<T> {
  const [database] = input.databases;
  if (database === undefined) throw new Error('no database to cut over');
  return withSession(await accessTo(deps, input, 'source'), { step: 'watchdog', database }, work);
}

async function goForward(deps: Dependencies, order: WatchOrder): Promise<Ended> {
  const input = renames(order.input.plan) ? await finishRenaming(deps, order.input) : order.input;
  if (!(await goForwardAnew(deps, input))) await releaseHeld(deps, input);
  return 'released';
}

/**
 * Where the attempt had begun with the switch, that is finished by what it recorded, rather than waited for until it is known whether it was
 * made. Its process is gone: what it sent may still arrive, and says the same.
 * @returns false when it had not begun, or can't be finished: then the world is asked
 */
async function finishBegun(deps: Dependencies, source: Session, { input }: WatchOrder): Promise<boolean> {
  if ((await presentPause(source, input))?.switchBegunMs === undefined) return false;
  return goForwardAnew(deps, input).catch(() => false);
}

/** Decided by one record: from its commit on no attempt of this activity begins another pause, and without it nothing is lowered. */
async function lower(
  deps: Dependencies,
  source: Session,
  order: WatchOrder,
  { owner, reason }: { readonly owner: string | undefined; readonly reason: string },
): Promise<Ended> {
  const { input, activity } = order;
  const ms = await pausedFor(source, input);
  if (ms === undefined) return 'was down';
  if (!(await endAsOwner(source, input, owner, { activity, pauseMs: Math.round(ms), reason })))
    return 'another attempt';
  await lowerFenceOf(deps, input, source);
  await closeTargetLater(deps, order, source);
  return 'lowered';
}

/** Whether no other attempt has sessions: one that has taken over has some of the same name, and is waited for. */
async function othersEnded(source: Session, { input, sessions }: WatchOrder): Promise<boolean> {
  const parameters = [
    applicationNamePrefix(input.id),
    applicationName(input.id, 'pause'),
    ...parametersOf(sessions.source),
  ];
  for (const deadline = Date.now() + OTHERS_MS; Date.now() < deadline; await sleep(LOOK_EVERY_MS)) {
    const others = await queryRows(
      source,
      `SELECT 1 FROM pg_stat_activity WHERE ${ourSession('$1')} AND application_name = $2 AND NOT ${isOneOf('$3', '$4')}`,
      parameters,
    );
    if (others.length === 0 || (await pausedFor(source, input)) === undefined) return true;
  }
  return false;
}

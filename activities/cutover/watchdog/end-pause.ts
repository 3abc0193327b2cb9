import { setTimeout as sleep } from 'node:timers/promises';
import { applicationName } from '../../../plan/names';
import { renames } from '../../../plan/instance-names';
import type { Dependencies } from '../../dependencies';
import { accessTo, queryRows, type Session, withSession } from '../../postgres/session';
import { presentNames } from '../../rds/present-names';
import { finishRenaming, isRenaming } from '../behind-rename';
import { closeFences, openFences } from '../fence-set';
import { isCutOverForSure } from '../is-cut-over';
import { lowerFenceOf } from '../lower-fence';
import { noteEnd, pausedFor, UNATTENDED } from '../pause-mark';
import { releaseFences } from '../release';
import type { WatchOrder } from './watchdog';

/** What became of a pause that nobody attended to. */
export type Ended = 'was down' | 'another pause' | 'lowered' | 'released';

/** Another attempt that is under way gets this long: the longest time that one request of it may take, with the SDK's retries. */
const OTHERS_MS = 90_000;
const LOOK_EVERY_MS = 200;
/** Word of a worker comes once in a while, and a statement that it sent may be carried out behind its end. */
const LAST_STATEMENT_MS = 10_000;

/** Whether the fence is up. */
export async function isPaused(deps: Dependencies, order: WatchOrder): Promise<boolean> {
  const input = await presentNames(deps, order.input);
  return onSource(deps, input, async (source) => (await pausedFor(source, input)) !== undefined);
}

/**
 * Ends a pause whose worker is gone, as an attempt after it would: asks the world whether traffic is switched. If so, clients are let
 * go on, on the target, and nothing is undone; otherwise everything is as before the pause. May run twice, and beside an attempt that
 * has taken over: that one is left alone as long as it may still be alive. So is a fence that went up when the worker had been gone
 * for long: that is another pause, which somebody else guards.
 * @param silentMs since the worker was last heard of, in milliseconds
 */
export async function endPause(deps: Dependencies, given: WatchOrder, silentMs: number): Promise<Ended> {
  const order = { ...given, input: await presentNames(deps, given.input) };
  const { input } = order;
  // Between the two names there is nothing that clients could be let go on to.
  if (renames(input.plan) && (await isRenaming(deps, input))) {
    return release(deps, { ...order, input: await finishRenaming(deps, input) });
  }
  return onSource(deps, input, async (source) => {
    const pausedMs = await pausedFor(source, input);
    if (pausedMs === undefined) return 'was down';
    if (pausedMs < silentMs - LAST_STATEMENT_MS) return 'another pause';
    if (await isCutOverForSure(deps, input)) return release(deps, order);
    await untilOthersEnded(source, order);
    await endSessions(source, order);
    const ms = await pausedFor(source, input);
    if (ms === undefined) return 'was down';
    if (await isCutOverForSure(deps, input)) return release(deps, order);
    await noteEnd(source, input, { activity: order.activity, pauseMs: Math.round(ms), reason: UNATTENDED });
    await lowerFenceOf(deps, input, source);
    return 'lowered';
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

async function release(deps: Dependencies, { input }: WatchOrder): Promise<Ended> {
  const fences = await openFences(deps, input, input);
  try {
    await releaseFences(fences);
    return 'released';
  } finally {
    await closeFences(fences);
  }
}

/** An attempt that has taken over has sessions of the same name; its own watchdog sees to it. */
async function untilOthersEnded(source: Session, { input, pids }: WatchOrder): Promise<void> {
  for (const deadline = Date.now() + OTHERS_MS; Date.now() < deadline; await sleep(LOOK_EVERY_MS)) {
    const others = await queryRows(
      source,
      'SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND pid <> ALL ($2::integer[])',
      [applicationName(input.id, 'pause'), pids],
    );
    if (others.length === 0 || (await pausedFor(source, input)) === undefined) return;
  }
}

/** Without its sessions an attempt can neither take down the fence nor record a cutover, so it can't switch either. */
async function endSessions(source: Session, { input }: WatchOrder): Promise<void> {
  await source.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
    applicationName(input.id, 'pause'),
  ]);
}

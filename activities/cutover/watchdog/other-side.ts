import { setTimeout as sleep } from 'node:timers/promises';
import type { Dependencies } from '../../dependencies';
import { endSessionsOf } from '../../postgres/ours';
import { type Access, accessTo, endSession, openSession, type Session, withSession } from '../../postgres/session';
import { closedDatabases } from '../../quarantine/read-only';
import { preparedSwitches } from '../../traffic/prepared-switches';
import type { PreparedSwitch } from '../../traffic/traffic-switch';
import type { CutOverInput } from '../cut-over-input';
import { forgetCutover, readCutover, writeCutover } from '../cutover-facts';
import { closeFences, openFences } from '../fence-set';
import { closeSwitches, goForward, isOfPause } from '../go-forward';
import { lastSentMs } from '../is-cut-over';
import { closeTargetAgain } from '../open-target';
import { presentPause } from '../pause-mark';
import { ENDED, ownerOf } from '../pause-owner';
import { releaseFences } from '../release';
import type { WatchOrder } from './watchdog';

/** So long a target that does not answer is waited for to close it; the next pause does so in any case. */
const CLOSE_LATE_MS = 60_000;
const CLOSE_AGAIN_MS = 200;
/** A statement that waits for longer than this is tried again. */
const STATEMENT_TIMEOUT_MS = 2_000;

/** Ends what the attempt has open on the target, and waits until it is gone. */
export async function endOnTarget(deps: Dependencies, { input, sessions }: WatchOrder): Promise<void> {
  await onTarget(deps, input, (target) => endSessionsOf(target, sessions.target));
}

/**
 * Nobody is to write on the target again: the pause may have opened it. Once writers are back on the source, since the target may be what
 * does not answer; not any more once another pause has begun.
 */
export async function closeTargetLater(deps: Dependencies, order: WatchOrder, source: Session): Promise<void> {
  const { input } = order;
  for (const giveUpAt = Date.now() + CLOSE_LATE_MS; Date.now() < giveUpAt; await sleep(CLOSE_AGAIN_MS)) {
    if ((await ownerOf(source, input).catch(() => undefined)) !== ENDED) return;
    try {
      return await onTarget(deps, input, async (target) => {
        await endSessionsOf(target, order.sessions.target);
        await closeTargetAgain(input, target, {
          closed: await closedDatabases(target, input.id),
          ours: { target: [] },
        });
        await forgetCutover(target, input);
      });
    } catch {
      // It does not answer yet.
    }
  }
}

/**
 * Finishes a pause whose switch was made, or had begun, as the next attempt would, and notes that it did.
 * @returns false when no attempt recorded that it was ready for the switch: then none was begun
 * @throws SwitchRefused when the switch did not take effect and never will
 */
export async function goForwardAnew(deps: Dependencies, input: CutOverInput): Promise<boolean> {
  const [there, here] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const opened: Session[] = [];
  let switches: readonly PreparedSwitch[] = [];
  const open = async (access: Access) => {
    const session = await openSession(access, { step: 'watchdog', database: input.databases[0] ?? '' });
    opened.push(session);
    return session;
  };
  const fences = await openFences(deps, input, input);
  try {
    const first = { source: await open(there), target: await open(here) };
    switches = await preparedSwitches({ deps, ref: input, from: there.endpoint, to: here.endpoint });
    const [pause, record] = [await presentPause(first.source, input), await readCutover(first.target, input)];
    if (!record || !(isOfPause(record, pause) || switches.some(({ done }) => done))) return false;
    const lookedAt = performance.now();
    const msNow = () => Math.round((pause?.ms ?? 0) + performance.now() - lookedAt);
    const sides = { first, closed: await closedDatabases(first.target, input.id), ours: { target: [] } };
    const sentSince = Date.now() - (lastSentMs(input, pause) ?? 0);
    await goForward({ deps, input, sides, switches, fences, record, msNow }, { sentSince });
    const facts = await readCutover(first.target, input);
    if (facts) await writeCutover(first.target, input, { ...facts, finishedBy: 'watchdog' });
    return true;
  } finally {
    await closeFences(fences);
    await Promise.allSettled([closeSwitches(switches), ...opened.map(endSession)]);
  }
}

/** Where somebody switched by hand, there is no record to go forward by: clients go on to where the switches say, the SQL fence stays. */
export async function releaseHeld(deps: Dependencies, input: CutOverInput): Promise<void> {
  const fences = await openFences(deps, input, input);
  try {
    await releaseFences(fences);
  } finally {
    await closeFences(fences);
  }
}

async function onTarget(
  deps: Dependencies,
  input: CutOverInput,
  work: (target: Session) => Promise<void>,
): Promise<void> {
  const [database] = input.databases;
  if (database === undefined) throw new Error('no database to cut over');
  const options = { step: 'unfence', database, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  await withSession(await accessTo(deps, input, 'target'), options, work);
}

import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import { renames } from '../../plan/instance-names';
import type { Dependencies } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { accessTo, withSession } from '../postgres/session';
import { preparedSwitches } from '../traffic/prepared-switches';
import { type PreparedSwitch, SwitchRefused } from '../traffic/traffic-switch';
import { finishRenaming, isRenaming } from './behind-rename';
import type { CutOverInput, CutOverResult } from './cut-over-input';
import { type CutoverRecord, readCutover } from './cutover-facts';
import { closeFences, openFences } from './fence-set';
import type { Fence } from './fences/fence';
import { giveUp } from './give-up';
import { closeSwitches, goForward, isOfPause } from './go-forward';
import { isCutOverForSure, lastSentMs, mayStillSwitch } from './is-cut-over';
import { lowerFenceOf } from './lower-fence';
import { type Pause, pause } from './pause';
import { PauseBudget } from './pause-budget';
import { endOf, noteEnd, type PresentPause, presentPause, UNATTENDED } from './pause-mark';
import { takePause } from './pause-owner';
import { endEarlierAttempt, openPauseSessions, type PauseSessions } from './pause-sessions';
import { Timeline } from './timeline';

/**
 * The pause: fence writes, drain, sequences, switch traffic. One activity, since every round trip to the server in it is
 * downtime. Before the switch it can be given up at any time without loss: budget, an error. After the
 * switch it only goes forward. It may be killed at any point: the next attempt, in any process, reads from the databases
 * how far it went. The way back is the same in the other direction.
 */
export async function cutOver(deps: Dependencies, given: CutOverInput): Promise<CutOverResult> {
  const context = Context.current();
  const activity = `${context.info.workflowExecution?.runId ?? ''}/${context.info.activityId}`;
  const input = await finishRenaming(deps, given);
  const earlierPause = await lookAtEarlierPause(deps, input, activity);
  if ('ended' in earlierPause) return earlierPause.ended;
  const owner = randomUUID();
  const watchdog = deps.startWatchdog();
  let attempt: 'failed' | 'done' = 'failed';
  try {
    const late = new AbortController();
    const guarded = async (): Promise<Prepared | undefined> => {
      const prepared = await prepare(deps, input, late.signal);
      try {
        late.signal.throwIfAborted();
        const alreadyMs = earlierPause.msNow();
        await watchdog.guard({
          input,
          activity,
          owner,
          sessions: prepared.sessions.ours,
          mayBeSwitched: alreadyMs > 0 || context.info.attempt > 1,
          alreadyMs,
        });
        // Under guard by now: until here the watchdog of the attempt before this one may have ended the pause.
        const ended = await takePause(prepared.sessions.first.source, input, { owner, activity });
        if (!ended || earlierPause.isSwitched) return prepared;
      } catch (error) {
        await close(prepared);
        throw error;
      }
      await close(prepared);
      return undefined;
    };
    const prepared = await inTime(guarded(), earlierPause.remainingMs, late, close);
    if (!prepared) return await endOverdue(deps, input, activity);
    const pastReturn = () => watchdog.pastReturn();
    const earlierMs = earlierPause.msNow();
    const result = await attend({ deps, input, context, activity, earlierMs, pastReturn }, prepared, earlierPause);
    attempt = 'done';
    return result;
  } finally {
    watchdog[attempt]();
  }
}

/** Everything that an attempt connects and reads before it stops writes. */
interface Prepared {
  readonly sessions: PauseSessions;
  readonly switches: readonly PreparedSwitch[];
  readonly fences: readonly Fence[];
  /** What an attempt before this one has recorded. */
  readonly earlier: CutoverRecord | undefined;
}

async function prepare(deps: Dependencies, input: CutOverInput, signal: AbortSignal): Promise<Prepared> {
  const sessions = await openPauseSessions(deps, input, signal);
  let switches: readonly PreparedSwitch[] = [];
  try {
    switches = await preparedSwitches({ deps, ref: input, from: sessions.sourceEndpoint, to: sessions.targetEndpoint });
    const earlier = await readCutover(sessions.first.target, input);
    if (!earlier && switches.some(({ done }) => done)) {
      throw finalFailure(
        'AlreadySwitched',
        'A traffic switch points at the target, but no pause of this migration is recorded there: somebody switched by hand. Put the endpoint of the source back into it, then send retry.',
      );
    }
    return { sessions, switches, fences: await openFences(deps, input, input), earlier };
  } catch (error) {
    await close({ sessions, switches, fences: [] });
    throw error;
  }
}

async function close(
  { sessions, switches, fences }: Omit<Prepared, 'earlier'>,
  how = { keepSnapshots: false },
): Promise<void> {
  await closeFences(fences);
  await closeSwitches(switches);
  await sessions.close(how);
}

/** One attempt, when nothing is missing but the pause itself. */
async function attend(
  attempt: Pick<Pause, 'deps' | 'input' | 'context' | 'activity' | 'earlierMs' | 'pastReturn'>,
  { sessions, switches, fences, earlier }: Prepared,
  earlierPause: EarlierPause,
): Promise<CutOverResult> {
  const { input } = attempt;
  let keepSnapshots = false;
  try {
    const pauseOf: Pause = { ...attempt, sessions, switches, fences };
    // Recorded, and the fence has been up since: the attempt before this one was about to switch, or did. One that was written
    // late, after a pause that was given up, is of another pause, or found beside a fence that is down.
    if (earlier && (isOfPause(earlier, earlierPause.pause) || switches.some(({ done }) => done))) {
      return await rollForward(pauseOf, earlier, earlierPause);
    }
    const result = await pause(pauseOf);
    // The reboots of a renaming have ended them.
    keepSnapshots = result.switched && !renames(input.plan);
    return result;
  } finally {
    await close({ sessions, switches, fences }, { keepSnapshots });
  }
}

/**
 * The result, or undefined when it comes later than `ms`; then it is told to end, and released when it comes all the same.
 * @param ms undefined: no limit
 */
async function inTime<T extends object>(
  work: Promise<T | undefined>,
  ms: number | undefined,
  late: AbortController,
  release: (result: T) => Promise<void>,
): Promise<T | undefined> {
  if (ms === undefined) return work;
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  const found = await Promise.race([work, over]).finally(() => clearTimeout(timer));
  if (found === undefined) {
    late.abort();
    void work.then((result) => result && release(result)).catch(() => undefined);
  }
  return found;
}

/** What an attempt finds that may take over a pause. */
interface EarlierPause {
  /** How long the fence has been up by now, in milliseconds; 0: it is down. */
  readonly msNow: () => number;
  /** The pause that it was; absent: the fence is down, or the instances are being renamed. */
  readonly pause?: PresentPause;
  /** What is left of the budget; absent where there is nothing to be in time for: the fence is down, or traffic is switched. */
  readonly remainingMs?: number;
  /** Its end was noted, or is due, and traffic is switched all the same: there is only a way forward. */
  readonly isSwitched?: true;
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
): Promise<{ ended: CutOverResult } | EarlierPause> {
  const [database] = input.databases;
  if (database === undefined) throw new Error('no database to cut over');
  if (renames(input.plan) && (await isRenaming(deps, input))) return { msNow: () => 0, isSwitched: true };
  const access = await accessTo(deps, input, 'source');
  return withSession(access, { step: 'pause-budget', database }, async (source) => {
    const found = await presentPause(source, input);
    const ms = found?.ms;
    const ended = await endOf(source, input, activity);
    const isOverdue = ms !== undefined && ms > input.plan.cutover.pauseBudgetMs;
    const lookedAt = performance.now();
    const msNow = () => (ms === undefined ? 0 : Math.round(ms + performance.now() - lookedAt));
    if (ms === undefined && !ended) return { msNow };
    const earlier: EarlierPause = { msNow, ...(found ? { pause: found } : {}) };
    if (!isOverdue && !ended) return { ...earlier, remainingMs: input.plan.cutover.pauseBudgetMs - (ms ?? 0) };
    // It may live, cut off from Temporal alone: without its sessions it neither records nor lowers anything any more.
    await endEarlierAttempt(input.id, [access]);
    // It may have sent what switches traffic: goes forward, if the target can be had, rather than wait until that is known.
    if (!ended && mayStillSwitch(input, await presentPause(source, input))) return earlier;
    if (await isCutOverForSure(deps, input, source)) return { ...earlier, isSwitched: true };
    const pauseMs = Math.round(ended?.pauseMs ?? ms ?? 0);
    const reason = ended?.reason ?? UNATTENDED;
    await noteEnd(source, input, { activity, pauseMs, reason });
    await lowerFenceOf(deps, input, source);
    return { ended: { switched: false, pauseMs, reason } };
  });
}

/**
 * The budget ended while this attempt was still connecting (the target may be what does not answer), or the watchdog of the attempt
 * before it has ended the pause.
 */
async function endOverdue(deps: Dependencies, input: CutOverInput, activity: string): Promise<CutOverResult> {
  const found = await lookAtEarlierPause(deps, input, activity);
  if ('ended' in found) return found.ended;
  throw ApplicationFailure.retryable(
    'the pause ended while this attempt was connecting, and traffic is switched, or may be',
  );
}

/** An attempt before this one died when everything was recorded: finish what it left. */
async function rollForward(pauseOf: Pause, record: CutoverRecord, earlierPause: EarlierPause): Promise<CutOverResult> {
  const { deps, input, context, sessions, switches, fences, earlierMs } = pauseOf;
  const { msNow, pause: found } = earlierPause;
  const clock = new PauseBudget(context, input.plan.cutover.pauseBudgetMs);
  clock.begin(earlierMs, () => undefined);
  try {
    const facts = await goForward(
      { deps, input, sides: sessions, switches, fences, record, msNow },
      {
        mayGoOn: clock.mayGoOn,
        sentSince: Date.now() - (lastSentMs(input, found) ?? 0),
        waiting: (waitingFor) => reportProgress(() => ({ pauseMs: msNow(), waitingFor })),
      },
    );
    return { switched: true, ...facts, attempts: context.info.attempt };
  } catch (error) {
    if (!(error instanceof SwitchRefused)) throw error;
    const timeline = new Timeline();
    const reason = error.message;
    const pauseMs = await giveUp({ ...pauseOf, clock, timeline, reason, recorded: true, isCut: () => false });
    return { switched: false, pauseMs, reason };
  } finally {
    clock.stop();
  }
}

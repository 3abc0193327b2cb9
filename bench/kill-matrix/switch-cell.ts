import { setTimeout as sleep } from 'node:timers/promises';
import { compareLsn } from '../../plan/lsn';
import { until } from '../../test/support/stand-in';
import { type Cell, compared, GRACE_MS, PATIENCE_MS, textOf, within, writersOn } from './cell';
import { BUDGET_MS } from './fences';
import type { HoldAt, Outcome } from './messages';
import type { SwitchName } from './switch-fronts';
import type { WorkerCrew } from './worker-crew';
import type { World } from './world';

export const SWITCH_FAULTS = ['answer lost', 'effect late', 'retry refused', 'taken over in flight'] as const;
export type SwitchFault = (typeof SWITCH_FAULTS)[number];

/** After the answer; longer than anybody looks who looks once. */
const LATE_MS = 2_000;
/** So long a request is under way that another attempt overtakes. Shorter than the time after which its sender gives it up. */
const IN_FLIGHT_MS = 3_000;
const REFUSALS = 3;

export type SwitchCell = Omit<Cell, 'fault' | 'step' | 'awayMs'> & {
  readonly kind: SwitchName;
  readonly fault: SwitchFault;
};

/** What a person moves has no request that could get lost. */
export const hasFault = (kind: SwitchName, fault: SwitchFault): boolean =>
  kind !== 'manual' || fault === 'taken over in flight';

/** One pause whose switch has a fault. Leaves the world as it was. */
export async function runSwitchCell(
  world: World,
  crew: WorkerCrew,
  kind: SwitchName,
  fault: SwitchFault,
  mark: string,
): Promise<SwitchCell> {
  await world.prepare();
  const writers = await world.writers(mark);
  try {
    await until('writers write', async () => writers.acknowledged.length > 20);
    const since = performance.now();
    const broken: string[] = [];
    const judge = (kept: boolean, what: string) => void (kept || broken.push(what));
    const { outcome, attempts, before } = await pauseWith(world, crew, kind, fault, mark);
    judge(outcome.ended === 'switched', `ended with: ${textOf(outcome)}`);
    if (outcome.ended === 'switched') {
      await world.byHand();
      await writersOn(writers, world.servers.to);
      const from = outcome.wayBackFrom;
      // Whatever a second attempt reads when a request of the first may have taken effect is too far.
      if (before !== undefined)
        judge(from !== undefined && compareLsn(from, before) <= 0, `the way back begins at ${from}`);
    }
    const stoppedMs = writers.longestGapMs(since);
    judge(stoppedMs <= BUDGET_MS + GRACE_MS, `writers waited for ${Math.round(stoppedMs)} ms`);
    // What arrives late must change nothing any more.
    await sleep(LATE_MS);
    await writersOn(writers, world.servers.to);
    judge(await world.isWritable('to'), 'the side that writers moved to is not writable');
    judge(!(await world.isWritable('from')), 'both sides are writable after the switch');
    await writers.stop();
    const errors = world.holdsClients ? writers.errors : [];
    judge(errors.length === 0, `clients saw ${errors.length} errors: ${errors[0]}`);
    broken.push(...(await compared(world, writers, mark)));
    return {
      kind,
      fault,
      ended: outcome.ended === 'switched' ? 'went forward' : 'given up',
      stoppedMs,
      attempts,
      clientErrors: errors.length,
      ...(outcome.ended === 'given up' ? { reason: outcome.reason } : {}),
      broken,
    };
  } finally {
    await world.clearFaults();
    await writers.stop();
    await world.reset(mark);
  }
}

/** Attempts of the pause, as Temporal makes them. `before`: a position from before the first attempt's request took effect. */
async function pauseWith(
  world: World,
  crew: WorkerCrew,
  kind: SwitchName,
  fault: SwitchFault,
  mark: string,
): Promise<{ outcome: Outcome; attempts: number; before?: string }> {
  const hold = await orderFault(world, kind, fault);
  const worker = await crew.worker();
  const first = worker.run(world.input, mark, 1, hold);
  first.outcome.catch(() => undefined);
  let before: string | undefined;
  if (fault === 'taken over in flight') {
    await within(hold ? first.held : world.untilUnderWay(), 'the request is under way');
    before = await world.positionOf('to');
    const second = await crew.second();
    const outcome = await within(second.run(world.input, mark, 2).outcome, 'the second attempt ends');
    // Whoever moves applications by hand does so now, and does not wait until the first attempt has ended, too.
    if (outcome.ended === 'switched') await world.byHand();
    if (hold) worker.order({ what: 'go on' });
    await within(first.outcome, 'the first attempt ends');
    await crew.renew();
    return { ...(await goOn(world, crew, mark, outcome, 2)), before };
  }
  if (hold) {
    await within(first.held, 'the switch is reached');
    const what = fault === 'effect late' ? 'late' : fault === 'retry refused' ? 'late, then refused' : 'fail';
    worker.order({ what });
  }
  return goOn(world, crew, mark, await within(first.outcome, 'the attempt ends'), 1);
}

async function goOn(world: World, crew: WorkerCrew, mark: string, first: Outcome, attempt: number) {
  let [outcome, attempts] = [first, attempt];
  const startedAt = performance.now();
  while (outcome.ended === 'error' && outcome.retryable && performance.now() - startedAt < PATIENCE_MS) {
    await sleep(200);
    attempts += 1;
    outcome = await within((await crew.worker()).run(world.input, mark, attempts).outcome, 'the next attempt ends');
  }
  return { outcome, attempts };
}

/** Has the fault wait for the switch. Answers where the first attempt is to be held, for what no service of ours can do wrong. */
async function orderFault(world: World, kind: SwitchName, fault: SwitchFault): Promise<HoldAt | undefined> {
  const { stage, hosts } = world;
  const isInFlight = fault === 'taken over in flight';
  if (kind === 'pgbouncer') {
    return { at: 'file', what: '/databases\\.ini$', when: fault === 'answer lost' ? 'after' : 'before', hosts };
  }
  if (kind === 'manual') return { at: 'to', what: '^INSERT INTO .*cutover', when: 'after', hosts };
  if (kind === 'webhook') {
    if (isInFlight) stage?.trick?.({ doneAfterMs: IN_FLIGHT_MS, answer: 200, answersWhenDone: true });
    if (fault === 'answer lost') stage?.trick?.({ doneAfterMs: 0, answer: 'none' });
    if (fault === 'effect late') stage?.trick?.({ doneAfterMs: LATE_MS, answer: 503 });
    if (fault === 'retry refused') {
      stage?.trick?.(
        { doneAfterMs: LATE_MS, answer: 'none' },
        ...Array.from({ length: REFUSALS }, () => ({ answer: 422 })),
      );
    }
    return undefined;
  }
  const call = stage?.call;
  if (!call) throw new Error(`there is no call of ${kind}`);
  if (isInFlight) await world.fault(call.operation, 'delay', { delayMs: IN_FLIGHT_MS, when: 'before' });
  if (fault === 'answer lost') await world.fault(call.operation, 'drop-after');
  if (fault === 'effect late')
    await world.fault(call.operation, 'late', { delayMs: LATE_MS, code: 'InternalFailure', status: 500 });
  if (fault === 'retry refused') {
    await world.fault(call.operation, 'late', { delayMs: LATE_MS });
    await world.fault(call.operation, 'error', { code: call.refusal, status: 400, skip: 1, times: REFUSALS });
  }
  return undefined;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/support/stand-in';
import { BUDGET_MS } from './fences';
import type { Outcome } from './messages';
import type { FaultName, Step } from './steps';
import type { WorkerProcess } from './worker-process';
import type { World } from './world';
import type { Writers } from './writers';

/** `heartbeatTimeout` of the pause in workflows/act.ts: so long Temporal waits for a worker that says nothing. */
const HEARTBEAT_TIMEOUT_MS = 6_000;
/** What a pause may take beyond its budget. */
export const GRACE_MS = 1_000;
/** What a worker may cost that is killed alone: its watchdog acts at once. */
const KILLED_MS = 2_000;
/** Target or pooler are back after this: later than writers have to be. */
const CUT_OFF_MS = BUDGET_MS + 4_000;
/** The same, where traffic has been switched to it. */
const CUT_OFF_PAST_SWITCH_MS = 3_000;
export const PATIENCE_MS = 90_000;

export interface Cell {
  readonly step: string;
  readonly fault: FaultName;
  readonly ended: 'given up' | 'went forward';
  /** The longest time in which no write of any connection was acknowledged. */
  readonly stoppedMs: number;
  /** Of it, the time in which the side that writers need was away by the fault itself. */
  readonly awayMs: number;
  readonly attempts: number;
  /** That clients behind a pooler saw, the next pause included. */
  readonly clientErrors: number;
  readonly reason?: string;
  /** What was promised and not kept. */
  readonly broken: readonly string[];
}

/** Workers of a matrix: the one that works, and one that takes over at once. */
export interface Crew {
  worker(): Promise<WorkerProcess>;
  /** Nothing of what worked so far is left, its watchdogs included. */
  renew(): Promise<void>;
}

/** One pause with a fault at a step, and all that is promised of it, looked at. Leaves the world as it was. */
export async function runCell(world: World, crew: Crew, step: Step, fault: FaultName, mark: string): Promise<Cell> {
  await world.prepare();
  const writers = await world.writers(mark);
  try {
    await until('writers write', async () => writers.acknowledged.length > 20);
    const since = performance.now();
    const { outcome, attempts, awayMs } = await pauseWith(world, crew, mark, step, fault);
    const broken: string[] = [];
    const judge = (kept: boolean, what: string) => void (kept || broken.push(what));
    const switched = outcome.ended === 'switched';
    judge(switched || outcome.ended === 'given up', `ended with: ${textOf(outcome)}`);
    judge(switched || !step.pastSwitch, 'went back after the switch');
    await writersOn(writers, switched ? world.servers.to : world.servers.from);
    const stoppedMs = writers.longestGapMs(since);
    const limitMs = fault === 'worker killed' ? KILLED_MS : BUDGET_MS + GRACE_MS;
    judge(stoppedMs - awayMs <= limitMs, `writers waited for ${Math.round(stoppedMs)} ms`);
    if (!switched) {
      judge(await world.isWritable('from'), 'the side that writers are on is not writable');
      judge(!(await world.isWritable('to')), 'both sides are writable');
      const early = [...(await world.rows('to', mark)).keys].filter((note) => note.endsWith(` ${world.servers.to}`));
      judge(early.length === 0, `${early.length} rows were written on the wrong side`);
      await world.undo();
      await world.prepare();
      const next = await (await crew.worker()).run(world.input, `${mark} again`, 1).outcome;
      judge(next.ended === 'switched', `the next pause: ${textOf(next)}`);
      if (next.ended === 'switched') await writersOn(writers, world.servers.to);
    }
    // Watchdogs of attempts that died look at a pause that others have ended: that must change nothing.
    if (attempts > 1) await crew.renew();
    judge(await world.isWritable('to'), 'the side that writers moved to is not writable');
    judge(!(await world.isWritable('from')), 'both sides are writable after the switch');
    await writers.stop();
    const errors = world.holdsClients ? writers.errors : [];
    const mayFail = step.endsTransactions === true && fault === 'source fails over';
    judge(errors.length === 0 || mayFail, `clients saw ${errors.length} errors: ${errors[0]}`);
    broken.push(...(await compared(world, writers, mark)));
    return {
      step: step.name,
      fault,
      ended: switched ? 'went forward' : 'given up',
      stoppedMs,
      awayMs,
      attempts,
      clientErrors: errors.length,
      ...(outcome.ended === 'given up' ? { reason: outcome.reason } : {}),
      broken,
    };
  } finally {
    world.heal();
    await writers.stop();
    await world.reset(mark);
  }
}

/** Nothing acknowledged is missing, nothing is there twice, nothing is on the wrong side. */
export async function compared(world: World, writers: Writers, mark: string): Promise<string[]> {
  const { from, to } = world.servers;
  const [left, moved] = [await world.rows('from', mark), await world.rows('to', mark)];
  const lost = writers.acknowledged.filter(({ key, server }) => !moved.keys.has(`${key} ${server}`));
  const brought = new Set([...moved.keys].filter((note) => note.endsWith(` ${from}`)));
  const differ =
    [...left.keys].filter((note) => !brought.has(note)).length +
    [...brought].filter((note) => !left.keys.has(note)).length;
  const strange = [...left.keys].filter((note) => note.endsWith(` ${to}`));
  return [
    ...(lost.length > 0 ? [`${lost.length} acknowledged writes are lost`] : []),
    ...(differ > 0 ? [`${differ} rows differ between the sides`] : []),
    ...(strange.length > 0 ? [`${strange.length} rows came back to the side that was left`] : []),
    ...(moved.count !== moved.keys.size || left.count !== left.keys.size ? ['rows are there twice'] : []),
  ];
}

export async function writersOn(writers: Writers, server: string): Promise<void> {
  const since = performance.now();
  await until(`writes are acknowledged by ${server}`, async () => {
    const last = writers.acknowledged.at(-1);
    return last !== undefined && last.at > since && last.server === server;
  });
}

/** Attempts of the pause, as Temporal makes them, with the fault at the step of the first one. */
async function pauseWith(
  world: World,
  crew: Crew,
  mark: string,
  step: Step,
  fault: FaultName,
): Promise<{ outcome: Outcome; attempts: number; awayMs: number }> {
  let worker = await crew.worker();
  const first = worker.run(world.input, mark, 1, { ...step.moment, hosts: world.hosts });
  const early = await Promise.race([first.held.then(() => undefined), within(first.outcome, 'the step is reached')]);
  if (early) throw new Error(`the pause ended before ${step.name}: ${textOf(early)}`);

  const startedAt = performance.now();
  let awayMs = 0;
  let healed: Promise<unknown> = Promise.resolve();
  switch (fault) {
    case 'worker killed':
      worker.kill();
      break;
    case 'host lost':
      worker.loseHost();
      break;
    case 'activity fails':
      worker.order({ what: 'fail' });
      break;
    case 'operator aborts':
      worker.order({ what: 'cancel' });
      worker.order({ what: 'go on' });
      break;
    case 'source fails over':
      await world.failOver();
      worker.order({ what: 'go on' });
      healed = world.untilAvailable().then(() => (awayMs = performance.now() - startedAt));
      break;
    case 'target cut off': {
      await world.cutOffTarget();
      worker.order({ what: 'go on' });
      const seen = step.pastSwitch ? sleep(CUT_OFF_PAST_SWITCH_MS) : seenToEnd(first.outcome);
      healed = Promise.race([seen, sleep(CUT_OFF_MS)]).then(() => {
        world.heal();
        return undefined;
      });
      break;
    }
    case 'pooler cut off':
      world.cutOffPooler();
      worker.order({ what: 'go on' });
      healed = sleep(step.pastSwitch ? CUT_OFF_PAST_SWITCH_MS : CUT_OFF_MS).then(() => {
        world.heal();
        awayMs = performance.now() - startedAt;
      });
      break;
  }
  const healedAt = healed.then(() => performance.now());
  let outcome = await within(first.outcome, 'the attempt ends');
  let attempts = 1;
  for (
    let waitMs = 200;
    outcome.ended === 'killed' || (outcome.ended === 'error' && outcome.retryable);
    waitMs *= 1.5
  ) {
    if (performance.now() - startedAt > PATIENCE_MS) break;
    await sleep(outcome.ended === 'killed' ? HEARTBEAT_TIMEOUT_MS : Math.min(waitMs, 2_000));
    worker = await crew.worker();
    attempts += 1;
    outcome = await within(worker.run(world.input, mark, attempts).outcome, 'the next attempt ends');
  }
  // After the switch writers can't write before the target is back, whatever we do.
  const away = (await healedAt) - startedAt;
  if (fault === 'target cut off' && outcome.ended === 'switched') awayMs = away;
  return { outcome, attempts, awayMs };
}

/** Until an attempt has given up; one that switched leaves the target cut off for a while longer. */
async function seenToEnd(outcome: Promise<Outcome>): Promise<void> {
  const { ended } = await outcome;
  if (ended === 'switched') await sleep(CUT_OFF_PAST_SWITCH_MS);
}

export const within = <T>(work: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS} ms in vain until ${what}`)), PATIENCE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

export function textOf(outcome: Outcome): string {
  if (outcome.ended === 'error') return outcome.message;
  return outcome.ended === 'given up' ? `given up: ${outcome.reason}` : outcome.ended;
}

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshotHolder } from '../../activities/compare/snapshot-holder';
import { type Ended, endOrphanedPause, endPause, isPaused } from '../../activities/cutover/watchdog/end-pause';
import type { WatchOrder } from '../../activities/cutover/watchdog/watchdog';
import type { Dependencies } from '../../activities/dependencies';
import { awsClients } from '../aws-clients';
import { readReleasedSecrets } from '../configuration';
import { logger } from '../logger';
import { type Orders, READY, type Word } from './messages';

/** A worker that takes over ends an overdue pause itself: it gets this long beyond the budget, in milliseconds. */
const GRACE_MS = 3_000;
/** A worker that says nothing for this long does not live, or stands still. Longer than the heartbeat timeout of the pause. */
const SILENCE_MS = 7_000;
/** The world is asked this often, and for this long, in milliseconds: an outage of AWS or of the source may outlast the budget. */
const TRY_EVERY_MS = 500;
/** Between two looks at the worker, in milliseconds. */
const LOOK_EVERY_MS = 20;
/** So long a process may take to end that was killed. */
const KILL_MS = 10_000;
const TRY_FOR_MS = 15 * 60_000;

/** What the worker last said, and when. */
class Worker {
  /** The process that started this one, and is its parent until it is gone. */
  pid = 0;
  #lastWordAt = performance.now();
  #isTold = false;
  word: Word | undefined;
  /** It came to the point of no return of the pause. */
  pastReturn = false;
  /** It closed our stdin, which it only does by ending. */
  hasEnded = false;

  hears(word: Word): void {
    this.word = word;
    this.pastReturn ||= word === 'past return';
    this.#lastWordAt = performance.now();
  }

  /** Since it was last heard of, in milliseconds. */
  get silentMs(): number {
    return performance.now() - this.#lastWordAt;
  }

  get isSilent(): boolean {
    return this.hasEnded || this.silentMs > SILENCE_MS;
  }

  /** Its process is gone, and it had not come to the end of the attempt. */
  get isGone(): boolean {
    return this.hasEnded && process.ppid !== this.pid;
  }

  /**
   * A worker that stands still may go on at any time, in the middle of a switch: it has to be gone before anybody may write on the source
   * again. Its number is its own as long as it is our parent.
   * @throws Error while it is there
   */
  async end(): Promise<void> {
    const isAttending = this.word !== 'done' && this.word !== 'failed';
    if (!isAttending) return;
    for (const giveUpAt = Date.now() + KILL_MS; process.ppid === this.pid; await sleep(LOOK_EVERY_MS)) {
      if (!this.#isTold) logger.error({ pid: this.pid }, 'watchdog: the worker stands still in a pause, and is killed');
      this.#isTold = true;
      // The first process of a container is spared by the kernel; worker/main.ts never works as that.
      process.kill(this.pid, 'SIGKILL');
      if (Date.now() > giveUpAt) throw new Error(`the worker (pid ${this.pid}) stands still, and can't be killed`);
    }
    // What it said last comes before the end of stdin.
    for (const giveUpAt = Date.now() + KILL_MS; !this.hasEnded && Date.now() < giveUpAt;) await sleep(LOOK_EVERY_MS);
  }
}

async function main(): Promise<void> {
  // Ended by whoever ends the worker's session, or by its stdin alone.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => undefined);
  const worker = new Worker();
  const first = await firstLine(worker);
  if (first === undefined) return;
  const { order, worker: pid, rdsCaBundle, region } = JSON.parse(first) as Orders;
  worker.pid = pid;
  const deps: Dependencies = {
    aws: awsClients(region),
    rdsCaBundle,
    // Its environment is the worker's.
    releasedSecrets: readReleasedSecrets(process.env),
    snapshots: new SnapshotHolder(),
    ownTaskQueue: 'none',
    startWatchdog: () => {
      throw new Error('a watchdog has none');
    },
  };
  // Once, while nobody waits for it: the first call of AWS and the first session take longest.
  await isPaused(deps, order).catch(() => undefined);
  process.stdout.write(`${READY}\n`);
  await guard(deps, order, worker);
}

/** The orders; undefined when there are none to come. Every line after them goes to `worker`. */
function firstLine(worker: Worker): Promise<string | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin });
    let first: string | undefined;
    lines.on('line', (line) => {
      if (first !== undefined) worker.hears(line as Word);
      else resolve((first = line) === 'failed' || line === 'done' ? undefined : line);
    });
    lines.once('close', () => {
      worker.hasEnded = worker.word !== 'done' && worker.word !== 'failed';
      resolve(undefined);
    });
  });
}

async function guard(deps: Dependencies, order: WatchOrder, worker: Worker): Promise<void> {
  const { input } = order;
  const guardedMs = Math.max(0, input.plan.cutover.pauseBudgetMs - order.alreadyMs) + GRACE_MS;
  const deadline = Date.now() + guardedMs;
  const log = logger.child({ workflowId: input.id, watchdog: process.pid });
  const end = (work: () => Promise<Ended>) => untilItWorks(log, work);
  const why = await untilNobodyAttends(deps, order, worker, deadline);
  if (why === 'attended') return;
  if (why === 'gone') {
    log.warn(
      `watchdog: the worker has ended inside the pause, ${worker.pastReturn ? 'after' : 'before'} the point of no return`,
    );
    const ended = await end(() => endOrphanedPause(deps, order, worker.pastReturn));
    if (ended !== 'another attempt') return;
    // One that died before its own watchdog was on guard.
    await sleep(Math.max(0, deadline - Date.now()));
  }
  log.warn(`watchdog: no worker attends to the pause, whose budget of ${input.plan.cutover.pauseBudgetMs} ms is over`);
  await end(async () => {
    await worker.end();
    return endPause(deps, order, worker.silentMs);
  });
}

/** Until there is nothing to guard any more, or something to do. */
async function untilNobodyAttends(
  deps: Dependencies,
  order: WatchOrder,
  worker: Worker,
  deadline: number,
): Promise<'attended' | 'gone' | 'overdue'> {
  let lookedAfterFailure = false;
  while (Date.now() < deadline || !worker.isSilent) {
    if (worker.isGone) return 'gone';
    if (worker.word === 'done') return 'attended';
    if (worker.word === 'failed') {
      // Temporal begins another attempt, with a watchdog of its own; this one stays in case that there is nobody for it.
      if (!lookedAfterFailure && !(await isPaused(deps, order).catch(() => true))) return 'attended';
      lookedAfterFailure = true;
      if (Date.now() >= deadline) break;
    }
    await sleep(LOOK_EVERY_MS);
  }
  return worker.isGone ? 'gone' : 'overdue';
}

/** @returns undefined when it never worked */
async function untilItWorks(log: typeof logger, work: () => Promise<Ended>): Promise<Ended | undefined> {
  for (const giveUpAt = Date.now() + TRY_FOR_MS; Date.now() < giveUpAt; await sleep(TRY_EVERY_MS)) {
    try {
      const outcome = await work();
      log.warn({ outcome }, 'watchdog: the pause is ended');
      return outcome;
    } catch (error) {
      log.error(
        { error: error instanceof Error ? error.message : String(error) },
        'watchdog: can not end the pause yet',
      );
    }
  }
  return undefined;
}

main()
  .catch((error: unknown) => {
    logger.fatal(`watchdog: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  })
  // Clients of AWS keep connections open.
  .finally(() => process.exit());

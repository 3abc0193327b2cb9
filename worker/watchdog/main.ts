import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshotHolder } from '../../activities/compare/snapshot-holder';
import { endPause, isPaused } from '../../activities/cutover/watchdog/end-pause';
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
const TRY_EVERY_MS = 1_000;
const TRY_FOR_MS = 15 * 60_000;

/** What the worker last said, and when. */
class Worker {
  /** The process that started this one; another, once it is gone. */
  readonly #pid = process.ppid;
  #lastWordAt = performance.now();
  word: Word | undefined;
  /** It closed our stdin, which it only does by ending. */
  hasEnded = false;

  hears(word: Word): void {
    this.word = word;
    this.#lastWordAt = performance.now();
  }

  /** Since it was last heard of, in milliseconds. */
  get silentMs(): number {
    return performance.now() - this.#lastWordAt;
  }

  get isSilent(): boolean {
    return this.hasEnded || this.silentMs > SILENCE_MS;
  }

  /**
   * A worker that stands still may go on at any time, in the middle of a switch: it has to be gone before anybody may write on the source
   * again. Its number is its own as long as it is our parent.
   */
  end(): void {
    const isAttending = !this.hasEnded && this.word !== 'failed';
    if (!isAttending || process.ppid !== this.#pid || this.#pid <= 1) return;
    logger.error({ pid: this.#pid }, 'watchdog: the worker stands still in a pause, and is killed');
    process.kill(this.#pid, 'SIGKILL');
  }
}

async function main(): Promise<void> {
  // Ended by whoever ends the worker's session, or by its stdin alone.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => undefined);
  const worker = new Worker();
  const first = await firstLine(worker);
  if (first === undefined) return;
  const { order, rdsCaBundle, region } = JSON.parse(first) as Orders;
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
  let lookedAfterFailure = false;
  while (Date.now() < deadline || !worker.isSilent) {
    if (worker.word === 'done') return;
    if (worker.word === 'failed') {
      // Temporal begins another attempt, with a watchdog of its own; this one stays in case that there is nobody for it.
      if (!lookedAfterFailure && !(await isPaused(deps, order).catch(() => true))) return;
      lookedAfterFailure = true;
      if (Date.now() >= deadline) break;
    }
    await sleep(100);
  }
  worker.end();
  const log = logger.child({ workflowId: input.id, watchdog: process.pid });
  log.warn(`watchdog: no worker attends to the pause, whose budget of ${input.plan.cutover.pauseBudgetMs} ms is over`);
  for (const end = Date.now() + TRY_FOR_MS; Date.now() < end; await sleep(TRY_EVERY_MS)) {
    try {
      log.warn({ outcome: await endPause(deps, order, worker.silentMs) }, 'watchdog: the pause is ended');
      return;
    } catch (error) {
      log.error(
        { error: error instanceof Error ? error.message : String(error) },
        'watchdog: can not end the pause yet',
      );
    }
  }
}

main()
  .catch((error: unknown) => {
    logger.fatal(`watchdog: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  })
  // Clients of AWS keep connections open.
  .finally(() => process.exit());

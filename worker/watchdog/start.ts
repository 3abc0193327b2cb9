import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Watchdog, WatchOrder } from '../../activities/cutover/watchdog/watchdog';
import { BEAT_EVERY_MS, type Orders, READY, type Word } from './messages';

/** Longest wait for the process to be on guard, in milliseconds; then it is ended, and `guard` fails. */
const START_MS = 30_000;

export interface WatchdogOptions {
  readonly rdsCaBundle: string;
  /** The worker's default region. */
  readonly region: string | undefined;
  /** Where the AWS SDK of the watchdog looks for its credentials, as the worker's own does. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A watchdog with its process, for whoever takes down the world that it guards. */
export interface StartedWatchdog extends Watchdog {
  /** Does nothing once it has ended. */
  kill(): void;
}

/** What a watchdog runs; among its arguments. */
export const WATCHDOG_PROGRAM = path.join(__dirname, `main${path.extname(__filename)}`);

/** Built code runs as it is, a checkout by tsx. */
function programOf(): string[] {
  return path.extname(__filename) === '.ts'
    ? ['--import', require.resolve('tsx'), WATCHDOG_PROGRAM]
    : [WATCHDOG_PROGRAM];
}

/**
 * Starts a watchdog: a process in a session of its own, so that nothing that ends the worker ends it, too. Whatever it has to
 * know goes through its stdin: nothing is in its arguments, and its environment is the worker's.
 * @throws Error in the first process of a container: nobody there may kill it, so a pause could not be guarded
 */
export function startWatchdog({ env = process.env, ...rest }: WatchdogOptions): StartedWatchdog {
  if (process.pid === 1)
    throw new Error(
      'no pause in the first process of a container: nobody could end it if it stood still. Start the worker by worker/main.js, which begins a process of its own for it.',
    );
  const child = spawn(process.execPath, programOf(), {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    // The SDK says it once in each process, not as JSON; the worker has said it.
    env: { ...env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  const { stdin } = child;
  // A watchdog that is gone hears nothing; `guard` says so.
  stdin.on('error', () => undefined);
  const ready = untilReady(child);
  // Whoever never calls `guard` is not to be told.
  ready.catch(() => undefined);
  let beats: NodeJS.Timeout | undefined;
  const say = (word: Word): boolean => stdin.write(`${word}\n`);
  const bye = (word: Word) => {
    clearInterval(beats);
    say(word);
    stdin.end();
  };
  return {
    async guard(order: WatchOrder) {
      const orders: Orders = { order, worker: process.pid, ...rest };
      stdin.write(`${JSON.stringify(orders)}\n`);
      beats = setInterval(() => say('beat'), BEAT_EVERY_MS);
      beats.unref();
      const late = setTimeout(() => child.kill('SIGKILL'), START_MS);
      await ready.finally(() => clearTimeout(late));
      // Neither the process nor what it might say keeps this one alive.
      child.unref();
      child.stdout.destroy();
    },
    // In the pipe, it is heard whatever becomes of this process.
    pastReturn: () =>
      new Promise((resolve, reject) => {
        stdin.write(`${'past return' satisfies Word}\n`, (error) =>
          error ? reject(new Error(`the watchdog of the pause is gone: ${error.message}`)) : resolve(),
        );
      }),
    done: () => bye('done'),
    failed: () => bye('failed'),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Resolves when it is on guard; rejects when it ends before. */
function untilReady(child: ChildProcess & { stdout: Readable }): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`no pause without a watchdog, and it does not start: ${why}`));
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`it ended with ${code ?? signal}`));
    createInterface({ input: child.stdout }).on('line', (line) => line === READY && resolve());
  });
}

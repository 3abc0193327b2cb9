import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { logger } from './logger';
import { WATCHDOG_PROGRAM } from './watchdog/start';

/** What ends a container, or a service. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
const LOOK_EVERY_MS = 50;

/**
 * Whether this is the first process of a container. The kernel lets nobody in the container kill or freeze that one, and everything else
 * in the container ends with it: a watchdog could neither end a worker that stands still there nor outlive one that dies.
 * @see https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
 */
export const isFirstProcess = (): boolean => process.pid === 1;

/**
 * Runs the same program again, as a child, and passes signals on to it. When it has ended, waits for the watchdogs that it left: they end
 * with this process.
 * @returns the exit code of the child, as a shell would give it
 */
export async function supervise(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => resolve(exitCode ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  const left = watchdogs();
  if (left.length > 0)
    logger.warn({ code, watchdogs: left }, 'the worker has ended inside a pause; waiting for its watchdog');
  while (watchdogs().length > 0) await sleep(LOOK_EVERY_MS);
  return code;
}

/** Processes of the container that guard a pause and have not ended. */
function watchdogs(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => argumentsOf(pid).includes(WATCHDOG_PROGRAM));
}

/** None of a process that has ended and that nobody has collected. */
function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

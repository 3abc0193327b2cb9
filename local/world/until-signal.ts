import { toStderr, type Report } from '../tools/report';

/**
 * An AbortSignal for Ctrl-C, SIGTERM, SIGHUP, and the death of `local/run.mjs` that started us. A terminal sends Ctrl-C to us and to
 * run.mjs, which hands it on: further signals change nothing while we clean up.
 */
export function stopRequests(report: Report = toStderr): AbortSignal {
  const controller = new AbortController();
  const request = (why: string): void => {
    if (controller.signal.aborted) return;
    report(`${why}: stopping and cleaning up`);
    controller.abort(new Stopped(why));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => request(signal));
  const parent = process.ppid;
  if (process.env['KEYSHIFT_RUN_PID'] === String(parent)) {
    setInterval(() => {
      if (process.ppid !== parent) request('the process that started us is gone');
    }, 500).unref();
  }
  return controller.signal;
}

/** Thrown where work was given up because we were asked to stop. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Resolves with the work, or rejects as soon as the stop is asked for. */
export async function orStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
  }
}

/** Resolves when the stop is asked for, and keeps the process alive until then. */
export async function untilStopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const alive = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  clearInterval(alive);
}

import { Context } from '@temporalio/activity';
import { reportProgress } from './heartbeat';

/** A look at the world: not there yet (with a word for the operator), or there. */
export type Look<T> = { readonly done: T } | { readonly waitingFor: string };

/** @throws CancelledFailure when the migration was asked to stop */
export async function throwIfCancelled(): Promise<void> {
  const context = Context.current();
  if (context.cancellationSignal.aborted) await context.cancelled;
}

const SHORTEST_MS = 200;
const LONGEST_MS = 15_000;

/**
 * Looks until the world is as wanted. What it waits for goes into the heartbeats; a cancelled migration stops waiting.
 * The time between looks is a tenth of the time waited so far, between 0.2 and 15 s: what takes seconds is noticed at
 * once, what takes hours costs few calls.
 */
export async function waitUntil<T>(look: () => Promise<Look<T>>): Promise<T> {
  const context = Context.current();
  const startedAt = Date.now();
  for (;;) {
    await throwIfCancelled();
    const found = await look();
    if ('done' in found) return found.done;
    reportProgress(() => found);
    const waitedMs = Date.now() - startedAt;
    await context.sleep(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, waitedMs / 10)));
  }
}

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

/** How patient a wait is with a world that shows late what it was asked for. Milliseconds. */
export interface Patience {
  /** No look sooner than this. */
  readonly firstLookAfterMs?: number;
  /** So many looks in a row have to find it there, `betweenMs` apart. */
  readonly looksInARow?: number;
  readonly betweenMs?: number;
}

/**
 * Looks until the world is as wanted. What it waits for goes into the heartbeats; a cancelled migration stops waiting.
 * The time between looks is a tenth of the time waited so far, between 0.2 and 15 s: what takes seconds is noticed at
 * once, what takes hours costs few calls.
 */
export async function waitUntil<T>(look: () => Promise<Look<T>>, patience: Patience = {}): Promise<T> {
  const { firstLookAfterMs = 0, looksInARow = 1, betweenMs = 0 } = patience;
  const context = Context.current();
  const startedAt = Date.now();
  if (firstLookAfterMs > 0) await context.sleep(firstLookAfterMs);
  for (let inARow = 0; ;) {
    await throwIfCancelled();
    const found = await look();
    if ('done' in found) {
      inARow += 1;
      if (inARow >= looksInARow) return found.done;
      await context.sleep(betweenMs);
      continue;
    }
    inARow = 0;
    reportProgress(() => found);
    const waitedMs = Date.now() - startedAt;
    await context.sleep(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, waitedMs / 10)));
  }
}

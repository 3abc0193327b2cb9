import { Context } from '@temporalio/activity';

/** A look at the world: not there yet (with a word for the operator), or there. */
export type Look<T> = { readonly done: T } | { readonly waitingFor: string };

const SHORTEST_MS = 200;
const LONGEST_MS = 15_000;

/**
 * Looks until the world is as wanted. Heartbeats at every look, so that a cancelled migration stops waiting and a dead
 * worker is noticed. The time between looks is a tenth of the time waited so far, between 0.2 and 15 s: what takes
 * seconds is noticed at once, what takes hours costs few calls.
 */
export async function waitUntil<T>(look: () => Promise<Look<T>>): Promise<T> {
  const context = Context.current();
  const startedAt = Date.now();
  for (;;) {
    const found = await look();
    if ('done' in found) return found.done;
    context.heartbeat(found);
    const waitedMs = Date.now() - startedAt;
    await context.sleep(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, waitedMs / 10)));
  }
}

/**
 * Heartbeats once a second while `work` runs, for work that can't do so itself (one long SQL statement).
 * `details()` is what the next attempt and `keyshift status` see.
 */
export async function withHeartbeat<T>(work: () => Promise<T>, details: () => unknown = () => undefined): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(details()), 1_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure } from '@temporalio/common';

/** So many times something is tried that may only be away for a moment. */
const TRIES = 3;
const WAIT_MS = 1_000;

/** What was found, or why it could not be had. */
export type Seen<T> = { readonly found: T } | { readonly unread: string };

/**
 * Looks, and looks again where that fails: what can't be read is evidence of its own, and must not keep the question open for ever.
 * @throws CancelledFailure as it is
 */
export async function patiently<T>(look: () => Promise<T>): Promise<Seen<T>> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { found: await look() };
    } catch (error) {
      if (error instanceof CancelledFailure) throw error;
      if (attempt === TRIES) return { unread: error instanceof Error ? error.message : String(error) };
    }
    await sleep(attempt * WAIT_MS);
  }
}

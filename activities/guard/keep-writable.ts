import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { MigrationRef } from '../dependencies';
import { type Access, inEachDatabase } from '../postgres/session';
import { giveIdentities, IDENTITY_LOCK_TIMEOUT_MS } from './give-identities';

/** As often as the guard looks. */
const EVERY_MS = 5_000;

/**
 * Runs some work that takes long while everything is published and the guard does not run yet; meanwhile tables that come without a
 * replica identity get one. What that fails of, the guard finds again, and tells.
 */
export async function keepWritable<T>(
  access: Access,
  ref: MigrationRef & { readonly databases: readonly string[] },
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const { log } = Context.current();
  const looking = (async () => {
    while (!done.signal.aborted) {
      await inEachDatabase(
        access,
        ref.databases,
        { step: 'slot-guard', lockTimeoutMs: IDENTITY_LOCK_TIMEOUT_MS },
        (session, database) => giveIdentities(session, ref, database),
      ).catch((error: unknown) => {
        log.warn('could not look for tables without a replica identity', { error });
      });
      await delay(EVERY_MS, undefined, { signal: done.signal }).catch(() => undefined);
    }
  })();
  try {
    return await work();
  } finally {
    done.abort();
    await looking;
  }
}

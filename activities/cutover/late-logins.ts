import { setTimeout as sleep } from 'node:timers/promises';
import { queryRows, type Session } from '../postgres/session';
import { orSay } from './cut-over-input';

/** Between two looks, in milliseconds: it is downtime. */
const LOOK_EVERY_MS = 2;

/** A transaction that a server process has begun. */
interface Begun {
  readonly pid: number;
  readonly transaction: string;
}

/**
 * Waits for the logins that were under way when the fence went up. PostgreSQL asks whether a role may log in some time before
 * `pg_stat_activity` has the session: one that passed that door is seen by nobody, and would write later. But it is in the transaction in
 * which it logs in, and holds the lock of that. A login that began after the fence finds NOLOGIN.
 * The locks are read before the sessions, each by a statement of its own: the other way round, one could slip through between the two.
 * @throws PauseGivenUp with what is waited for, when the budget ends
 * @see https://www.postgresql.org/docs/current/view-pg-locks.html
 */
export async function untilLoginsAreDecided(source: Session, mayGoOn: () => void): Promise<void> {
  let begun = await begunTransactions(source);
  for (;;) {
    begun = await withoutSession(source, begun);
    if (begun.length === 0) return;
    const still = new Set((await begunTransactions(source)).map(keyOf));
    begun = begun.filter((one) => still.has(keyOf(one)));
    if (begun.length === 0) return;
    const pids = begun.map(({ pid }) => pid).join(', ');
    await orSay(mayGoOn, () => [`logins from before the fence came to no end: server process ${pids}`]);
    await sleep(LOOK_EVERY_MS);
  }
}

const keyOf = ({ pid, transaction }: Begun): string => `${pid} ${transaction}`;

async function begunTransactions(source: Session): Promise<Begun[]> {
  return queryRows<Begun>(
    source,
    `SELECT pid, virtualtransaction AS transaction FROM pg_locks WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()`,
  );
}

/** From PostgreSQL 18 on a session is seen from its beginning, without a user until it is logged in. */
async function withoutSession(source: Session, begun: readonly Begun[]): Promise<Begun[]> {
  if (begun.length === 0) return [];
  const known = await queryRows<{ pid: number }>(
    source,
    `SELECT pid FROM pg_stat_activity
      WHERE pid = ANY ($1::integer[]) AND (usesysid IS NOT NULL OR backend_type <> 'client backend')`,
    [begun.map(({ pid }) => pid)],
  );
  const pids = new Set(known.map(({ pid }) => pid));
  return begun.filter(({ pid }) => !pids.has(pid));
}

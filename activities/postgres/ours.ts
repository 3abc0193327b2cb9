import { setTimeout as sleep } from 'node:timers/promises';
import { applicationName, applicationNamePrefix } from '../../plan/names';
import { queryRows, type Session } from './session';

/** Between two looks whether sessions have ended, in milliseconds. */
const LOOK_EVERY_MS = 5;

/**
 * Condition on `pg_stat_activity` (or an alias of it): a session of this migration, in the role that looks. Anybody can give himself an
 * `application_name`, so the name alone proves nothing. This is for looking, and for ending what an attempt left. The fence, which
 * spares, knows its sessions by number (`OurSession`).
 * @param prefix the parameter that has `applicationNamePrefix`, such as `$1`
 */
export const ourSession = (prefix: string, activity = 'pg_stat_activity'): string =>
  `(coalesce(${activity}.usename = session_user, false) AND starts_with(${activity}.application_name, ${prefix}))`;

/** A server process that is a session of ours. Numbers are used again, so the time at which it began belongs to it. */
export interface OurSession {
  readonly pid: number;
  /** `backend_start`, as the server prints it. */
  readonly since: string;
}

/** Sessions of one attempt of the pause, on both sides. */
export interface OurSessions {
  readonly source: readonly OurSession[];
  readonly target: readonly OurSession[];
}

/** What has to be known of sessions of ours to tell them from others that take their name, or their number later. */
export async function identify(session: Session, pids: readonly number[]): Promise<OurSession[]> {
  return queryRows<OurSession>(
    session,
    `SELECT pid, backend_start::text AS since FROM pg_stat_activity
      WHERE pid = ANY ($1::integer[]) AND usename = session_user`,
    [pids],
  );
}

/** Condition on `pg_stat_activity`: exactly these sessions, as `parametersOf` has them. */
export const isOneOf = (pids: string, since: string): string =>
  `coalesce((pid, backend_start) IN (SELECT * FROM unnest(${pids}::integer[], ${since}::timestamptz[])), false)`;
export const parametersOf = (ours: readonly OurSession[]): [number[], string[]] => [
  ours.map(({ pid }) => pid),
  ours.map(({ since }) => since),
];

/** Ends exactly these sessions, and waits until they are gone: a statement that one of them has sent may still be carried out. */
export async function endSessionsOf(session: Session, ours: readonly OurSession[]): Promise<void> {
  for (;;) {
    const alive = await queryRows(
      session,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ${isOneOf('$1', '$2')}`,
      parametersOf(ours),
    );
    if (alive.length === 0) return;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Ends sessions of this migration by what they are for; in the role that asks only, since the name is not reserved. */
export async function endSessionsFor(session: Session, migration: string, steps: readonly string[]): Promise<void> {
  await session.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE pid <> pg_backend_pid() AND ${ourSession('$1')} AND application_name = ANY ($2::text[])`,
    [applicationNamePrefix(migration), steps.map((step) => applicationName(migration, step))],
  );
}

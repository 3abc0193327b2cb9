import { queryRows, type Session } from './session';

/**
 * Condition on `pg_stat_activity`: we may end it. Nobody but a superuser may end a process that a superuser, or no user at all, runs in; a statement that
 * tries to fails as a whole, and ends none of the others.
 * @see https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL
 */
export const endable = (activity = 'pg_stat_activity'): string =>
  `((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    OR ${activity}.usesysid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles WHERE oid = ${activity}.usesysid AND rolsuper))`;

/** Ends these server processes; those that we may not end stay. */
export async function endProcesses(session: Session, pids: readonly number[]): Promise<void> {
  await queryRows(
    session,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY ($1::integer[]) AND ${endable()}`,
    [pids],
  );
}

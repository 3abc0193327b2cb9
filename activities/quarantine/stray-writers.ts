import { queryRows, type Session } from '../postgres/session';
import { foreignSessions, type ForeignSession } from '../cutover/fence';

/** Who is connected to the target before the switch, and who of them writes there. */
export interface Strays {
  readonly connected: readonly ForeignSession[];
  /** Each as a sentence for the board. */
  readonly writing: readonly string[];
}

/**
 * Looks for sessions of others on the target. A transaction that has an id has written; a database that is open for writes
 * although the quarantine closed it was opened by somebody.
 */
export async function findStrays(target: Session, migration: string): Promise<Strays> {
  const connected = await foreignSessions(target, { migration, roles: [] });
  const writing = await queryRows<{ pid: number; user: string; application: string; database: string; client: string }>(
    target,
    `SELECT pid, usename AS "user", application_name AS application, datname AS database, coalesce(client_addr::text, 'local') AS client
       FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid = ANY ($1::int[]) ORDER BY pid`,
    [connected.map(({ pid }) => pid)],
  );
  return {
    connected,
    writing: writing.map(
      ({ pid, user, application, database, client }) =>
        `${user} (${application || 'unnamed'}, from ${client}, pid ${pid}) writes in database ${database} of the target before the switch: end it, and undo what it wrote: the proof would find it as a difference`,
    ),
  };
}

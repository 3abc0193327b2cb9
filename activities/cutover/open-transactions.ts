import { applicationNamePrefix } from '../../plan/names';
import { ourSession } from '../postgres/ours';
import { queryRows, type Session } from '../postgres/session';

/** A transaction that has been open for longer than this would stretch or break the pause. */
const LONG_TRANSACTION_S = 60;

/** Transactions that the pause would end, each as a sentence. */
export async function longTransactions(session: Session, migration: string): Promise<string[]> {
  const rows = await queryRows<{ pid: number; usename: string; age: string }>(
    session,
    `SELECT pid, usename, date_trunc('second', now() - xact_start)::text AS age FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND now() - xact_start > make_interval(secs => ${LONG_TRANSACTION_S})
        AND pid <> pg_backend_pid() AND NOT ${ourSession('$1')}`,
    [applicationNamePrefix(migration)],
  );
  return rows.map(
    ({ pid, usename, age }) =>
      `a transaction of ${usename} has been open for ${age} (pid ${pid}); the pause would end it`,
  );
}

/** A prepared transaction would be decided by a coordinator that then looks for it on the target, where it isn't. */
export async function preparedTransactions(session: Session): Promise<string[]> {
  const rows = await queryRows<{ gid: string; owner: string }>(session, 'SELECT gid, owner FROM pg_prepared_xacts');
  return rows.map(({ gid, owner }) => `transaction "${gid}" of ${owner} is prepared: commit it or roll it back first`);
}

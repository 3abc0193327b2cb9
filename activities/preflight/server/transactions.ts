import type { Check } from '../../../plan/checks';
import { applicationNamePrefix } from '../../../plan/names';
import { ourSession } from '../../postgres/ours';
import { escapeLiteral, queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import type { ServerCheck } from '../sql-check';

/** A transaction that has written and is open for longer than this holds up the creation of the slot noticeably. */
const LONG_WRITE_S = 30;
/** One that only reads holds back vacuum. */
const LONG_READ_S = 3_600;

interface OpenTransaction {
  readonly pid: number;
  readonly user: string;
  readonly application: string;
  readonly database: string;
  readonly seconds: number;
  readonly wrote: boolean;
}

/** Creating a slot waits for every transaction that has written. */
export const longTransactions: ServerCheck = {
  code: 'long-transactions',
  look: async (session, { migration }) => {
    const found = await queryRows<OpenTransaction>(
      session,
      `SELECT pid, coalesce(usename, '') AS "user", application_name AS application, coalesce(datname, '') AS database,
              extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds, backend_xid IS NOT NULL AS wrote
         FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND NOT ${ourSession('$1')}
          AND clock_timestamp() - xact_start > make_interval(secs => CASE WHEN backend_xid IS NULL THEN ${LONG_READ_S} ELSE ${LONG_WRITE_S} END)
        ORDER BY xact_start`,
      [applicationNamePrefix(migration)],
    );
    return [judge(found)];
  },
};

function judge(found: readonly OpenTransaction[]): Check {
  const code = 'long-transactions';
  if (found.length === 0) return { code, level: 'ok', message: 'no transaction has been open for long' };
  const lines = found.map(
    ({ user, application, database, seconds, pid }) =>
      `${user} (${application || 'unnamed'}) in ${database} for ${seconds} s, pid ${pid}`,
  );
  return {
    code,
    level: 'warn',
    message: `${counted(found.length, 'transaction')} open for long: ${named(lines)}. The slot is not made before those that have written are over; meanwhile the source keeps WAL.`,
    remedy: script(
      found.map(({ database, pid }) => ({ database, sql: `SELECT pg_terminate_backend(${pid});` })),
      'or wait until they end',
    ),
    evidence: evidenceOf(found),
  };
}

/** A prepared transaction holds up the creation of the slot until somebody decides it. */
export const preparedTransactions: ServerCheck = {
  code: 'prepared-transactions',
  look: async (session) => {
    const found = await queryRows<{ gid: string; database: string; owner: string; seconds: number }>(
      session,
      `SELECT gid, database, owner, extract(epoch FROM clock_timestamp() - prepared)::int AS seconds
         FROM pg_prepared_xacts ORDER BY prepared`,
    );
    const code = 'prepared-transactions';
    if (found.length === 0) return [{ code, level: 'ok', message: 'no transaction is prepared' }];
    const lines = found.map(
      ({ gid, owner, database, seconds }) => `"${gid}" of ${owner} in ${database}, ${seconds} s old`,
    );
    return [
      {
        code,
        level: 'warn',
        message: `${counted(found.length, 'prepared transaction')}: ${named(lines)}. The slot is not made before they are decided, and the pause is not begun while there are any.`,
        remedy: script(
          found.map(({ gid, database }) => ({ database, sql: `ROLLBACK PREPARED ${escapeLiteral(gid)};` })),
          'or COMMIT PREPARED, as their coordinator says',
        ),
        evidence: evidenceOf(found),
      },
    ];
  },
};

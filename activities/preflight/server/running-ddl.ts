import { applicationNamePrefix } from '../../../plan/names';
import { ourSession } from '../../postgres/ours';
import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import type { ServerCheck } from '../sql-check';

/** A temporary table or a TRUNCATE takes such a lock, too, but not for long. */
const HELD_S = 5;

/** Statements as text that tell what a session does; `pg_repack` works in many small steps and is known by its name. */
const QUERY = `
  SELECT DISTINCT ON (a.pid) a.pid, coalesce(a.datname, '') AS database, coalesce(a.usename, '') AS "user",
         a.application_name AS application, found.what, left(a.query, 200) AS query
    FROM pg_stat_activity a
    JOIN (SELECT pid, command AS what, 1 AS rank FROM pg_stat_progress_cluster
          UNION ALL SELECT pid, command, 1 FROM pg_stat_progress_create_index
          UNION ALL SELECT pid, 'pg_repack', 2 FROM pg_stat_activity WHERE application_name = 'pg_repack' OR query ~ '\\mrepack\\.'
          UNION ALL SELECT l.pid, 'a lock as DDL takes it', 3 FROM pg_locks l JOIN pg_stat_activity held USING (pid)
                     WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock'
                       AND clock_timestamp() - held.xact_start > make_interval(secs => ${HELD_S})) found USING (pid)
   WHERE a.pid <> pg_backend_pid() AND a.backend_type = 'client backend' AND NOT ${ourSession('$1', 'a')}
   ORDER BY a.pid, found.rank`;

interface Running {
  readonly pid: number;
  readonly database: string;
  readonly user: string;
  readonly application: string;
  readonly what: string;
  readonly query: string;
}

/**
 * `VACUUM FULL`, `CLUSTER`, index builds, `pg_repack` and whatever else holds a lock as DDL does, in this moment: it
 * writes much WAL, changes the schema under the migration, or holds up our own statements.
 */
export const runningDdl: ServerCheck = {
  code: 'running-ddl',
  look: async (session, { migration }) => {
    const code = 'running-ddl';
    const found = await queryRows<Running>(session, QUERY, [applicationNamePrefix(migration)]);
    if (found.length === 0) return [{ code, level: 'ok', message: 'no DDL, VACUUM FULL or index build is running' }];
    const lines = found.map(
      ({ what, user, application, database, pid }) =>
        `${what} by ${user} (${application || 'unnamed'}) in ${database}, pid ${pid}`,
    );
    return [
      {
        code,
        level: 'warn',
        message: `${counted(found.length, 'session')} at work on the schema: ${named(lines)}.`,
        remedy: script(
          found.map(({ database, pid }) => ({ database, sql: `SELECT pg_terminate_backend(${pid});` })),
          'or wait until they end',
        ),
        evidence: evidenceOf(found),
      },
    ];
  },
};

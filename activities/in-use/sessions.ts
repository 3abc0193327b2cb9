import { applicationNamePrefix, replicationRole } from '../../plan/names';
import { RDS_LOGINS } from '../postgres/rds-roles';
import { type Access, queryRows, withSession } from '../postgres/session';
import { type RecordsRef, STEP } from './records';

/** Sessions of one user and application. */
export interface Users {
  readonly user: string;
  readonly application: string;
  readonly sessions: number;
  /** One of them has a transaction that writes. */
  readonly writes: boolean;
}

/**
 * Who is connected: client backends that are neither ours nor RDS's own nor of a spared role. Ours are known by their name and their role.
 * Replication connections are none: a reader of a slot does not make a side serve.
 * @param withMaster sessions of the master user count, too
 */
export function usersOf(access: Access, ref: RecordsRef, withMaster: boolean): Promise<Users[]> {
  const { username } = access.credentials;
  const never = [...RDS_LOGINS, ...ref.plan.cutover.spareRoles, ...(withMaster ? [] : [username])];
  return withSession(access, { step: STEP, database: 'postgres', readOnly: true }, (session) =>
    queryRows<Users>(
      session,
      `SELECT coalesce(usename, '(dropped)') AS "user", application_name AS application, count(*)::int AS sessions,
              coalesce(bool_or(backend_xid IS NOT NULL), false) AS writes
         FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
          AND NOT (starts_with(application_name, $1) AND usename = ANY ($2::text[]))
          AND coalesce(usename, '') <> ALL ($3::text[])
        GROUP BY 1, 2 ORDER BY 1, 2`,
      [applicationNamePrefix(ref.id), [username, replicationRole(ref.id)], never],
    ),
  );
}

const MAX_SHOWN = 5;

/** For people: the first of them. */
export function usersText(users: readonly Users[]): string {
  const shown = users
    .slice(0, MAX_SHOWN)
    .map(
      ({ user, application, sessions, writes }) =>
        `${sessions} of ${user} (${application || 'unnamed'}${writes ? ', writing' : ''})`,
    );
  return users.length > MAX_SHOWN ? `${shown.join(', ')} and ${users.length - MAX_SHOWN} kinds more` : shown.join(', ');
}

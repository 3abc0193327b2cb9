import { applicationNamePrefix, replicationRole } from '../../plan/names';
import { isSqlState } from '../classify-error';
import { endable } from '../postgres/end-sessions';
import { isOneOf, type OurSession, ourSession, parametersOf } from '../postgres/ours';
import { IS_REPLICATION_ROLE } from '../postgres/other-migrations';
import { RDS_LOGINS } from '../postgres/rds-roles';
import { escapeIdentifier, escapeLiteral, queryRows, type Session } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';

/** What the fence will change on the source, and what was there before. */
export interface FencePlan {
  /** Login roles that lose LOGIN; the unfence gives it back to exactly these. */
  readonly roles: readonly string[];
  /** Login roles that we may not alter: as long as there is one, the fence has a hole. */
  readonly unlockable: readonly string[];
  /** Databases whose default becomes read-only, with their own setting before, if they had one. */
  readonly databases: readonly { readonly name: string; readonly readOnlyBefore: string | null }[];
}

/** A session that could write. */
export interface ForeignSession {
  readonly pid: number;
  readonly user: string;
  readonly application: string;
  readonly client: string | null;
  readonly database: string | null;
  /** Of a superuser: nobody but another one can end it. */
  readonly unendable: boolean;
}

/**
 * Lists whom the fence will lock out: every login role but the spared ones, RDS's own, the master user, and those with which a migration,
 * ours or another, replicates. To alter
 * a role takes CREATEROLE before PostgreSQL 16 (one that may replicate: a superuser), and ADMIN OPTION on it since; to alter a database, to own it. Where we
 * don't own a database its default stays as it is: NOLOGIN and the ended sessions are the fence, the default a second lock.
 * @see https://www.postgresql.org/docs/current/sql-alterrole.html
 */
export async function planFence(
  source: Session,
  migration: string,
  masterUser: string,
  databases: readonly string[],
  spared: readonly string[],
): Promise<FencePlan> {
  const roles = await queryRows<{ rolname: string; ours: boolean }>(
    source,
    `SELECT r.rolname,
            me.rolsuper OR NOT r.rolsuper AND CASE
              WHEN current_setting('server_version_num')::int < 160000 THEN me.rolcreaterole AND NOT r.rolreplication
              ELSE me.rolcreaterole AND pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION') END AS ours
       FROM pg_roles r, pg_roles me
      WHERE me.rolname = current_user AND r.rolcanlogin AND r.rolname <> ALL ($1::text[]) AND r.rolname NOT LIKE 'pg\\_%'
        AND NOT ${IS_REPLICATION_ROLE}
      ORDER BY r.rolname`,
    [[...RDS_LOGINS, masterUser, replicationRole(migration), ...spared]],
  );
  const settings = await queryRows<{ name: string; readOnlyBefore: string | null }>(
    source,
    `SELECT d.datname AS name, (
              SELECT split_part(one, '=', 2) FROM pg_db_role_setting s, unnest(s.setconfig) AS one
               WHERE s.setdatabase = d.oid AND s.setrole = 0 AND one LIKE 'default_transaction_read_only=%'
            ) AS "readOnlyBefore"
       FROM pg_database d
      WHERE d.datname = ANY ($1::text[]) AND pg_has_role(current_user, d.datdba, 'usage') ORDER BY 1`,
    [databases],
  );
  return {
    roles: roles.filter(({ ours }) => ours).map(({ rolname }) => rolname),
    unlockable: roles.filter(({ ours }) => !ours).map(({ rolname }) => rolname),
    databases: settings,
  };
}

const onDatabase = (name: string, what: string) => `ALTER DATABASE ${escapeIdentifier(name)} ${what};`;
const SETTING = 'default_transaction_read_only';

/** The plan without the roles that somebody has dropped since: to alter one of them would fail, and the rest with it. */
export async function withoutDroppedRoles(source: Session, fence: FencePlan): Promise<FencePlan> {
  const rows = await queryRows<{ rolname: string }>(
    source,
    'SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[])',
    [fence.roles],
  );
  const there = new Set(rows.map(({ rolname }) => rolname));
  return { ...fence, roles: fence.roles.filter((role) => there.has(role)) };
}

/** Statements that raise the fence: no new logins, new sessions read-only. One transaction, one round trip. */
export const fenceSql = (fence: FencePlan): string =>
  `BEGIN;
   ${fence.roles.map((role) => `ALTER ROLE ${escapeIdentifier(role)} NOLOGIN;`).join('\n')}
   ${fence.databases.map(({ name }) => onDatabase(name, `SET ${SETTING} = on`)).join('\n')}
   COMMIT`;

/** Statements that take the fence down: everything is as it was. */
export const unfenceSql = (fence: FencePlan): string =>
  `BEGIN;
   ${fence.roles.map((role) => `ALTER ROLE ${escapeIdentifier(role)} LOGIN;`).join('\n')}
   ${fence.databases
     .map(({ name, readOnlyBefore }) =>
       onDatabase(
         name,
         readOnlyBefore === null ? `RESET ${SETTING}` : `SET ${SETTING} = ${escapeLiteral(readOnlyBefore)}`,
       ),
     )
     .join('\n')}
   COMMIT`;

/**
 * Login roles that the fence should have, and that can still log in: made, or given LOGIN again, since the board was read. The fence
 * can't take them in, since nobody would give back what it takes. A role with the name of another migration's counts as well: a migration beside
 * this one was refused before, so this is somebody's own.
 */
export async function rolesLeftOpen(
  source: Session,
  migration: string,
  spared: readonly string[],
): Promise<readonly string[]> {
  const rows = await queryRows<{ rolname: string }>(
    source,
    `SELECT rolname FROM pg_roles r
      WHERE rolcanlogin AND rolname <> current_user AND rolname <> ALL ($1::text[]) AND rolname NOT LIKE 'pg\\_%' ORDER BY 1`,
    [[...RDS_LOGINS, replicationRole(migration), ...spared]],
  );
  return rows.map(({ rolname }) => rolname);
}

/** Which sessions on the source are not foreign. */
export interface Spared {
  readonly migration: string;
  /** `cutover.spareRoles`. */
  readonly roles: readonly string[];
  /**
   * Inside the pause: exactly these are ours, and whoever else calls itself so is ended. Absent where sessions are only looked at: ours are
   * those with our name in the role that looks.
   */
  readonly ours?: readonly OurSession[];
}

/**
 * Sessions that could write on the source: client backends that are neither ours nor RDS's own nor of a spared role. A
 * session of the master user that isn't ours counts, too: the fence can't lock that role out, so it has to be gone. So does a walsender of
 * a database that reads from no slot at the moment: it takes SQL. Ours are those of the replication role. Whoever is still
 * logging in (seen from PostgreSQL 18 on) is none yet, and nobody but a superuser could end that.
 * @see https://www.postgresql.org/docs/current/protocol-replication.html
 */
export async function foreignSessions(source: Session, spared: Spared): Promise<ForeignSession[]> {
  const { sql, parameters } = foreign(spared);
  return queryRows<ForeignSession>(source, sql, parameters);
}

/**
 * Ends the foreign sessions: in one statement where PostgreSQL lets us, otherwise one by one, so that one that can't be ended keeps none of the
 * others. Returns those that there still were, with those that can't be ended.
 */
export async function terminateForeignSessions(source: Session, spared: Spared): Promise<ForeignSession[]> {
  const { sql, parameters } = foreign(spared);
  const ended = `WITH found AS MATERIALIZED (${sql}) SELECT found.*, CASE WHEN NOT unendable THEN pg_terminate_backend(pid) END FROM found`;
  try {
    return await queryRows<ForeignSession>(source, ended, parameters);
  } catch (error) {
    if (!isSqlState(error, SQLSTATE.insufficientPrivilege)) throw error;
  }
  const there: ForeignSession[] = [];
  for (const one of await foreignSessions(source, spared)) {
    const refused = await queryRows(source, `${ended} WHERE pid = ${one.pid}`, parameters).then(
      () => false,
      (error: unknown) => {
        if (!isSqlState(error, SQLSTATE.insufficientPrivilege)) throw error;
        return true;
      },
    );
    there.push({ ...one, unendable: one.unendable || refused });
  }
  return there;
}

/** What a board says of sessions with which no pause can come to its end. */
export function unendableOf(sessions: readonly ForeignSession[]): string[] {
  const found = sessions.filter(({ unendable }) => unendable);
  if (found.length === 0) return [];
  const who = found.map(({ user, application, pid }) => `${user} (${application || 'unnamed'}, pid ${pid})`);
  return [`the master user can't end sessions of superusers, and the pause would be given up: ${who.join(', ')}`];
}

/** Login roles among these that are superusers: nobody but RDS can alter them, or end their sessions. */
export async function superusersAmong(source: Session, roles: readonly string[]): Promise<string[]> {
  const rows = await queryRows<{ rolname: string }>(
    source,
    'SELECT rolname FROM pg_roles WHERE rolsuper AND rolname = ANY ($1::text[]) ORDER BY 1',
    [roles],
  );
  return rows.map(({ rolname }) => rolname);
}

function foreign({ migration, roles, ours }: Spared): { sql: string; parameters: unknown[] } {
  const isOurs = ours ? isOneOf('$3', '$4') : ourSession('$3');
  return {
    sql: `SELECT pid, coalesce(usename, '(dropped)') AS "user", application_name AS application, client_addr::text AS client,
         datname AS database, NOT ${endable()} AS unendable
    FROM pg_stat_activity
   WHERE pid <> pg_backend_pid() AND usesysid IS NOT NULL AND coalesce(usename, '') <> ALL ($1::text[])
     AND CASE backend_type
           WHEN 'client backend' THEN NOT ${isOurs}
           WHEN 'walsender' THEN datid IS NOT NULL AND usename IS DISTINCT FROM $2
            AND pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE active_pid IS NOT NULL)
           ELSE false END
   ORDER BY pid`,
    parameters: [
      [...RDS_LOGINS, ...roles],
      replicationRole(migration),
      ...(ours ? parametersOf(ours) : [applicationNamePrefix(migration)]),
    ],
  };
}

import { replicationRole } from '../../plan/names';
import { isSqlState } from '../classify-error';
import { ofUsers } from '../postgres/rds-roles';
import { escapeLiteral, queryOne, queryRows, type Session } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';

/**
 * A digest of the password of each role of users, by the role as SQL writes it; the server makes the digest, the verifier itself never leaves it. Without our role and the
 * master user, with whom we log in to both sides.
 * @returns undefined where the session may not read passwords: as the master user of RDS, whatever `pg_read_all_data` promises
 * @see https://www.postgresql.org/docs/current/catalog-pg-authid.html
 */
export async function readPasswordDigests(
  session: Session,
  migration: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const { allowed } = await queryOne<{ allowed: boolean }>(
    session,
    `SELECT has_table_privilege('pg_authid', 'SELECT') AS allowed`,
  );
  if (!allowed) return undefined;
  try {
    return await readDigests(session, migration);
  } catch (error) {
    if (isSqlState(error, SQLSTATE.insufficientPrivilege)) return undefined;
    throw error;
  }
}

async function readDigests(session: Session, migration: string): Promise<ReadonlyMap<string, string>> {
  const rows = await queryRows<{ role: string; digest: string }>(
    session,
    `SELECT quote_ident(rolname) AS role, coalesce(encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex'), 'none') AS digest
       FROM pg_authid WHERE ${ofUsers('rolname')} AND rolname <> $1 AND rolname <> current_user`,
    [replicationRole(migration)],
  );
  return new Map(rows.map(({ role, digest }) => [role, digest]));
}

/** Login roles of users, as SQL writes them; without our role and the one that looks. */
export async function readLoginRoles(session: Session, migration: string): Promise<string[]> {
  const rows = await queryRows<{ role: string }>(
    session,
    `SELECT quote_ident(rolname) AS role FROM pg_roles
      WHERE rolcanlogin AND ${ofUsers('rolname')} AND rolname <> $1 AND rolname <> current_user ORDER BY 1`,
    [replicationRole(migration)],
  );
  return rows.map(({ role }) => role);
}

/**
 * Roles that both sides have and whose passwords are not kept by the same verifier. One that was set twice, to the same on each side, is among
 * them: every time it is set there is another salt.
 */
export const differingPasswords = (
  source: ReadonlyMap<string, string>,
  target: ReadonlyMap<string, string>,
): string[] => [...source].flatMap(([role, digest]) => (target.has(role) && target.get(role) !== digest ? [role] : []));

/** Statement for the source that answers with those that give the target the same passwords. They hold the verifiers: whoever runs it keeps them to himself. */
export const copyPasswordsSql = (roles: readonly string[]): string =>
  `SELECT format('SET default_transaction_read_only = off; ALTER ROLE %I PASSWORD %L;', rolname, rolpassword) FROM pg_authid WHERE quote_ident(rolname) IN (${roles.map(escapeLiteral).join(', ')});`;

import { finalFailure } from '../../plan/failures';
import { isSqlState } from '../classify-error';
import { databasesOf } from './left-out';
import { escapeIdentifier, queryRows, type Session } from './session';
import { SQLSTATE } from './sqlstates';
import { whileNobodyElseDoes } from './while-nobody-else-does';

/** The statement that lets a role connect to a database. */
export const grantConnectSql = (database: string, role: string): string =>
  `GRANT CONNECT ON DATABASE ${escapeIdentifier(database)} TO ${escapeIdentifier(role)};`;

/**
 * Lets a role connect to databases that aren't open to PUBLIC. Touches no other.
 * @param databases those of the plan; undefined: all that accept connections
 * @throws ApplicationFailure AccessDenied for one whose CONNECT isn't ours to grant
 * @see https://www.postgresql.org/docs/current/ddl-priv.html
 */
export async function grantConnect(
  session: Session,
  role: string,
  databases: readonly string[] | undefined,
): Promise<void> {
  const wanted = databases ?? (await databasesOf(session)).flatMap(({ name, closed }) => (closed ? [] : [name]));
  for (const name of await shutTo(session, role, wanted)) {
    try {
      await whileNobodyElseDoes(session, grantConnectSql(name, role));
    } catch (error) {
      if (!isSqlState(error, SQLSTATE.insufficientPrivilege)) throw error;
    }
  }
  // PostgreSQL only warns where it grants nothing.
  const left = await shutTo(session, role, wanted);
  if (left.length === 0) return;
  throw finalFailure(
    'AccessDenied',
    `Role ${role}, with which the target reads from the source, may not connect to ${left.length === 1 ? 'database' : 'databases'} ${left.join(', ')}, and the master user may not grant it. As the owner: ${left.map((name) => grantConnectSql(name, role)).join(' ')} Then send retry.`,
  );
}

async function shutTo(session: Session, role: string, databases: readonly string[]): Promise<string[]> {
  const rows = await queryRows<{ name: string }>(
    session,
    `SELECT datname AS name FROM pg_database
      WHERE datname = ANY ($2::text[]) AND NOT has_database_privilege($1::name, oid, 'CONNECT') ORDER BY 1`,
    [role, databases],
  );
  return rows.map(({ name }) => name);
}

/** Takes back what was granted to a role on databases, by us or by hand: as long as it has that, PostgreSQL doesn't drop it. */
export async function revokeOnDatabases(session: Session, role: string): Promise<void> {
  const granted = await queryRows<{ name: string }>(
    session,
    `SELECT DISTINCT d.datname AS name FROM pg_database d, aclexplode(d.datacl) AS a
      WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1) ORDER BY 1`,
    [role],
  );
  for (const { name } of granted) {
    await whileNobodyElseDoes(
      session,
      `REVOKE ALL ON DATABASE ${escapeIdentifier(name)} FROM ${escapeIdentifier(role)}`,
    );
  }
}

import type { DatabaseError } from 'pg';
import { finalFailure } from '../../plan/failures';
import { isSqlState } from '../classify-error';
import { replicationRole } from '../../plan/names';
import { awsOf, type Dependencies, instanceOf, type MigrationRef, sideInPlan } from '../dependencies';
import { ensureReplicationCredentials, hasOurSecret } from '../secrets/replication-secret';
import { claimInstance } from './claim';
import { grantConnect, revokeOnDatabases } from './database-grants';
import { provenanceOf, type Whose } from './provenance';
import { scramVerifier } from './scram';
import { SQLSTATE } from './sqlstates';
import {
  accessIfThere,
  accessTo,
  escapeIdentifier,
  escapeLiteral,
  queryRows,
  type Session,
  type Side,
  withSession,
} from './session';
import { whileNobodyElseDoes } from './while-nobody-else-does';

/** Group role whose members may replicate on RDS. */
const RDS_REPLICATION = 'rds_replication';

/**
 * Creates the login role with which the target's subscription reads from the source: `rds_replication`,
 * and CONNECT where PUBLIC has not got it.
 * Its password is generated and lives in Secrets Manager.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.FeatureSupport.LogicalReplication.html
 * @throws ApplicationFailure NotOurs for a role, or a secret, that somebody else made under its name
 */
export async function createAccess(deps: Dependencies, ref: MigrationRef): Promise<{ role: string }> {
  const aws = awsOf(deps, ref);
  const access = await accessTo(deps, ref, 'source');
  await claimInstance(access, ref.id, ref.plan.source.instance);
  await withSession(access, { step: 'access', database: 'postgres' }, async (session) => {
    // Before there is a secret of ours: without a comment, that secret is what says that a role is ours.
    const whose = await whoseRole(session, ref.id, () => hasOurSecret(aws, ref.id));
    if (whose === 'foreign') {
      throw finalFailure(
        'NotOurs',
        `Role ${replicationRole(ref.id)} exists on ${ref.plan.source.instance}, and this migration did not make it. Keyshift leaves it alone: find out whose it is, rename or drop it, then send retry.`,
      );
    }
    const { username, password } = await ensureReplicationCredentials(aws, ref.id);
    const role = escapeIdentifier(username);
    await whileNobodyElseDoes(session, `ALTER ROLE ${role} LOGIN PASSWORD ${escapeLiteral(scramVerifier(password))}`);
    await whileNobodyElseDoes(session, `GRANT ${RDS_REPLICATION} TO ${role}`);
    for (const name of await timeoutsOf(session)) {
      await whileNobodyElseDoes(session, `ALTER ROLE ${role} SET ${name} = 0`);
    }
    // The fence makes read-only the database's default, and an event trigger on login may write: it would lock the target out.
    await whileNobodyElseDoes(session, `ALTER ROLE ${role} SET default_transaction_read_only = off`);
    await grantConnect(session, username, ref.plan.databases);
  });
  return { role: replicationRole(ref.id) };
}

/**
 * What ends a session that takes long. A default of the database or of the parameter group would end the walsender in the middle of a long
 * transaction, which the apply worker asks for again and again; a role's own default goes before those.
 * @see https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-TRANSACTION-TIMEOUT
 */
async function timeoutsOf(session: Session): Promise<string[]> {
  const rows = await queryRows<{ name: string }>(
    session,
    `SELECT name FROM pg_settings
      WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')
      ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** Drops the role on one side, if that side is there and the role is ours. */
export async function dropReplicationRole(deps: Dependencies, ref: MigrationRef, side: Side): Promise<void> {
  const name = replicationRole(ref.id);
  const access = await accessIfThere(deps, ref, side);
  if (!access) return;
  // On the target it is the one that came with the snapshot.
  const isOurTarget = sideInPlan(ref, side) === 'target';
  await withSession(access, { step: 'access', database: 'postgres' }, async (session) => {
    const whose = await whoseRole(session, ref.id, async () => isOurTarget || hasOurSecret(awsOf(deps, ref), ref.id));
    if (whose !== 'ours') return;
    await revokeOnDatabases(session, name);
    await dropRole(session, name, instanceOf(ref, side));
  });
}

/** @throws ApplicationFailure NotOurs where somebody gave the role something else, which PostgreSQL names */
async function dropRole(session: Session, name: string, instance: string): Promise<void> {
  try {
    await session.query(`DROP ROLE ${escapeIdentifier(name)}`);
  } catch (error) {
    if (!isSqlState(error, SQLSTATE.dependentObjects)) throw error;
    const { message, detail } = error as DatabaseError;
    throw finalFailure(
      'NotOurs',
      `${instance}: ${message}: ${(detail ?? 'PostgreSQL does not say which').replaceAll('\n', '; ')}. Somebody granted that to the replication role of this migration. Take it back, in each database that is named: GRANT ${escapeIdentifier(name)} TO CURRENT_USER; DROP OWNED BY ${escapeIdentifier(name)}; then send retry.`,
    );
  }
}

/**
 * Whose the role of our name is: ours by its comment. One without a comment may be of a build before the comments.
 * @param isWithoutComment whether such a one is ours
 */
async function whoseRole(
  session: Session,
  migration: string,
  isWithoutComment: () => Promise<boolean>,
): Promise<Whose> {
  const [found] = await queryRows<{ comment: string | null }>(
    session,
    `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1`,
    [replicationRole(migration)],
  );
  if (!found) return 'none';
  if (found.comment !== null) return found.comment === provenanceOf(migration) ? 'ours' : 'foreign';
  return (await isWithoutComment()) ? 'ours' : 'foreign';
}

import { replicationRole } from '../../plan/names';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { ensureReplicationCredentials } from '../secrets/replication-secret';
import { claimInstance } from './claim';
import { scramVerifier } from './scram';
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

/** Group role whose members may replicate on RDS. */
const RDS_REPLICATION = 'rds_replication';

/**
 * Creates the login role with which the target's subscription reads from the source: `rds_replication` and nothing else.
 * Its password is generated and lives in Secrets Manager.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.FeatureSupport.LogicalReplication.html
 */
export async function createAccess(deps: Dependencies, ref: MigrationRef): Promise<{ role: string }> {
  const { username, password } = await ensureReplicationCredentials(awsOf(deps, ref), ref.id);
  const access = await accessTo(deps, ref, 'source');
  await claimInstance(access, ref.id, ref.plan.source.instance);
  await withSession(access, { step: 'access', database: 'postgres' }, async (session) => {
    const role = escapeIdentifier(username);
    if (!(await roleExists(session, username))) await session.query(`CREATE ROLE ${role} LOGIN`);
    await session.query(`ALTER ROLE ${role} LOGIN PASSWORD ${escapeLiteral(scramVerifier(password))}`);
    await session.query(`GRANT ${RDS_REPLICATION} TO ${role}`);
  });
  return { role: username };
}

/** Drops the role on one side, if that side is there. */
export async function dropReplicationRole(deps: Dependencies, ref: MigrationRef, side: Side): Promise<void> {
  const name = replicationRole(ref.id);
  const access = await accessIfThere(deps, ref, side);
  if (!access) return;
  await withSession(access, { step: 'access', database: 'postgres' }, async (session) => {
    if (await roleExists(session, name)) await session.query(`DROP ROLE ${escapeIdentifier(name)}`);
  });
}

async function roleExists(session: Session, role: string): Promise<boolean> {
  return (await queryRows(session, 'SELECT 1 FROM pg_roles WHERE rolname = $1', [role])).length > 0;
}

import { replicationRole } from '../../plan/names';
import { refuseOtherMigrations } from './other-migrations';
import { provenanceOf } from './provenance';
import { type Access, escapeIdentifier, escapeLiteral, queryRows, type Session, withSession } from './session';

/** Every migration takes this advisory lock, in the database `postgres`, to look for others and to leave its own mark. */
const CLAIM_LOCK = `pg_advisory_xact_lock(hashtext('keyshift'), hashtext('claim'))`;

/**
 * Claims an instance for a migration, so that two whose preflights passed at the same moment don't both go on: looks for another one and makes
 * the replication role, still without LOGIN, under one lock. Claiming what is ours already changes nothing.
 * @throws ApplicationFailure NotOurs where another migration is there
 */
export async function claimInstance(access: Access, migration: string, instance: string): Promise<void> {
  const role = escapeIdentifier(replicationRole(migration));
  await withSession(access, { step: 'claim', database: 'postgres' }, async (session) => {
    await session.query('BEGIN');
    try {
      await session.query(`SELECT ${CLAIM_LOCK}`);
      await refuseOtherMigrations(session, migration, instance);
      if (!(await findRole(session, migration))) {
        await session.query(`CREATE ROLE ${role} NOLOGIN`);
        await session.query(`COMMENT ON ROLE ${role} IS ${escapeLiteral(provenanceOf(migration))}`);
      }
      await session.query('COMMIT');
    } catch (error) {
      await session.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  });
}

/** Undo: takes the claim back, unless it has become the login that replicates, which has an undo of its own. */
export async function releaseInstance(access: Access, migration: string): Promise<void> {
  await withSession(access, { step: 'claim', database: 'postgres' }, async (session) => {
    const found = await findRole(session, migration);
    if (!found || found.login || found.comment !== provenanceOf(migration)) return;
    await session.query(`DROP ROLE ${escapeIdentifier(replicationRole(migration))}`);
  });
}

async function findRole(
  session: Session,
  migration: string,
): Promise<{ login: boolean; comment: string | null } | undefined> {
  const [found] = await queryRows<{ login: boolean; comment: string | null }>(
    session,
    `SELECT rolcanlogin AS login, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1`,
    [replicationRole(migration)],
  );
  return found;
}

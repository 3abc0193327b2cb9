import { replicationRole, publicationName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { dropFenceTable } from '../postgres/fence-table';
import { dropReplicationRole } from '../postgres/replication-role';
import { accessTo, escapeIdentifier, inEachDatabase } from '../postgres/session';

/**
 * Removes what came to the target with the snapshot and was only for the migration: the publication, our schema and the
 * replication role. Comes after the subscriptions are dropped.
 */
export async function removeFromTarget(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<{ role: string }> {
  const access = await accessTo(deps, input, 'target');
  await inEachDatabase(access, input.databases, { step: 'decommission' }, async (session) => {
    await session.query(`DROP PUBLICATION IF EXISTS ${escapeIdentifier(publicationName(input.id))}`);
    await dropFenceTable(session, input.id);
  });
  await dropReplicationRole(deps, input, 'target');
  return { role: replicationRole(input.id) };
}

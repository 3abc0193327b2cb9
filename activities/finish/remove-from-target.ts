import { replicationRole } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { unpublish } from '../postgres/create-publications';
import { dropReplicationRole } from '../postgres/replication-role';
import { accessIfThere, inEachDatabase } from '../postgres/session';

/**
 * Removes what came to the target with the snapshot and was only for the migration: the publication, our schema and the
 * replication role. Comes after the subscriptions are dropped.
 */
export async function removeFromTarget(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<{ role: string }> {
  const access = await accessIfThere(deps, input, 'target');
  if (!access) return { role: replicationRole(input.id) };
  await inEachDatabase(access, input.databases, { step: 'decommission' }, (session, database) =>
    unpublish(session, input.id, database),
  );
  await dropReplicationRole(deps, input, 'target');
  return { role: replicationRole(input.id) };
}

import type { Dependencies, MigrationRef } from '../dependencies';
import { deleteReplicationSecret } from '../secrets/replication-secret';
import { dropReplicationRole } from './replication-role';

/** Drops the replication role on the source and the secret that opens it. */
export async function dropAccess(deps: Dependencies, ref: MigrationRef): Promise<void> {
  await dropReplicationRole(deps, ref, 'source');
  await deleteReplicationSecret(deps, ref);
}

import type { Dependencies, MigrationRef } from '../dependencies';
import { dropPublications } from '../postgres/create-publications';
import { dropSlots } from '../postgres/create-slots';
import { dropAccess } from '../postgres/drop-access';
import { dropSubscriptions } from '../postgres/subscriptions';
import { removeWayBack } from '../way-back/remove-way-back';
import { removeFromTarget } from './remove-from-target';

export interface RemoveReplicationInput extends MigrationRef {
  readonly databases: readonly string[];
  /** Where applications are: the other side must be unused. Absent, from a workflow of an earlier build: one of the two must be. */
  readonly serving?: 'source' | 'target';
}

/**
 * Removes everything of the replication, on both sides: from its end to its beginning, so that nothing reads from what is
 * gone. One activity for what an abort undoes piece by piece: each would add six events to the history.
 */
export async function removeReplication(deps: Dependencies, input: RemoveReplicationInput): Promise<void> {
  await removeWayBack(deps, input);
  await dropSubscriptions(deps, input);
  await dropSlots(deps, input);
  await dropPublications(deps, input);
  await dropAccess(deps, input);
  await removeFromTarget(deps, input);
}

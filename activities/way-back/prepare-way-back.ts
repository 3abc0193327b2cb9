import type { Dependencies, MigrationRef } from '../dependencies';
import { accessTo, withSession } from '../postgres/session';
import { createSubscriptions } from '../postgres/subscriptions';
import { createRecords } from '../quarantine/records';

/**
 * Days before the cutover: a disabled subscription on the source in each database, to the publication that came to the target with
 * the snapshot. PostgreSQL connects to the target to make it, which proves the path back before anything depends on it.
 * @throws ApplicationFailure TargetCannotReachSource when the source can't connect to the target
 */
export async function prepareWayBack(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<void> {
  const [first] = input.databases;
  if (first === undefined) return;
  // The publication of the target has this table, too: a subscription wants its like on the source. Earlier builds made it only now.
  const access = await accessTo(deps, input, 'source');
  await withSession(access, { step: 'way-back', database: first }, (session) => createRecords(session, input.id));
  await createSubscriptions(deps, { ...input, direction: 'back' });
}

import type { DBInstance } from '@aws-sdk/client-rds';
import { TAG_ROLE } from '../../plan/names';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { deleteAndWait, unprotect, WHOLE } from '../rds/delete-instance';
import { findInstance } from '../rds/find-instance';
import { deleteLogGroupsOfOurs, exportsLogs } from '../rds/log-groups';
import { isOurs } from '../rds/ownership';
import { planReplicas } from './planned-replicas';

/** One that somebody promoted is no replica any more, and theirs: RDS says no primary of it. */
const isOurReplica = (found: DBInstance, { id, plan }: MigrationRef): boolean =>
  isOurs(found.TagList, id) &&
  (found.TagList ?? []).some(({ Key, Value }) => Key === TAG_ROLE && Value === 'replica') &&
  found.ReadReplicaSourceDBInstanceIdentifier === plan.target.instance;

/** Undo: deletes the read replicas of the target that are ours, and the log groups that came with them. */
export async function deleteReplicas(deps: Dependencies, ref: MigrationRef): Promise<void> {
  const aws = awsOf(deps, ref);
  const target = await findInstance(aws, ref.plan.target.instance);
  const { rebuilt } = await planReplicas(aws, ref);
  const names = new Set([...(target?.ReadReplicaDBInstanceIdentifiers ?? []), ...rebuilt.map(({ name }) => name)]);
  await Promise.all(
    [...names].map(async (name) => {
      const found = await findInstance(aws, name);
      if (found && !isOurReplica(found, ref)) return;
      if (found?.DeletionProtection) await unprotect(aws, name);
      if (found) await deleteAndWait(aws, found, WHOLE);
      await deleteLogGroupsOfOurs(aws, ref.id, name, found !== undefined && exportsLogs(found));
    }),
  );
}

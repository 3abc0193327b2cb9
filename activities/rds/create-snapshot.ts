import { CreateDBSnapshotCommand } from '@aws-sdk/client-rds';
import { awsName, ourTags } from '../../plan/names';
import { isAwsError } from '../classify-error';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { requireInstance } from './find-instance';
import { findSnapshot, waitForSnapshot } from './find-snapshot';
import { requireOurs } from './ownership';
import { requireTheSource } from './require-same';
import { callAtRest } from './wait-for-instance';

export const sourceSnapshotName = (migration: string): string => awsName(migration, 'source');

/** Takes a manual snapshot of the source and waits for it, hours if need be. Adopts one of ours that exists. */
export async function createSnapshot(
  deps: Dependencies,
  ref: MigrationRef,
): Promise<{ snapshot: string; sizeGiB: number }> {
  const aws = awsOf(deps, ref);
  const snapshot = sourceSnapshotName(ref.id);
  const existing = await findSnapshot(aws, snapshot);
  if (existing) {
    requireOurs(`DB snapshot ${snapshot}`, existing.TagList, ref.id);
  } else {
    const { instance } = ref.plan.source;
    requireTheSource(await requireInstance(aws, instance), ref, 'Keyshift takes no snapshot of it.');
    const create = new CreateDBSnapshotCommand({
      DBInstanceIdentifier: instance,
      DBSnapshotIdentifier: snapshot,
      Tags: ourTags(ref.id, 'snapshot'),
    });
    await request(() => callAtRest(aws, instance, () => aws.rds.send(create)));
  }
  const done = await waitForSnapshot(aws, snapshot);
  return { snapshot, sizeGiB: done.AllocatedStorage ?? 0 };
}

/** A snapshot that "exists already" was begun by an attempt of ours whose answer got lost: the wait will judge it. */
async function request(send: () => Promise<unknown>): Promise<void> {
  try {
    await send();
  } catch (error) {
    if (!isAwsError(error, 'DBSnapshotAlreadyExists')) throw error;
  }
}

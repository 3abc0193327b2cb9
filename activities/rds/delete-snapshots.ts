import { DeleteDBSnapshotCommand } from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { MayBeGone } from '../not-shown-yet';
import { waitUntil } from '../wait';
import { encryptedSnapshotName } from './copy-snapshot';
import { sourceSnapshotName } from './create-snapshot';
import { findSnapshot } from './find-snapshot';
import { isOurs } from './ownership';

/** Deletes the snapshot of the source, if it's there and ours. */
export const deleteSnapshot = (deps: Dependencies, ref: MigrationRef): Promise<void> =>
  deleteOurs(awsOf(deps, ref), ref.id, sourceSnapshotName(ref.id));

/** Deletes the encrypted copy, if it's there and ours. */
export const deleteEncryptedSnapshot = (deps: Dependencies, ref: MigrationRef): Promise<void> =>
  deleteOurs(awsOf(deps, ref), ref.id, encryptedSnapshotName(ref.id));

/** Deletes both. */
export async function deleteSnapshots(deps: Dependencies, ref: MigrationRef): Promise<void> {
  await deleteEncryptedSnapshot(deps, ref);
  await deleteSnapshot(deps, ref);
}

/** Deletes a snapshot if it's there and ours, and waits until it is gone. */
export async function deleteOurs(aws: Aws, migration: string, snapshot: string): Promise<void> {
  const gone = new MayBeGone();
  await waitUntil(async () => {
    const found = await findSnapshot(aws, snapshot);
    if (!found || !isOurs(found.TagList, migration)) return { done: undefined };
    if (gone.isUnderWay) return { waitingFor: `${snapshot} to be gone` };
    try {
      await aws.rds.send(new DeleteDBSnapshotCommand({ DBSnapshotIdentifier: snapshot }));
      gone.accepted();
    } catch (error) {
      // A snapshot that is still being made can't be deleted yet.
      if (!isAwsError(error, 'InvalidDBSnapshotState', 'DBSnapshotNotFound') && !gone.says(error)) throw error;
    }
    return { waitingFor: `${snapshot}: ${found.Status}` };
  });
}

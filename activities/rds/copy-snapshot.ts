import { awsName } from '../../plan/names';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { copyUnderKey } from './copy-under-key';
import { sourceSnapshotName } from './create-snapshot';

export const encryptedSnapshotName = (migration: string): string => awsName(migration, 'encrypted');

export interface CopySnapshotInput extends MigrationRef {
  readonly kmsKeyArn: string;
}

/**
 * Copies the snapshot under the wanted KMS key: the only way to encrypt the contents of an unencrypted instance.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html
 */
export async function copySnapshot(deps: Dependencies, input: CopySnapshotInput): Promise<{ snapshot: string }> {
  const { id, kmsKeyArn } = input;
  const snapshot = encryptedSnapshotName(id);
  const from = sourceSnapshotName(id);
  await copyUnderKey(awsOf(deps, input), {
    migration: id,
    from,
    to: snapshot,
    kmsKeyArn,
    role: 'encrypted-snapshot',
  });
  return { snapshot };
}

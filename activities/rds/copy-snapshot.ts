import { CopyDBSnapshotCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { awsName, ourTags } from '../../plan/names';
import { isAwsError } from '../classify-error';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { sourceSnapshotName } from './create-snapshot';
import { findSnapshot, waitForSnapshot } from './find-snapshot';
import { requireOurs } from './ownership';

export const encryptedSnapshotName = (migration: string): string => awsName(migration, 'encrypted');

export interface CopySnapshotInput extends MigrationRef {
  readonly kmsKeyArn: string;
}

/**
 * Copies the snapshot under the wanted KMS key: the only way to encrypt the contents of an unencrypted instance.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html
 */
export async function copySnapshot(deps: Dependencies, input: CopySnapshotInput): Promise<{ snapshot: string }> {
  const aws = awsOf(deps, input);
  const snapshot = encryptedSnapshotName(input.id);
  const existing = await findSnapshot(aws, snapshot);
  if (existing) {
    requireOurs(`DB snapshot ${snapshot}`, existing.TagList, input.id);
  } else {
    try {
      await aws.rds.send(
        new CopyDBSnapshotCommand({
          SourceDBSnapshotIdentifier: sourceSnapshotName(input.id),
          TargetDBSnapshotIdentifier: snapshot,
          KmsKeyId: input.kmsKeyArn,
          Tags: ourTags(input.id, 'encrypted-snapshot'),
        }),
      );
    } catch (error) {
      if (!isAwsError(error, 'DBSnapshotAlreadyExists')) throw error;
    }
  }
  const done = await waitForSnapshot(aws, snapshot);
  if (!done.Encrypted || done.KmsKeyId !== input.kmsKeyArn) {
    throw finalFailure(
      'ResourceFailed',
      `DB snapshot ${snapshot} is not encrypted under ${input.kmsKeyArn} (found: ${done.Encrypted ? done.KmsKeyId : 'not encrypted'}). Delete it and send retry.`,
    );
  }
  return { snapshot };
}

import { CopyDBSnapshotCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { ourTags, type ResourceRole } from '../../plan/names';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { findSnapshot, waitForSnapshot } from './find-snapshot';
import { requireOurs } from './ownership';

/** A copy of a snapshot under a KMS key. */
export interface CopyUnderKey {
  readonly migration: string;
  readonly from: string;
  readonly to: string;
  readonly kmsKeyArn: string;
  readonly role: ResourceRole;
}

/**
 * Makes the copy, or adopts that of an earlier attempt, waits for it, and reads back that it is encrypted under that key.
 * @throws ApplicationFailure NotOurs for a snapshot of somebody else under that name, ResourceFailed when the copy is not encrypted so
 */
export async function copyUnderKey(aws: Aws, { migration, from, to, kmsKeyArn, role }: CopyUnderKey): Promise<void> {
  const existing = await findSnapshot(aws, to);
  if (existing) {
    requireOurs(`DB snapshot ${to}`, existing.TagList, migration);
  } else {
    try {
      await aws.rds.send(
        new CopyDBSnapshotCommand({
          SourceDBSnapshotIdentifier: from,
          TargetDBSnapshotIdentifier: to,
          KmsKeyId: kmsKeyArn,
          Tags: ourTags(migration, role),
        }),
      );
    } catch (error) {
      if (!isAwsError(error, 'DBSnapshotAlreadyExists')) throw error;
    }
  }
  const done = await waitForSnapshot(aws, to);
  if (!done.Encrypted || done.KmsKeyId !== kmsKeyArn) {
    throw finalFailure(
      'ResourceFailed',
      `DB snapshot ${to} is not encrypted under ${kmsKeyArn} (found: ${done.Encrypted ? done.KmsKeyId : 'not encrypted'}). Delete it and send retry.`,
    );
  }
}

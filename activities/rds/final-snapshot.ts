import { AddTagsToResourceCommand } from '@aws-sdk/client-rds';
import { awsName, ourTags } from '../../plan/names';
import type { Aws, MigrationRef } from '../dependencies';
import { type CopyUnderKey, copyUnderKey } from './copy-under-key';
import { deleteOurs } from './delete-snapshots';
import { findSnapshot, waitForSnapshot } from './find-snapshot';

export const finalSnapshotName = (migration: string): string => awsName(migration, 'final');
export const encryptedFinalName = (migration: string): string => awsName(migration, 'final-encrypted');

export interface FinalSnapshotInput extends MigrationRef {
  /** Key of the target: `keep.encryptFinalSnapshot` copies the final snapshot under it. */
  readonly kmsKeyArn?: string;
}

/**
 * After the deletion of the source: waits for its final snapshot and tags it. Where the plan wants it encrypted and it is not, a copy
 * under the target's key stands for it, and it is deleted as soon as RDS has confirmed that copy.
 * @returns the name of the snapshot that stays
 */
export async function settleFinalSnapshot(aws: Aws, input: FinalSnapshotInput): Promise<string> {
  const { id, plan, kmsKeyArn } = input;
  const [final, encrypted] = [finalSnapshotName(id), encryptedFinalName(id)];
  const copy = {
    migration: id,
    from: final,
    to: encrypted,
    kmsKeyArn: plan.keep.encryptFinalSnapshot ? kmsKeyArn : undefined,
    role: 'encrypted-final-snapshot',
  } as const;
  // Its copy is there: an earlier attempt had come as far as that, and the snapshot may be gone.
  if (isWanted(copy) && (await findSnapshot(aws, encrypted))) return replace(aws, copy);
  const { DBSnapshotArn, Encrypted } = await waitForSnapshot(aws, final);
  // DeleteDBInstance takes no tags for its final snapshot.
  await aws.rds.send(
    new AddTagsToResourceCommand({ ResourceName: DBSnapshotArn, Tags: ourTags(id, 'final-snapshot') }),
  );
  return isWanted(copy) && !Encrypted ? replace(aws, copy) : final;
}

const isWanted = (copy: Omit<CopyUnderKey, 'kmsKeyArn'> & { kmsKeyArn: string | undefined }): copy is CopyUnderKey =>
  copy.kmsKeyArn !== undefined;

/** The copy first, confirmed, then away with what it was made from. */
async function replace(aws: Aws, copy: CopyUnderKey): Promise<string> {
  await copyUnderKey(aws, copy);
  await deleteOurs(aws, copy.migration, copy.from);
  return copy.to;
}

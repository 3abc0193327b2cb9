import type { DBInstance, Tag } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { TAG_MIGRATION } from '../../plan/names';
import type { MigrationRef } from '../dependencies';

/** True when the resource carries the tag of this migration. */
export const isOurs = (tags: readonly Tag[] | undefined, migration: string): boolean =>
  tags?.some(({ Key, Value }) => Key === TAG_MIGRATION && Value === migration) ?? false;

/**
 * Whether an instance is the target that this migration made: it carries the tag, and, once the restore has told it, the resource id.
 * A name proves nothing, and a tag can be copied to another instance.
 */
export const isOurTarget = ({ TagList, DbiResourceId }: DBInstance, ref: MigrationRef): boolean =>
  isOurs(TagList, ref.id) && (ref.targetResourceId === undefined || ref.targetResourceId === DbiResourceId);

/** Whether an instance is the source that the preflight saw. It carries no tag of ours: its resource id is all there is. */
export const isTheSource = ({ DbiResourceId }: DBInstance, { sourceResourceId }: MigrationRef): boolean =>
  sourceResourceId === undefined || sourceResourceId === DbiResourceId;

/** Adopts what is ours. @throws ApplicationFailure NotOurs for what somebody else made under the name that we need */
export function requireOurs(what: string, tags: readonly Tag[] | undefined, migration: string): void {
  if (isOurs(tags, migration)) return;
  throw finalFailure(
    'NotOurs',
    `${what} exists already and does not carry the tag ${TAG_MIGRATION}=${migration}. Keyshift leaves it alone: rename or delete it, or choose another name, then send retry.`,
  );
}

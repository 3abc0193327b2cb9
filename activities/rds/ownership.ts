import type { Tag } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { TAG_MIGRATION } from '../../plan/names';

/** True when the resource carries the tag of this migration. */
export const isOurs = (tags: readonly Tag[] | undefined, migration: string): boolean =>
  tags?.some(({ Key, Value }) => Key === TAG_MIGRATION && Value === migration) ?? false;

/** Adopts what is ours. @throws ApplicationFailure NotOurs for what somebody else made under the name that we need */
export function requireOurs(what: string, tags: readonly Tag[] | undefined, migration: string): void {
  if (isOurs(tags, migration)) return;
  throw finalFailure(
    'NotOurs',
    `${what} exists already and does not carry the tag ${TAG_MIGRATION}=${migration}. Keyshift leaves it alone: rename or delete it, or choose another name, then send retry.`,
  );
}

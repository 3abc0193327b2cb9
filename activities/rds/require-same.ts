import type { DBInstance } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import type { MigrationRef } from '../dependencies';

/**
 * An instance that took over the identifier meanwhile is not ours. `DbiResourceId` is never reused.
 * @param refusal what Keyshift does not do to it, as a sentence
 * @throws ApplicationFailure NotOurs when it has another resource id
 */
export function requireSame(
  { DBInstanceIdentifier: name, DbiResourceId: found }: DBInstance,
  resourceId: string,
  refusal: string,
): void {
  if (found === resourceId) return;
  throw finalFailure(
    'NotOurs',
    `DB instance ${name} is not the one that this migration moved (resource id ${found}, expected ${resourceId}). ${refusal}`,
  );
}

/**
 * The same for the source, once the preflight has told its resource id.
 * @throws ApplicationFailure NotOurs when another instance has its name by now
 */
export function requireTheSource(found: DBInstance, { sourceResourceId }: MigrationRef, refusal: string): void {
  if (sourceResourceId !== undefined) requireSame(found, sourceResourceId, refusal);
}

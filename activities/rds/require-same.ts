import type { DBInstance } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';

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

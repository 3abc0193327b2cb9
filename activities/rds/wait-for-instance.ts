import type { DBInstance } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import type { Aws } from '../dependencies';
import { NotShownYet } from '../not-shown-yet';
import { waitUntil } from '../wait';
import { findInstance } from './find-instance';

/**
 * States from which an instance doesn't come back by itself.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status
 */
const FAILED_STATES = new Set([
  'failed',
  'incompatible-network',
  'incompatible-option-group',
  'incompatible-parameters',
  'incompatible-restore',
  'inaccessible-encryption-credentials',
  'inaccessible-encryption-credentials-recoverable',
  'restore-error',
  'insufficient-capacity',
]);

/**
 * Waits until the instance is `available`, nothing is pending that was asked for at once, and `settled` holds. RDS is
 * eventually consistent: right after a modify it can still say `available`, so the pending values must be gone too, and one that was asked for a moment
 * ago may not be there yet.
 * @throws ApplicationFailure ResourceGone, or ResourceFailed with the state and where to read why
 */
export function waitForAvailable(
  aws: Aws,
  instance: string,
  settled: (found: DBInstance) => boolean = () => true,
): Promise<DBInstance> {
  const lag = new NotShownYet();
  return waitUntil(async () => {
    const found = await findInstance(aws, instance);
    if (!found) {
      if (lag.mayPass()) return { waitingFor: `${instance} to show` };
      throw finalFailure('ResourceGone', `DB instance ${instance} does not exist any more.`);
    }
    lag.shown();
    const status = found.DBInstanceStatus ?? 'unknown';
    throwIfFailed(found);
    const pending = Object.keys(found.PendingModifiedValues ?? {}).length > 0;
    if (status === 'available' && !pending && settled(found)) return { done: found };
    return { waitingFor: `${instance}: ${status}${pending ? ', modifications pending' : ''}` };
  });
}

/** @throws ApplicationFailure ResourceFailed for an instance that does not come back by itself */
export function throwIfFailed({
  DBInstanceIdentifier: instance,
  DBInstanceStatus: status = 'unknown',
}: DBInstance): void {
  if (!FAILED_STATES.has(status)) return;
  throw finalFailure(
    'ResourceFailed',
    `DB instance ${instance} is in state ${status} and does not leave it by itself. Why: aws rds describe-events --source-type db-instance --source-identifier ${instance}`,
    { status },
  );
}

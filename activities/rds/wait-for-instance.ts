import type { DBInstance } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { NotShownYet } from '../not-shown-yet';
import { type Look, type Patience, waitUntil } from '../wait';
import { findInstance } from './find-instance';
import { describeStatus, isUp, takesCalls, throwIfFailed } from './instance-status';

/**
 * How long RDS may go on showing an instance as it was before a call, in milliseconds: no first look sooner. Then so many looks, a third of
 * that apart, have to agree. The numbers are those of Terraform's provider, whose authors learned them on AWS.
 * @see https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/rds/instance.go (waitDBInstanceAvailable)
 */
const SHOWS_AFTER_MS = 30_000;
const LOOKS_IN_A_ROW = 3;

/** See `SHOWS_AFTER_MS`; shorter where AWS is the stand-in. */
export const showsAfterMs = ({ rdsShowsAfterMs = SHOWS_AFTER_MS }: Aws): number => rdsShowsAfterMs;

/** The patience that a wait after a call of ours needs; without one, the looks in a row alone. */
const patienceOf = (aws: Aws, afterCall: boolean): Patience => ({
  ...(afterCall ? { firstLookAfterMs: showsAfterMs(aws) } : {}),
  looksInARow: LOOKS_IN_A_ROW,
  betweenMs: showsAfterMs(aws) / LOOKS_IN_A_ROW,
});

export interface WaitForUp {
  /** What has to hold besides. */
  readonly settled?: (found: DBInstance) => boolean;
  /** We have asked RDS for a change right before. */
  readonly afterCall?: boolean;
  /** We have asked RDS for the instance right before: that it isn't there yet means nothing. */
  readonly created?: boolean;
}

/**
 * Waits until the instance serves sessions, nothing is pending that was asked for at once, and `settled` holds, in several looks in a row. RDS is
 * eventually consistent: right after a call an instance can still be shown as before it.
 * @throws ApplicationFailure ResourceGone, or ResourceFailed with the state and where to read why
 */
export function waitUntilUp(aws: Aws, instance: string, wait: WaitForUp = {}): Promise<DBInstance> {
  const { settled = () => true, afterCall = false, created = false } = wait;
  const lag = new NotShownYet();
  return waitUntil(
    async () => {
      const found = await findInstance(aws, instance);
      if (!found && created && lag.mayPass()) return { waitingFor: `${instance} to show` };
      if (!found) throw gone(instance);
      throwIfFailed(found);
      const pending = Object.keys(found.PendingModifiedValues ?? {}).length > 0;
      if (isUp(found) && !pending && settled(found)) return { done: found };
      return { waitingFor: `${describeStatus(found)}${pending ? ', modifications pending' : ''}` };
    },
    patienceOf(aws, afterCall || created),
  );
}

/**
 * Sends a call that RDS takes only of an instance at rest, and waits for that before: hours, where RDS backs it up. A refusal for the state alone is no
 * failure: somebody was faster, or RDS shows an older state.
 * @param isDone asked before each attempt: what the call is for holds already. An instance that was busy is asked again when RDS shows for sure what
 *   came of that: it may be what a call of ours, whose answer got lost, has done
 * @returns the instance as it was right before, or as it was found done
 * @throws ApplicationFailure ResourceGone or ResourceFailed; what RDS answers for good
 */
export function callAtRest(
  aws: Aws,
  instance: string,
  send: () => Promise<unknown>,
  isDone?: (found: DBInstance) => boolean,
): Promise<{ readonly found: DBInstance; readonly sent: boolean }> {
  let wasBusy = false;
  return waitUntil(async (): Promise<Look<{ found: DBInstance; sent: boolean }>> => {
    let found = await findInstance(aws, instance);
    if (!found) throw gone(instance);
    throwIfFailed(found);
    if (isDone?.(found)) return { done: { found, sent: false } };
    if (takesCalls(found) && wasBusy && isDone) {
      found = await waitUntilUp(aws, instance, { afterCall: true });
      wasBusy = false;
      if (isDone(found)) return { done: { found, sent: false } };
    }
    if (!takesCalls(found)) {
      wasBusy = true;
      return { waitingFor: describeStatus(found) };
    }
    try {
      await send();
    } catch (error) {
      if (!isNotNow(error)) throw error;
      wasBusy = true;
      return { waitingFor: `${describeStatus(found)} (${error.message})` };
    }
    return { done: { found, sent: true } };
  });
}

/** RDS answers with the code of a state, and means a setting: no wait changes that. */
const IS_NO_STATE = /Automated backups are not enabled/i;

/** RDS refuses the call now, and takes it later. The second is how it says that an earlier change of the volume is still under way. */
const isNotNow = (error: unknown): error is Error =>
  (isAwsError(error, 'InvalidDBInstanceState') && !IS_NO_STATE.test((error as Error).message)) ||
  (isAwsError(error, 'InvalidParameterCombination') &&
    /previous storage change is being optimized/.test((error as Error).message));

const gone = (instance: string) => finalFailure('ResourceGone', `DB instance ${instance} does not exist any more.`);

import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { type FailureType, finalFailure } from '../plan/failures';
import { verdictOn } from './aws-codes';
import { isDenied } from './classify-error';
import { waitUntil } from './wait';

/**
 * AWS is eventually consistent: for so long something that it has made, or changed, may look as if it were not. The waiters of others give it two
 * minutes, too (`propagationTimeout` of Terraform's provider).
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/query-api-troubleshooting.html#eventual-consistency
 */
export const SHOWS_WITHIN_MS = 120_000;

/** How long AWS has been saying otherwise than we know it to be. */
export class NotShownYet {
  #since: number | undefined;

  /** @param withinMs how long that may last */
  constructor(private readonly withinMs = SHOWS_WITHIN_MS) {}

  /** AWS says otherwise: true while that may pass by itself. */
  mayPass(): boolean {
    this.#since ??= Date.now();
    return Date.now() - this.#since < this.withinMs;
  }

  /** AWS says it as it is. */
  shown(): void {
    this.#since = undefined;
  }
}

/**
 * What a refused deletion may mean. A policy that asks for a tag lets nobody delete what has no tag, and what is gone has none: AWS says `AccessDenied`, not "not found".
 * So once a deletion was accepted, it is not asked for again for a while, whatever a look at the past shows; and where an attempt before may have asked for it, a refusal
 * is waited out.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourcetag
 */
export class MayBeGone {
  readonly #lag = new NotShownYet();
  readonly #mayBeSent = Context.current().info.attempt > 1;
  #acceptedAt: number | undefined;

  /** AWS has accepted the deletion. */
  accepted(): void {
    this.#acceptedAt = Date.now();
  }

  /** Accepted not long ago: there is nothing to do but to look. */
  get isUnderWay(): boolean {
    return this.#acceptedAt !== undefined && Date.now() - this.#acceptedAt < SHOWS_WITHIN_MS;
  }

  /** AWS has refused it: true while that may mean that it is gone. */
  says(error: unknown): boolean {
    return isDenied(error) && (this.#mayBeSent || this.#acceptedAt !== undefined) && this.#lag.mayPass();
  }
}

const GONE: FailureType = 'ResourceGone';

/** True for an answer of AWS, or a failure of ours, that says that something doesn't exist. */
export const isNotThere = (error: unknown): boolean =>
  error instanceof ApplicationFailure
    ? error.type === GONE
    : error instanceof Error && '$metadata' in error && verdictOn(error.name) === GONE;

/**
 * Does what needs something that we have just made, again and again while AWS says that it doesn't exist. Finding nothing counts as that.
 * @param what it is, for people
 * @throws ApplicationFailure ResourceGone when it is found nowhere after two minutes; else what the call fails with
 */
export function onceShown<T>(
  what: string,
  call: () => Promise<T | undefined>,
  lag: NotShownYet = new NotShownYet(),
): Promise<T> {
  return waitUntil(async () => {
    let found: T | undefined;
    try {
      found = await call();
    } catch (error) {
      if (!isNotThere(error) || !lag.mayPass()) throw error;
    }
    if (found !== undefined) return { done: found };
    if (lag.mayPass()) return { waitingFor: `${what}, which was made, to show` };
    throw finalFailure(GONE, `${what} was made, and AWS does not show it.`);
  });
}

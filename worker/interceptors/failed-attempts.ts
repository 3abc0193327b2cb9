import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { FailedBefore } from '../../activities/failed-before';
import { beat, keepFailures } from '../../activities/heartbeat';
import type { RetryingInput } from '../../plan/progress';
import { MESSAGES } from '../../plan/temporal';

/**
 * After so long the workflow is told that an activity fails, and ten times as long for each time more: an update costs five events of
 * the history, and the workflow takes a few in its life.
 */
const TELL_AFTER_MS = 60_000;
const TELL_GROWTH = 10;
/** For as long as this an attempt that failed waits for the workflow's answer. */
const TELL_TIMEOUT_MS = 5_000;

/**
 * Nothing but a look again and again: it ends for what it finds, not for how it looks. Given up, it would leave the source unguarded, or cost the
 * way back.
 */
const WATCHES: ReadonlySet<string> = new Set(['guardSource']);

/**
 * Remembers over all attempts of an activity what they failed with. The same statement that fails in the same way again and again is final;
 * everything else is retried for ever, and the workflow is told of it, so that the Web UI shows it.
 */
export class FailedAttempts implements ActivityInboundCallsInterceptor {
  readonly #before: FailedBefore;

  constructor(
    private readonly context: Context,
    private readonly tellAfterMs = TELL_AFTER_MS,
  ) {
    this.#before = FailedBefore.in(context.info.heartbeatDetails);
  }

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const { context } = this;
    keepFailures(context, () => this.#before.save());
    const goesOn = this.#before.told === 0 ? undefined : setTimeout(() => void this.#tellItGoesOn(), this.tellAfterMs);
    try {
      return await next(input);
    } catch (error) {
      if (error instanceof CancelledFailure || (error instanceof ApplicationFailure && error.nonRetryable)) throw error;
      const { activityType } = context.info;
      const final = this.#before.add(error, activityType);
      if (final && !WATCHES.has(activityType)) {
        final.stack = `${final.name}: ${final.message}`;
        throw final;
      }
      await this.#tellThatItFails(error);
      // What the last heartbeat said, the next attempt knows.
      beat(context);
      throw error;
    } finally {
      clearTimeout(goesOn);
    }
  }

  async #tellThatItFails(error: unknown): Promise<void> {
    const { since, told } = this.#before;
    if (since === undefined || Date.now() - since < this.tellAfterMs * TELL_GROWTH ** told) return;
    this.#before.told += 1;
    const { activityType, attempt } = this.context.info;
    const message = error instanceof Error ? error.message : String(error);
    await this.#tell({ activity: activityType, attempt, since: new Date(since).toISOString(), message });
  }

  async #tellItGoesOn(): Promise<void> {
    this.#before.over();
    await this.#tell({ activity: this.context.info.activityType, over: true });
  }

  /** Whether the workflow hears of it or not, the activity is what counts. */
  async #tell(what: RetryingInput): Promise<void> {
    const { workflowExecution } = this.context.info;
    if (!workflowExecution) return;
    try {
      const { client } = this.context;
      const handle = client.workflow.getHandle(workflowExecution.workflowId, workflowExecution.runId);
      await client.withDeadline(Date.now() + TELL_TIMEOUT_MS, () =>
        handle.startUpdate(MESSAGES.retrying, { args: [what], waitForStage: 'ACCEPTED' }),
      );
    } catch (error) {
      this.context.log.debug('the workflow does not take that an activity is retried', { error: String(error) });
    }
  }
}

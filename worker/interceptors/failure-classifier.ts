import type { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { classifyError, isSqlState } from '../../activities/classify-error';
import { SQLSTATE } from '../../activities/postgres/sqlstates';

/** Turns errors of AWS and PostgreSQL that no retry fixes into typed final failures, for every activity. */
export class FailureClassifier implements ActivityInboundCallsInterceptor {
  constructor(private readonly context: Context) {}

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      // The statement was cancelled because the activity is.
      if (this.context.cancellationSignal.aborted && isSqlState(error, SQLSTATE.queryCanceled)) {
        await this.context.cancelled;
      }
      const failure = classifyError(error, this.context.info.activityType);
      // A stack trace would bring paths of this machine into the history; type and message say what is needed.
      if (failure instanceof Error) failure.stack = `${failure.name}: ${failure.message}`;
      throw failure;
    }
  }
}

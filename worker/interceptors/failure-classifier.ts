import type { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { classifyError } from '../../activities/classify-error';

/** Turns errors of AWS and PostgreSQL that no retry mends into typed final failures, for every activity. */
export class FailureClassifier implements ActivityInboundCallsInterceptor {
  constructor(private readonly context: Context) {}

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      const failure = classifyError(error, this.context.info.activityType);
      // A stack trace would bring paths of this machine into the history; type and message say what is needed.
      if (failure instanceof Error) failure.stack = `${failure.name}: ${failure.message}`;
      throw failure;
    }
  }
}

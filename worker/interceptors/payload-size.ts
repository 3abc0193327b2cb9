import { ApplicationFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { finalFailure } from '../../plan/failures';
import { jsonBytes } from '../../plan/fit-report';

/**
 * Temporal refuses a payload of more than 2 MiB, and with it the whole answer: the activity counts as running until its
 * heartbeats stop, and is then tried again, for ever and without a word.
 * @see https://docs.temporal.io/self-hosted-guide/defaults
 */
export const MOST_RESULT_BYTES = 1_900_000;
/** A failure is in the history, in the progress and in the details that the Web UI shows. */
export const MOST_MESSAGE_CHARACTERS = 20_000;
/** So many fields of a result that is too big are named. */
const NAMED_FIELDS = 3;

/** Measures what an activity answers, whether it is a result or a failure. What is too big fails, and says what it is. */
export class PayloadSize implements ActivityInboundCallsInterceptor {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    let result: unknown;
    try {
      result = await next(input);
    } catch (error) {
      throw fittingFailure(error);
    }
    const bytes = result === undefined ? 0 : jsonBytes(result);
    if (bytes <= MOST_RESULT_BYTES) return result;
    throw finalFailure(
      'ResultTooBig',
      `What was found takes ${bytes} bytes, and Temporal takes 2 MiB. Most of it: ${largest(result)}. What this step did is done; that it can't be told is a mistake of Keyshift: report it. Make fewer of what is listed there, then send retry.`,
    );
  }
}

function largest(result: unknown): string {
  const sizes = Object.entries(Object(result) as Record<string, unknown>).map(([field, value]) => ({
    field,
    bytes: value === undefined ? 0 : jsonBytes(value),
  }));
  return sizes
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, NAMED_FIELDS)
    .map(({ field, bytes }) => `${field} (${bytes} bytes)`)
    .join(', ');
}

/** The same failure, of a length that has room everywhere. */
function fittingFailure(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.message.length > MOST_MESSAGE_CHARACTERS) {
    const { length } = error.message;
    error.message = `${error.message.slice(0, MOST_MESSAGE_CHARACTERS)}... (${length} characters)`;
    if (error.stack) error.stack = `${error.name}: ${error.message}`;
  }
  if (!(error instanceof ApplicationFailure) || !error.details || jsonBytes(error.details) <= MOST_RESULT_BYTES / 2)
    return error;
  return Object.assign(error, { details: [{ leftOut: `${jsonBytes(error.details)} bytes of details` }] });
}

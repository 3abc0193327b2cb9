/** Shorter than the heartbeat timeout of the pause (6 s, workflows/act.ts): nobody takes over while one request is waited for. */
const ANSWER_WITHIN_MS = 4_000;

/**
 * In most cases AWS denies a request that does not reach it within five minutes of the time in its signature. So a request that was sent,
 * and whose answer nobody has, can take effect this long after it was signed, and no later.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
export const SIGNED_REQUEST_LIVES_MS = 300_000;

/** What SDK and services call an answer that says: not now, and nothing was done. */
const THROTTLED = [
  'PriorRequestNotComplete',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
  'TooManyUpdates',
];
/** Error codes of Node for a connection that was never made. */
const NOT_CONNECTED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];
/** It says that the request was too slow, not that it was refused. */
const REQUEST_TIMEOUT = 408;

/** A request that was sent once, and failed. Not retryable for the SDK, whatever it carries: so it has no `cause`. */
class SentOnce extends Error {
  constructor(readonly failure: unknown) {
    super('sent once');
  }
}

type Middleware = (next: (args: unknown) => Promise<unknown>) => (args: unknown) => Promise<unknown>;

/** The part of a command of the SDK that is the same for all of them. */
interface Command {
  readonly middlewareStack: { add(middleware: Middleware, options: object): void };
}

/**
 * A command that the SDK sends once. By itself it sends a request up to three times, and the error that comes out is that of the last one:
 * a refusal would hide that the first one took effect. Clients and their connections stay those of everybody: a client of its own would
 * need a new connection inside the pause.
 */
export function once<Sent extends object>(command: Sent): Sent {
  const sending: Middleware = (next) => async (args) => {
    try {
      return await next(args);
    } catch (error) {
      throw new SentOnce(error);
    }
  };
  const { middlewareStack } = command as unknown as Command;
  // Inside the SDK's own retries, which are of the same step with a high priority.
  middlewareStack.add(sending, { step: 'finalizeRequest', priority: 'low', name: 'once' });
  return command;
}

/** Options of `send` for a command of `once`. */
export const answerInTime = (): { abortSignal: AbortSignal } => ({
  abortSignal: AbortSignal.timeout(ANSWER_WITHIN_MS),
});

/**
 * What is known of a request that failed.
 * - `refused`: it had no effect, and asking again is of no use.
 * - `not now`: it had no effect, or was never sent; another may be taken.
 * - `unknown`: it may have taken effect, or may do so yet.
 */
export type Fate = 'refused' | 'not now' | 'unknown';

/** What a failed request of `once` came to, and the error that the service or the network gave. */
export function fateOf(error: unknown): { fate: Fate; error: Error } {
  const failure = error instanceof SentOnce ? error.failure : error;
  const known = failure instanceof Error ? failure : new Error(String(failure));
  // It failed before it was sent: no credentials, for example.
  if (!(error instanceof SentOnce)) return { fate: 'not now', error: known };
  const { name, code, $metadata } = known as Error & { code?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode ?? 0;
  if (THROTTLED.includes(name) && status < 500) return { fate: 'not now', error: known };
  if (status >= 400 && status < 500 && status !== REQUEST_TIMEOUT) return { fate: 'refused', error: known };
  return { fate: NOT_CONNECTED.includes(code ?? '') ? 'not now' : 'unknown', error: known };
}

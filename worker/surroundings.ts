import { STSClient, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { isAwsError, isWithoutCredentials } from '../activities/classify-error';
import { logger } from './logger';

/** What a worker can't do without is looked for once, before it polls: this long each, in milliseconds. */
const LOOK_MS = 4_000;

/** gRPC's NOT_FOUND. */
const NOT_FOUND = 5;

/** @throws Error that says what to do, when Temporal has no such namespace or doesn't let the worker see it */
export async function requireNamespace(connection: Connection, namespace: string): Promise<void> {
  try {
    await connection.withDeadline(Date.now() + LOOK_MS, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } catch (error) {
    if (!isGrpcServiceError(error)) throw error;
    const why =
      Number(error.code) === NOT_FOUND
        ? `Temporal has no namespace "${namespace}"`
        : `Temporal doesn't show namespace "${namespace}": ${error.details || error.message}`;
    throw new Error(
      `${why}. Set TEMPORAL_NAMESPACE to one that exists, or make it: temporal operator namespace create --namespace ${namespace}`,
      { cause: error },
    );
  }
}

/**
 * Looks whether the AWS SDK finds credentials, and asks AWS whose they are. A network that doesn't lead to STS is no reason to
 * stay away: the migration may not need it.
 * @returns the ARN of the caller; undefined: AWS could not be asked
 * @throws Error that says what to do, when there are none, or AWS refuses them
 */
export async function requireCredentials(region: string | undefined): Promise<string | undefined> {
  const sts = new STSClient({ region: region ?? 'us-east-1', maxAttempts: 1 });
  try {
    await within(LOOK_MS, sts.config.credentials());
    // Without a region nobody knows which partition to ask.
    if (region === undefined) return undefined;
    const identity = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: AbortSignal.timeout(LOOK_MS) });
    return identity.Arn;
  } catch (error) {
    if (isWithoutCredentials(error) || error instanceof TooLong || isRefused(error)) {
      const { name, message } = error as Error;
      throw new Error(
        `No valid AWS credentials (${name}: ${message}). Give the worker a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE`,
        { cause: error },
      );
    }
    logger.warn(`STS could not be asked whose the AWS credentials are: ${(error as Error).message}`);
    return undefined;
  } finally {
    sts.destroy();
  }
}

const isRefused = (error: unknown): boolean =>
  isAwsError(
    error,
    'InvalidClientTokenId',
    'UnrecognizedClientException',
    'SignatureDoesNotMatch',
    'InvalidAccessKeyId',
  );

class TooLong extends Error {
  override readonly name = 'TimeoutError';
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLong(`no credentials within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { type FailureType, finalFailure } from '../plan/failures';
import { NO_CREDENTIALS } from '../plan/temporal';
import { SQLSTATE } from './postgres/sqlstates';

/** Codes of AWS that no retry fixes, by what they mean for us. Both spellings: of the wire, and of the SDK's classes. */
const FINAL_AWS_CODES: Record<string, FailureType> = {
  AccessDenied: 'AccessDenied',
  AccessDeniedException: 'AccessDenied',
  UnauthorizedOperation: 'AccessDenied',
  InvalidClientTokenId: 'AccessDenied',
  UnrecognizedClientException: 'AccessDenied',
  SignatureDoesNotMatch: 'AccessDenied',
  OptInRequired: 'AccessDenied',
  KMSKeyNotAccessibleFault: 'AccessDenied',
  DBInstanceNotFound: 'ResourceGone',
  DBInstanceNotFoundFault: 'ResourceGone',
  DBSnapshotNotFound: 'ResourceGone',
  DBSnapshotNotFoundFault: 'ResourceGone',
  DBParameterGroupNotFound: 'ResourceGone',
  DBParameterGroupNotFoundFault: 'ResourceGone',
  DBSubnetGroupNotFoundFault: 'ResourceGone',
  ResourceNotFoundException: 'ResourceGone',
  ParameterNotFound: 'ResourceGone',
  NotFoundException: 'ResourceGone',
  NoSuchBucket: 'ResourceGone',
  'KMS.NotFoundException': 'ResourceGone',
  'KMS.DisabledException': 'ResourceFailed',
  'KMS.KMSInvalidStateException': 'ResourceFailed',
  InvalidBucketName: 'InvalidRequest',
  DBSnapshotAlreadyExists: 'NotOurs',
  DBSnapshotAlreadyExistsFault: 'NotOurs',
  DisabledException: 'ResourceFailed',
  KMSInvalidStateException: 'ResourceFailed',
  InstanceQuotaExceeded: 'QuotaExceeded',
  InstanceQuotaExceededFault: 'QuotaExceeded',
  SnapshotQuotaExceeded: 'QuotaExceeded',
  SnapshotQuotaExceededFault: 'QuotaExceeded',
  StorageQuotaExceeded: 'QuotaExceeded',
  StorageQuotaExceededFault: 'QuotaExceeded',
  DBParameterGroupQuotaExceeded: 'QuotaExceeded',
  DBParameterGroupQuotaExceededFault: 'QuotaExceeded',
  InvalidParameterValue: 'InvalidRequest',
  InvalidParameterCombination: 'InvalidRequest',
  ValidationException: 'InvalidRequest',
  InvalidParameterException: 'InvalidRequest',
};

/**
 * Names of errors that say that the worker has no credentials, or had. Not final: a role's credentials are renewed, and a worker that has
 * some can take over.
 */
const WITHOUT_CREDENTIALS: ReadonlySet<string> = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestExpired',
]);

/** True for an error that comes of missing or expired credentials of AWS. */
export const isWithoutCredentials = (error: unknown): boolean =>
  error instanceof Error && WITHOUT_CREDENTIALS.has(error.name);

/** SQLSTATEs that no retry fixes. */
const FINAL_SQLSTATES: Record<string, FailureType> = {
  [SQLSTATE.invalidPassword]: 'AccessDenied',
  [SQLSTATE.invalidAuthorization]: 'AccessDenied',
  [SQLSTATE.insufficientPrivilege]: 'AccessDenied',
  [SQLSTATE.invalidCatalogName]: 'ResourceGone',
};

interface CodedError extends Error {
  code?: unknown;
  $metadata?: { requestId?: string };
}

/** True for a call that the caller's permissions don't allow; every service has its own word for it. */
export const isDenied = (error: unknown): error is Error =>
  isAwsError(error, 'AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation', 'AuthorizationError');

/** True for an AWS error of one of these codes, whether the SDK modelled it or not. */
export function isAwsError(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.some((code) => error.name === code || error.name === `${code}Fault`);
}

/** True for a PostgreSQL error of one of these SQLSTATEs. */
export function isSqlState(error: unknown, ...states: string[]): boolean {
  return error instanceof Error && states.includes(String((error as CodedError).code));
}

/**
 * What an activity throws for an error of AWS or PostgreSQL: a typed final failure for what no retry fixes, the error
 * itself for everything else, which Temporal then retries for as long as it takes (a throttled API, a failover). Missing credentials are
 * retried as well, under a type that `keyshift` knows.
 */
export function classifyError(error: unknown, activity: string): unknown {
  if (!(error instanceof Error) || error instanceof ApplicationFailure || error instanceof CancelledFailure)
    return error;
  if (isWithoutCredentials(error)) {
    const message = `The worker has no valid AWS credentials (${error.name}: ${error.message}): give it a role or AWS_* (docs/operating.md, The worker).`;
    return ApplicationFailure.retryable(message, NO_CREDENTIALS);
  }
  const { code, $metadata } = error as CodedError;
  const type = $metadata ? FINAL_AWS_CODES[error.name] : FINAL_SQLSTATES[String(code)];
  if (!type) return error;
  const origin = $metadata ? `AWS answered ${error.name}` : `PostgreSQL answered SQLSTATE ${String(code)}`;
  return finalFailure(type, `${activity}: ${origin}: ${error.message}`, { code: $metadata ? error.name : code });
}

import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { type FailureType, finalFailure } from '../plan/failures';
import { SQLSTATE } from './postgres/sqlstates';

/** Codes of AWS that no retry mends, by what they mean for us. Both spellings: of the wire, and of the SDK's classes. */
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

/** SQLSTATEs that no retry mends. */
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
 * What an activity throws for an error of AWS or PostgreSQL: a typed final failure for what no retry mends, the error
 * itself for everything else, which Temporal then retries for as long as it takes (a throttled API, a failover).
 */
export function classifyError(error: unknown, activity: string): unknown {
  if (!(error instanceof Error) || error instanceof ApplicationFailure || error instanceof CancelledFailure)
    return error;
  const { code, $metadata } = error as CodedError;
  const type = $metadata ? FINAL_AWS_CODES[error.name] : FINAL_SQLSTATES[String(code)];
  if (!type) return error;
  const origin = $metadata ? `AWS answered ${error.name}` : `PostgreSQL answered SQLSTATE ${String(code)}`;
  return finalFailure(type, `${activity}: ${origin}: ${error.message}`, { code: $metadata ? error.name : code });
}

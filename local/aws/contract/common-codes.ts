import type { OperationModel, ServiceModel, ServiceName } from './model';

/**
 * Codes that every operation of a kind of service can answer, and that no model lists.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html
 */
const QUERY_CODES = [
  'AccessDenied',
  'InternalFailure',
  'InvalidAction',
  'InvalidParameterCombination',
  'InvalidParameterValue',
  'MalformedInput',
  'MissingAuthenticationToken',
  'MissingParameter',
  'Throttling',
  'ValidationError',
];
const JSON_CODES = [
  'AccessDeniedException',
  'InternalFailure',
  'MissingAuthenticationTokenException',
  'SerializationException',
  'ThrottlingException',
  'UnknownOperationException',
  'ValidationException',
];
/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const S3_CODES = [
  'AccessDenied',
  'BadDigest',
  'BucketNotEmpty',
  'IllegalLocationConstraintException',
  'IncompleteBody',
  'InternalError',
  'InvalidArgument',
  'InvalidBucketName',
  'InvalidEncryptionAlgorithmError',
  'InvalidLocationConstraint',
  'InvalidRequest',
  'InvalidStorageClass',
  'KMS.DisabledException',
  'KMS.KMSInvalidStateException',
  'KMS.NotFoundException',
  'MalformedXML',
  'NoSuchBucket',
  'NoSuchKey',
  'NotFound',
  'NotImplemented',
  'PreconditionFailed',
  'SlowDown',
];
const ROUTE53_CODES = ['AccessDenied', 'InternalFailure', 'NotImplemented', 'Throttling'];

const COMMON: Readonly<Record<ServiceName, readonly string[] | 'any'>> = {
  rds: QUERY_CODES,
  iam: QUERY_CODES,
  sts: QUERY_CODES,
  // Its model lists no errors at all.
  ec2: 'any',
  kms: JSON_CODES,
  secretsmanager: JSON_CODES,
  ssm: JSON_CODES,
  // In the spelling of the Query protocol, which it spoke before.
  monitoring: [...JSON_CODES, 'ValidationError'],
  logs: JSON_CODES,
  pricing: JSON_CODES,
  route53: ROUTE53_CODES,
  s3: S3_CODES,
};

/** Whether an operation can answer a code, in the spelling of the wire. */
export function mayAnswer(service: ServiceName, model: ServiceModel, operation: OperationModel, code: string): boolean {
  const common = COMMON[service];
  if (common === 'any' || common.includes(code)) return true;
  return (operation.errors ?? []).some((shape) => (model.shapes[shape]?.error?.code ?? shape) === code);
}

import type { FailureType } from '../plan/failures';

/** What becomes of a call that AWS has refused with a code: the type of the final failure, or it is retried for as long as it takes. */
export type Verdict = FailureType | 'retried';

/**
 * A code without the ending that the SDK's class has and the wire doesn't, or the other way round: `DBSnapshotNotFound` and
 * `DBSnapshotNotFoundFault`, `NoSuchEntity` and `NoSuchEntityException` are the same.
 */
export const bareCode = (name: string): string => name.replace(/(?:Fault|Exception)$/, '');

/**
 * Every error that AWS's model lists for an operation that Keyshift calls, by its bare code. A test holds it against the model: none is missing,
 * none is too many. Retried is what passes by itself, and what a retry answers by looking anew; final is what needs a person.
 */
export const MODELLED: Readonly<Record<string, Verdict>> = {
  // Permissions and keys
  AccessDenied: 'AccessDenied',
  AuthorizationNotFound: 'AccessDenied',
  KMSKeyNotAccessible: 'AccessDenied',
  DecryptionFailure: 'ResourceFailed',
  EncryptionFailure: 'ResourceFailed',
  KMSInvalidState: 'ResourceFailed',
  InvalidKeyId: 'InvalidRequest',

  // What is not there. Right after it was made, not-shown-yet.ts stands before this.
  BackupPolicyNotFound: 'ResourceGone',
  BlueGreenDeploymentNotFound: 'ResourceGone',
  CertificateNotFound: 'ResourceGone',
  CustomAvailabilityZoneNotFound: 'ResourceGone',
  DBCapacityReservationNotFound: 'ResourceGone',
  DBClusterNotFound: 'ResourceGone',
  DBClusterSnapshotNotFound: 'ResourceGone',
  DBInstanceNotFound: 'ResourceGone',
  DBParameterGroupNotFound: 'ResourceGone',
  DBProxyEndpointNotFound: 'ResourceGone',
  DBProxyNotFound: 'ResourceGone',
  DBProxyTargetGroupNotFound: 'ResourceGone',
  DBProxyTargetNotFound: 'ResourceGone',
  DBSecurityGroupNotFound: 'ResourceGone',
  DBShardGroupNotFound: 'ResourceGone',
  DBSnapshotNotFound: 'ResourceGone',
  DBSnapshotTenantDatabaseNotFound: 'ResourceGone',
  DBSubnetGroupNotFound: 'ResourceGone',
  DomainNotFound: 'ResourceGone',
  IntegrationNotFound: 'ResourceGone',
  NoSuchEntity: 'ResourceGone',
  NoSuchHealthCheck: 'ResourceGone',
  NoSuchHostedZone: 'ResourceGone',
  NoSuchKey: 'ResourceGone',
  NotFound: 'ResourceGone',
  OptionGroupNotFound: 'ResourceGone',
  ParameterNotFound: 'ResourceGone',
  ParameterVersionNotFound: 'ResourceGone',
  ResourceNotFound: 'ResourceGone',
  TenantDatabaseNotFound: 'ResourceGone',
  // Log files are rotated away: the next attempt lists them anew.
  DBLogFileNotFound: 'retried',
  // A change of ours that Route 53 has accepted, and does not show yet.
  NoSuchChange: 'retried',

  // Names that are taken
  DBInstanceAlreadyExists: 'NotOurs',
  DBInstanceRoleAlreadyExists: 'NotOurs',
  DBSnapshotAlreadyExists: 'NotOurs',
  ParameterAlreadyExists: 'NotOurs',
  // The look before did not show it: the next attempt adopts it, or says whose it is.
  DBParameterGroupAlreadyExists: 'retried',
  DBProxyTargetAlreadyRegistered: 'retried',
  ResourceExists: 'retried',

  // Quotas
  DBInstanceAutomatedBackupQuotaExceeded: 'QuotaExceeded',
  DBInstanceRoleQuotaExceeded: 'QuotaExceeded',
  DBParameterGroupQuotaExceeded: 'QuotaExceeded',
  InstanceQuotaExceeded: 'QuotaExceeded',
  LimitExceeded: 'QuotaExceeded',
  ParameterLimitExceeded: 'QuotaExceeded',
  ParameterMaxVersionLimitExceeded: 'QuotaExceeded',
  PoliciesLimitExceeded: 'QuotaExceeded',
  SnapshotQuotaExceeded: 'QuotaExceeded',
  StorageQuotaExceeded: 'QuotaExceeded',
  TenantDatabaseQuotaExceeded: 'QuotaExceeded',

  // Requests that stay wrong: networks, storage, values
  DBSubnetGroupDoesNotCoverEnoughAZs: 'InvalidRequest',
  DBSubnetGroupNotAllowed: 'InvalidRequest',
  DBUpgradeDependencyFailure: 'InvalidRequest',
  EncryptionTypeMismatch: 'InvalidRequest',
  HierarchyLevelLimitExceeded: 'InvalidRequest',
  HierarchyTypeMismatch: 'InvalidRequest',
  IncompatiblePolicy: 'InvalidRequest',
  InsufficientAvailableIPsInSubnet: 'InvalidRequest',
  InvalidAllowedPattern: 'InvalidRequest',
  InvalidArn: 'InvalidRequest',
  InvalidChangeBatch: 'InvalidRequest',
  InvalidDBSubnetGroup: 'InvalidRequest',
  InvalidInput: 'InvalidRequest',
  InvalidObjectState: 'InvalidRequest',
  InvalidFilterKey: 'InvalidRequest',
  InvalidFilterOption: 'InvalidRequest',
  InvalidFilterValue: 'InvalidRequest',
  InvalidParameter: 'InvalidRequest',
  InvalidPolicyAttribute: 'InvalidRequest',
  InvalidPolicyType: 'InvalidRequest',
  // Of Secrets Manager: not in the state that the secret is in, such as one that is marked for deletion.
  InvalidRequest: 'InvalidRequest',
  InvalidRestore: 'InvalidRequest',
  InvalidSubnet: 'InvalidRequest',
  InvalidVPCNetworkState: 'InvalidRequest',
  InvalidWriteOffset: 'InvalidRequest',
  MalformedPolicyDocument: 'InvalidRequest',
  NetworkTypeNotSupported: 'InvalidRequest',
  ParameterPatternMismatch: 'InvalidRequest',
  PolicyEvaluation: 'InvalidRequest',
  PreconditionNotMet: 'InvalidRequest',
  ProvisionedIopsNotAvailableInAZ: 'InvalidRequest',
  StorageTypeNotSupported: 'InvalidRequest',
  TooManyParts: 'InvalidRequest',
  UnsupportedParameterType: 'InvalidRequest',
  Validation: 'InvalidRequest',
  VpcEncryptionControlViolation: 'InvalidRequest',

  // Capacity comes back; classify-error.ts says so in words of its own.
  InsufficientDBInstanceCapacity: 'retried',

  // States that pass
  DBInstanceNotReady: 'retried',
  InvalidDBCapacityReservationState: 'retried',
  InvalidDBClusterEndpointState: 'retried',
  InvalidDBClusterState: 'retried',
  InvalidDBInstanceState: 'retried',
  InvalidDBParameterGroupState: 'retried',
  InvalidDBProxyState: 'retried',
  InvalidDBSecurityGroupState: 'retried',
  InvalidDBSnapshotState: 'retried',
  OperationAborted: 'retried',
  PriorRequestNotComplete: 'retried',
  Throttling: 'retried',
  TooManyUpdates: 'retried',

  // A listing is begun anew.
  ExpiredNextToken: 'retried',
  InvalidNextToken: 'retried',

  // AWS itself
  DependencyTimeout: 'retried',
  InternalError: 'retried',
  InternalServerError: 'retried',
  InternalServiceError: 'retried',
  KMSInternal: 'retried',
  ServiceFailure: 'retried',
  ServiceUnavailable: 'retried',
};

/**
 * Final codes that no model lists: those common to all services, those of EC2, whose model has none, and what S3, RDS and IAM say besides.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
export const UNMODELLED: Readonly<Record<string, FailureType>> = {
  AuthFailure: 'AccessDenied',
  AuthorizationError: 'AccessDenied',
  Blocked: 'AccessDenied',
  IncompleteSignature: 'AccessDenied',
  InvalidAccessKeyId: 'AccessDenied',
  InvalidClientTokenId: 'AccessDenied',
  InvalidSignature: 'AccessDenied',
  NotAuthorized: 'AccessDenied',
  OptInRequired: 'AccessDenied',
  SignatureDoesNotMatch: 'AccessDenied',
  UnauthorizedOperation: 'AccessDenied',
  UnrecognizedClient: 'AccessDenied',

  'InvalidGroup.NotFound': 'ResourceGone',
  'InvalidGroupId.Malformed': 'InvalidRequest',
  'InvalidSubnetID.NotFound': 'ResourceGone',
  'InvalidVpcID.NotFound': 'ResourceGone',

  Disabled: 'ResourceFailed',
  'KMS.Disabled': 'ResourceFailed',
  'KMS.KMSInvalidState': 'ResourceFailed',
  'KMS.NotFound': 'ResourceGone',
  InvalidBucketName: 'InvalidRequest',
  NoSuchBucket: 'ResourceGone',

  InvalidAction: 'InvalidRequest',
  InvalidParameterCombination: 'InvalidRequest',
  InvalidParameterValue: 'InvalidRequest',
  InvalidQueryParameter: 'InvalidRequest',
  MalformedInput: 'InvalidRequest',
  MalformedQueryString: 'InvalidRequest',
  MissingParameter: 'InvalidRequest',
  UnknownOperation: 'InvalidRequest',
  ValidationError: 'InvalidRequest',
};

/** What becomes of a call that was refused so. A code that nobody knows is retried: it may pass, and the workflow is told of it meanwhile. */
export const verdictOn = (name: string): Verdict =>
  MODELLED[bareCode(name)] ?? UNMODELLED[bareCode(name)] ?? UNMODELLED[name] ?? 'retried';

import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import { resolveEngineVersion } from './engine-versions';
import { startInstanceOperation } from './instance-jobs';
import { assertCeiling, defaultSettings, readSettings, settle } from './instance-settings';
import { instanceShape } from './instance-shape';
import { AT_REST } from './instance-states';
import { createMasterSecret, keyFor, managesPassword } from './master-secret';
import type { InstanceRecord, InstanceSettings } from './model';
import { addInstance } from './new-instance';
import type { RdsCall } from './request';
import { assertRoomForBackups } from './retained-backups';
import { assertInstanceState, newIdentifier, readTags, requireInstance } from './request';
import { primaryOf, replicasOf } from './replication';
import { requireStorageKey } from './storage-keys';
import { assertNewSnapshot, newFinalSnapshot } from './snapshots';

/** Names that a master user can't have. */
const RESERVED = ['rdsadmin', 'admin', 'public', 'postgres_', 'rds_superuser', 'rds_replication', 'rds_password'];

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html */
export async function createDBInstance(call: RdsCall): Promise<Answer> {
  const { context, parameters, region } = call;
  const id = newIdentifier(call, 'DBInstanceIdentifier', 63);
  const engine = parameters.required('Engine');
  if (engine !== 'postgres') throw new AwsError('InvalidParameterValue', `Invalid DB engine: ${engine}`);
  parameters.required('DBInstanceClass');
  const managed = managesPassword(parameters);
  const given = managed ? undefined : parameters.required('MasterUserPassword');
  const masterUsername = parameters.required('MasterUsername');
  if (!/^[a-z]\w{0,62}$/i.test(masterUsername) || RESERVED.includes(masterUsername.toLowerCase())) {
    throw new AwsError(
      'InvalidParameterValue',
      `MasterUsername ${masterUsername} cannot be used as it is a reserved word used by the engine`,
    );
  }
  if (given !== undefined) assertPassword(given);
  const { major, version } = resolveEngineVersion(parameters.text('EngineVersion'));
  const encrypted = parameters.flag('StorageEncrypted') ?? false;
  const key = parameters.text('KmsKeyId');
  if (key !== undefined && !encrypted) {
    throw new AwsError(
      'InvalidParameterCombination',
      'KmsKeyId can be specified only for an encrypted DB instance. (StorageEncrypted is not set)',
    );
  }
  const requested = withInsightsKey(call, readSettings(parameters));
  assertCeiling(requested);
  const instance = await addInstance(call, {
    id,
    major,
    engineVersion: version,
    masterUsername,
    dbName: parameters.text('DBName'),
    kmsKeyArn: encrypted ? requireStorageKey(call, key) : undefined,
    settings: settle({ ...defaultSettings(region, major), ...requested }, requested),
    tags: readTags(parameters) ?? [],
  });
  const password = given ?? createMasterSecret(context, instance, parameters.text('MasterUserSecretKmsKeyId')).password;
  startInstanceOperation(context, instance, { kind: 'create', password }, call.stall);
  return { DBInstance: instanceShape(instance, call) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html */
export function describeDBInstances(call: RdsCall): Answer {
  const { parameters, rds, region } = call;
  const reference = parameters.text('DBInstanceIdentifier');
  const filters = readFilters(parameters, ['db-cluster-id', 'db-instance-id', 'dbi-resource-id', 'domain', 'engine']);
  const arnPrefix = arnOf('db', region, '');
  const wanted =
    reference === undefined ? Object.values(rds.instances) : [requireInstance(call, reference.replace(arnPrefix, ''))];
  const passes = (instance: InstanceRecord) =>
    (filters
      .get('db-instance-id')
      ?.some((id) => [instance.id, arnOf('db', region, instance.id)].includes(id.toLowerCase())) ??
      true) &&
    (filters.get('dbi-resource-id')?.includes(instance.resourceId) ?? true) &&
    (filters.get('engine')?.includes('postgres') ?? true) &&
    !filters.has('db-cluster-id') &&
    !filters.has('domain');
  const page = paginate(parameters, wanted.filter(passes), ({ id }) => id);
  return { DBInstances: page.items.map((instance) => instanceShape(instance, call)), Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RebootDBInstance.html */
export function rebootDBInstance(call: RdsCall): Answer {
  const instance = requireInstance(call, call.parameters.required('DBInstanceIdentifier'));
  assertInstanceState(instance, [...AT_REST, 'incompatible-parameters']);
  const failover = call.parameters.flag('ForceFailover') ?? false;
  if (failover && !instance.settings.MultiAZ) {
    throw new AwsError(
      'InvalidParameterCombination',
      'ForceFailover cannot be specified since the instance is not configured for either MultiAZ or High Availability',
    );
  }
  assertKey(call, instance);
  instance.status = 'rebooting';
  startInstanceOperation(call.context, instance, { kind: failover ? 'failover' : 'reboot' }, call.stall);
  return { DBInstance: instanceShape(instance, call) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StopDBInstance.html */
export function stopDBInstance(call: RdsCall): Answer {
  const instance = requireInstance(call, call.parameters.required('DBInstanceIdentifier'));
  assertInstanceState(instance, ['available']);
  // "You can't stop a DB instance that has a read replica, or that is a read replica." The words of the error are ours.
  const { rds } = call.context.store.region(instance.region);
  if (primaryOf(rds, instance) ?? replicasOf(rds, instance)[0]) {
    throw new AwsError('InvalidDBInstanceState', `Instance ${instance.id} has a read replica or is one.`);
  }
  instance.status = 'stopping';
  startInstanceOperation(call.context, instance, { kind: 'stop' }, call.stall);
  return { DBInstance: instanceShape(instance, call) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartDBInstance.html */
export function startDBInstance(call: RdsCall): Answer {
  const instance = requireInstance(call, call.parameters.required('DBInstanceIdentifier'));
  assertInstanceState(
    instance,
    ['stopped', 'inaccessible-encryption-credentials', 'incompatible-parameters'],
    `Instance ${instance.id} is not stopped.`,
  );
  assertKey(call, instance);
  instance.status = 'starting';
  startInstanceOperation(call.context, instance, { kind: 'start' }, call.stall);
  return { DBInstance: instanceShape(instance, call) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html */
export function deleteDBInstance(call: RdsCall): Answer {
  const { context, parameters } = call;
  const instance = requireInstance(call, parameters.required('DBInstanceIdentifier'));
  const skip = parameters.flag('SkipFinalSnapshot') ?? false;
  const finalSnapshotId = parameters.has('FinalDBSnapshotIdentifier')
    ? newIdentifier(call, 'FinalDBSnapshotIdentifier', 255)
    : undefined;
  if (instance.settings.DeletionProtection) {
    throw new AwsError(
      'InvalidParameterCombination',
      'Cannot delete protected DB Instance, please disable deletion protection and try again.',
    );
  }
  if (instance.status === 'deleting') {
    throw new AwsError('InvalidDBInstanceState', `Instance ${instance.id} is already being deleted.`);
  }
  if (skip && finalSnapshotId !== undefined) {
    throw new AwsError(
      'InvalidParameterCombination',
      'FinalDBSnapshotIdentifier can not be specified when deleting a DB instance with SkipFinalSnapshot set.',
    );
  }
  if (!skip && finalSnapshotId === undefined) {
    throw new AwsError(
      'InvalidParameterCombination',
      'FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.',
    );
  }
  if (finalSnapshotId !== undefined && instance.replicaOf) {
    throw new AwsError(
      'InvalidParameterCombination',
      'FinalDBSnapshotIdentifier can not be specified when deleting a replica instance.',
    );
  }
  assertInstanceState(instance, skip ? SETTLED : [...AT_REST, 'stopped']);
  // "The default is to remove automated backups immediately after the DB instance is deleted." An instance without any has none to keep.
  const keepsBackups =
    !(parameters.flag('DeleteAutomatedBackups') ?? true) && instance.settings.BackupRetentionPeriod > 0;
  if (keepsBackups) assertRoomForBackups(call);
  if (finalSnapshotId !== undefined) {
    assertKey(call, instance);
    assertNewSnapshot(context, instance.region, finalSnapshotId);
    newFinalSnapshot(context, instance, finalSnapshotId);
  }
  instance.status = 'deleting';
  const operation = {
    kind: 'delete',
    ...(finalSnapshotId === undefined ? {} : { finalSnapshotId }),
    ...(keepsBackups ? { keepsBackups } : {}),
  } as const;
  startInstanceOperation(context, instance, operation, call.stall);
  return { DBInstance: instanceShape(instance, call) };
}

/** Passwords of PostgreSQL instances: 8 to 128 printable characters but / ' " @ and blank. */
export function assertPassword(password: string): void {
  if (!/^[\x21\x23-\x26\x28-\x2e\x30-\x3f\x41-\x7e]{8,128}$/.test(password)) {
    throw new AwsError(
      'InvalidParameterValue',
      "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
    );
  }
}

/** Performance Insights are encrypted under a key that is shown by its ARN; by default AWS's own. */
export function withInsightsKey(
  { context, parameters, region }: RdsCall,
  settings: Partial<InstanceSettings>,
): Partial<InstanceSettings> {
  if (!parameters.flag('EnablePerformanceInsights')) return settings;
  const key = keyFor(context, region, settings.PerformanceInsightsKMSKeyId, 'rds');
  return { ...settings, PerformanceInsightsKMSKeyId: key };
}

/** States in which nothing is under way. */
const SETTLED = [...AT_REST, 'stopped', 'failed', 'inaccessible-encryption-credentials', 'incompatible-parameters'];

function assertKey(call: RdsCall, instance: InstanceRecord): void {
  if (instance.kmsKeyArn !== undefined) requireStorageKey(call, instance.kmsKeyArn);
}

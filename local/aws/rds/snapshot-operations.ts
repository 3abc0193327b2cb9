import { rm } from 'node:fs/promises';
import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf, parseArn } from './arns';
import { noteEvent } from './events';
import { startInstanceOperation } from './instance-jobs';
import { withInsightsKey } from './instance-operations';
import { defaultSettings, readSettings, settle } from './instance-settings';
import { instanceShape } from './instance-shape';
import { AT_REST } from './instance-states';
import { createMasterSecret, managesPassword } from './master-secret';
import type { InstanceSettings, SnapshotRecord } from './model';
import { addInstance } from './new-instance';
import type { RdsCall } from './request';
import { assertInstanceState, newIdentifier, readTags, requireInstance, requireSnapshot } from './request';
import { runSnapshotOperation, snapshotDirectory } from './snapshot-jobs';
import { snapshotShape } from './snapshot-shape';
import { addSnapshot, imageOf, snapshotTags } from './snapshots';
import { requireStorageKey } from './storage-keys';

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html */
export function createDBSnapshot(call: RdsCall): Answer {
  const { context, parameters, region } = call;
  const id = newIdentifier(call, 'DBSnapshotIdentifier', 255);
  const instance = requireInstance(call, parameters.required('DBInstanceIdentifier'));
  assertInstanceState(
    instance,
    [...AT_REST, 'stopped'],
    `Cannot create a snapshot because the database instance ${instance.id} is not currently in the available state.`,
  );
  if (instance.kmsKeyArn !== undefined) requireStorageKey(call, instance.kmsKeyArn);
  const snapshot = addSnapshot(context, region, id, {
    instance: imageOf(instance),
    kmsKeyArn: instance.kmsKeyArn,
    tags: snapshotTags(instance, readTags(parameters)),
    operation: { kind: 'create' },
  });
  runSnapshotOperation(context, snapshot, call.stall);
  return { DBSnapshot: snapshotShape(snapshot) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBSnapshot.html */
export function copyDBSnapshot(call: RdsCall): Answer {
  const { context, parameters, region } = call;
  const source = requireSnapshot(call, parameters.required('SourceDBSnapshotIdentifier'));
  const id = newIdentifier(call, 'TargetDBSnapshotIdentifier', 255);
  if (source.status !== 'available') {
    throw new AwsError('InvalidDBSnapshotState', `The source snapshot ${source.id} is not in available state.`);
  }
  const key = parameters.text('KmsKeyId');
  const kmsKeyArn = key !== undefined ? requireStorageKey(call, key) : source.kmsKeyArn;
  if (source.kmsKeyArn !== undefined) requireStorageKey(call, source.kmsKeyArn);
  const snapshot = addSnapshot(context, region, id, {
    instance: structuredClone(source.instance),
    kmsKeyArn,
    sourceArn: arnOf('snapshot', region, source.id),
    originalCreatedAt: source.originalCreatedAt,
    tags: readTags(parameters) ?? (parameters.flag('CopyTags') ? structuredClone(source.tags) : []),
    operation: { kind: 'copy', sourceId: source.id },
  });
  runSnapshotOperation(context, snapshot, call.stall);
  return { DBSnapshot: snapshotShape(snapshot) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html */
export function describeDBSnapshots(call: RdsCall): Answer {
  const { parameters, rds, region } = call;
  const reference = parameters.text('DBSnapshotIdentifier');
  const instanceId = parameters.text('DBInstanceIdentifier')?.toLowerCase();
  const resourceId = parameters.text('DbiResourceId');
  const type = parameters.text('SnapshotType');
  const filters = readFilters(parameters, [
    'db-instance-id',
    'db-snapshot-id',
    'dbi-resource-id',
    'snapshot-type',
    'engine',
  ]);
  const wanted = reference === undefined ? Object.values(rds.snapshots) : [requireSnapshot(call, reference)];
  const passes = (snapshot: SnapshotRecord) =>
    (instanceId === undefined || snapshot.instance.id === (parseArn(instanceId)?.name ?? instanceId)) &&
    (resourceId === undefined || snapshot.instance.resourceId === resourceId) &&
    (type === undefined || snapshot.type === type) &&
    (filters
      .get('db-instance-id')
      ?.some((id) => [snapshot.instance.id, arnOf('db', region, snapshot.instance.id)].includes(id)) ??
      true) &&
    (filters.get('db-snapshot-id')?.includes(snapshot.id) ?? true) &&
    (filters.get('dbi-resource-id')?.includes(snapshot.instance.resourceId) ?? true) &&
    (filters.get('snapshot-type')?.includes(snapshot.type) ?? true) &&
    (filters.get('engine')?.includes('postgres') ?? true);
  const page = paginate(parameters, wanted.filter(passes), ({ id }) => id);
  return { DBSnapshots: page.items.map(snapshotShape), Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html */
export async function deleteDBSnapshot(call: RdsCall): Promise<Answer> {
  const { context, parameters, rds, region } = call;
  const snapshot = requireSnapshot(call, parameters.required('DBSnapshotIdentifier'));
  const inUse = Object.values(rds.snapshots).some(
    ({ operation }) => operation?.kind === 'copy' && operation.sourceId === snapshot.id,
  );
  const restoring = Object.values(rds.instances).some(
    ({ operation }) => operation?.kind === 'restore' && operation.snapshotId === snapshot.id,
  );
  if (!['available', 'failed'].includes(snapshot.status) || inUse || restoring) {
    throw new AwsError(
      'InvalidDBSnapshotState',
      `Cannot delete the snapshot ${snapshot.id} because it is not currently in the available or failed state or is being used.`,
    );
  }
  delete rds.snapshots[snapshot.id];
  noteEvent(context.store, region, 'db-snapshot', snapshot.id, 'deletion', 'Deleted manual snapshot');
  await rm(snapshotDirectory(context, snapshot), { recursive: true, force: true });
  return { DBSnapshot: snapshotShape({ ...snapshot, status: 'deleting' }) };
}

/**
 * https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html. What isn't asked for is not carried over from the source
 * but AWS's default (facts.md, section 4); size and type of the storage come with the snapshot.
 */
export async function restoreDBInstanceFromDBSnapshot(call: RdsCall): Promise<Answer> {
  const { context, parameters, region } = call;
  const id = newIdentifier(call, 'DBInstanceIdentifier', 63);
  const snapshot = requireSnapshot(call, parameters.required('DBSnapshotIdentifier'));
  if (snapshot.status !== 'available') {
    throw new AwsError('InvalidDBSnapshotState', `DBSnapshot ${snapshot.id} is not in available state.`);
  }
  const engine = parameters.text('Engine');
  if (engine !== undefined && engine !== 'postgres') {
    throw new AwsError(
      'InvalidParameterCombination',
      `The engine ${engine} can't be restored from a snapshot of postgres.`,
    );
  }
  if (snapshot.kmsKeyArn !== undefined) requireStorageKey(call, snapshot.kmsKeyArn);
  const { major, engineVersion, masterUsername, dbName, settings: origin } = snapshot.instance;
  const requested = withInsightsKey(call, readSettings(parameters));
  const managed = managesPassword(parameters);
  if (requested.AllocatedStorage !== undefined && requested.AllocatedStorage < origin.AllocatedStorage) {
    throw new AwsError(
      'InvalidParameterValue',
      'Allocated storage of the restored instance must not be less than that of the snapshot.',
    );
  }
  const settings: InstanceSettings = {
    ...defaultSettings(region, major),
    DBInstanceClass: origin.DBInstanceClass,
    AllocatedStorage: origin.AllocatedStorage,
    StorageType: origin.StorageType,
    Iops: origin.Iops,
    StorageThroughput: origin.StorageThroughput,
    BackupRetentionPeriod: origin.BackupRetentionPeriod,
    PreferredBackupWindow: origin.PreferredBackupWindow,
    ...requested,
  };
  const instance = await addInstance(call, {
    id,
    major,
    engineVersion,
    masterUsername,
    dbName,
    kmsKeyArn: snapshot.kmsKeyArn,
    settings: settle(settings, requested),
    tags: readTags(parameters) ?? [],
  });
  const secret = managed
    ? createMasterSecret(context, instance, parameters.text('MasterUserSecretKmsKeyId'))
    : undefined;
  startInstanceOperation(context, instance, { kind: 'restore', snapshotId: snapshot.id, ...secret }, call.stall);
  return { DBInstance: instanceShape(instance, call) };
}

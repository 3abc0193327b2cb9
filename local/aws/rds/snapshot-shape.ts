import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import { VPC_ID } from './subnet-groups';
import type { SnapshotRecord } from './model';

/** A snapshot as `DescribeDBSnapshots` shows it. */
export function snapshotShape(snapshot: SnapshotRecord): Answer {
  const { instance, region } = snapshot;
  const { settings } = instance;
  return {
    DBSnapshotIdentifier: snapshot.id,
    DBSnapshotArn: arnOf('snapshot', region, snapshot.id),
    DBInstanceIdentifier: instance.id,
    DbiResourceId: instance.resourceId,
    SnapshotType: snapshot.type,
    Status: snapshot.status,
    PercentProgress: snapshot.percentProgress,
    SnapshotCreateTime: new Date(snapshot.createdAt),
    OriginalSnapshotCreateTime: new Date(snapshot.originalCreatedAt),
    InstanceCreateTime: new Date(instance.createdAt),
    Engine: 'postgres',
    EngineVersion: instance.engineVersion,
    AllocatedStorage: settings.AllocatedStorage,
    StorageType: settings.StorageType,
    Iops: settings.Iops,
    StorageThroughput: settings.StorageThroughput,
    Port: instance.port,
    AvailabilityZone: settings.AvailabilityZone,
    VpcId: VPC_ID,
    MasterUsername: instance.masterUsername,
    LicenseModel: settings.LicenseModel,
    OptionGroupName: settings.OptionGroupName,
    SourceRegion: snapshot.sourceArn === undefined ? undefined : region,
    SourceDBSnapshotIdentifier: snapshot.sourceArn,
    Encrypted: snapshot.kmsKeyArn !== undefined,
    StorageEncryptionType: snapshot.kmsKeyArn === undefined ? 'none' : 'sse-kms',
    KmsKeyId: snapshot.kmsKeyArn,
    IAMDatabaseAuthenticationEnabled: settings.IAMDatabaseAuthenticationEnabled,
    ProcessorFeatures: [],
    TagList: snapshot.tags.map(({ Key, Value }) => ({ Key, Value })),
    SnapshotTarget: 'region',
    DedicatedLogVolume: settings.DedicatedLogVolume,
  };
}

import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import { ACCOUNT_ID } from '../state';
import type { InstanceRecord } from './model';
import type { RdsCall } from './request';
import { primaryOf, replicasOf } from './replication';
import { subnetGroupShape } from './subnet-groups';

/** Server certificates are valid for a year. */
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** An instance as `DescribeDBInstances` shows it. */
export function instanceShape(instance: InstanceRecord, { rds, context }: Pick<RdsCall, 'rds' | 'context'>): Answer {
  const { settings, region, pending } = instance;
  const { VpcSecurityGroupIds, DBSubnetGroupName, OptionGroupName, EnabledCloudwatchLogsExports, ...shown } = settings;
  const hasEndpoint = !['creating', 'failed', 'inaccessible-encryption-credentials'].includes(instance.status);
  return {
    DBInstanceIdentifier: instance.id,
    DBInstanceArn: arnOf('db', region, instance.id),
    DbiResourceId: instance.resourceId,
    DBInstanceStatus: instance.status,
    Engine: 'postgres',
    EngineVersion: instance.engineVersion,
    MasterUsername: instance.masterUsername,
    DBName: instance.dbName,
    ...(hasEndpoint
      ? {
          Endpoint: {
            Address: instance.address ?? 'localhost',
            Port: instance.port,
            HostedZoneId: 'Z2R2ITUGPM61AM',
          },
        }
      : {}),
    DbInstancePort: 0,
    InstanceCreateTime: instance.status === 'creating' ? undefined : new Date(instance.createdAt),
    ...shown,
    DBParameterGroups: [
      { DBParameterGroupName: instance.parameterGroup, ParameterApplyStatus: instance.parameterApplyStatus },
    ],
    DBSecurityGroups: [],
    VpcSecurityGroups: VpcSecurityGroupIds.map((id) => ({ VpcSecurityGroupId: id, Status: 'active' })),
    DBSubnetGroup: subnetGroupShape({ rds, context, region }, DBSubnetGroupName),
    OptionGroupMemberships: [{ OptionGroupName, Status: 'in-sync' }],
    PendingModifiedValues: {
      ...pending,
      MasterUserPassword: pending.MasterUserPassword === undefined ? undefined : '****',
    },
    ReadReplicaDBInstanceIdentifiers: replicasOf(rds, instance).map(({ id }) => id),
    ReadReplicaSourceDBInstanceIdentifier: primaryOf(rds, instance)?.id,
    StatusInfos: instance.replicaOf
      ? [{ StatusType: 'read replication', Normal: true, Status: 'replicating' }]
      : undefined,
    StorageEncrypted: instance.kmsKeyArn !== undefined,
    StorageEncryptionType: instance.kmsKeyArn === undefined ? 'none' : 'sse-kms',
    KmsKeyId: instance.kmsKeyArn,
    EnabledCloudwatchLogsExports: EnabledCloudwatchLogsExports.length > 0 ? EnabledCloudwatchLogsExports : undefined,
    DomainMemberships: [],
    AssociatedRoles: (instance.roles ?? []).map((role) => ({ ...role })),
    MasterUserSecret: instance.masterSecret && {
      SecretArn: instance.masterSecret.arn,
      SecretStatus: instance.masterSecret.status,
      KmsKeyId: instance.masterSecret.kmsKeyArn,
    },
    SecondaryAvailabilityZone: settings.MultiAZ
      ? `${region}${settings.AvailabilityZone.endsWith('b') ? 'a' : 'b'}`
      : undefined,
    EnhancedMonitoringResourceArn:
      settings.MonitoringInterval > 0
        ? `arn:aws:logs:${region}:${ACCOUNT_ID}:log-group:RDSOSMetrics:log-stream:${instance.resourceId}`
        : undefined,
    TagList: instance.tags.map(({ Key, Value }) => ({ Key, Value })),
    ActivityStreamStatus: 'stopped',
    CertificateDetails: {
      CAIdentifier: settings.CACertificateIdentifier,
      ValidTill: new Date(new Date(instance.createdAt).getTime() + YEAR_MS),
    },
    ...storageOperation(instance, context.store.switches(region, instance.id).storageLoadSeconds),
    ...context.store.switches(region, instance.id).describes,
  };
}

/** While a restored volume loads from its snapshot. */
function storageOperation({ createdAt }: InstanceRecord, seconds = 0): Record<string, string | number> {
  const share = seconds > 0 ? (Date.now() - Date.parse(createdAt)) / (seconds * 1000) : 1;
  if (share >= 1) return {};
  return { StorageOperationStatus: 'Initializing', StorageOperationPercentProgress: Math.floor(share * 100) };
}

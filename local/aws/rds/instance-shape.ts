import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import type { InstanceRecord } from './model';
import { subnetGroupShape } from './subnet-groups';

/** Server certificates are valid for a year. */
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** An instance as `DescribeDBInstances` shows it. */
export function instanceShape(instance: InstanceRecord): Answer {
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
    ...(hasEndpoint ? { Endpoint: { Address: 'localhost', Port: instance.port, HostedZoneId: 'Z2R2ITUGPM61AM' } } : {}),
    DbInstancePort: 0,
    InstanceCreateTime: instance.status === 'creating' ? undefined : new Date(instance.createdAt),
    ...shown,
    DBParameterGroups: [
      { DBParameterGroupName: instance.parameterGroup, ParameterApplyStatus: instance.parameterApplyStatus },
    ],
    DBSecurityGroups: [],
    VpcSecurityGroups: VpcSecurityGroupIds.map((id) => ({ VpcSecurityGroupId: id, Status: 'active' })),
    DBSubnetGroup: subnetGroupShape(region, DBSubnetGroupName),
    OptionGroupMemberships: [{ OptionGroupName, Status: 'in-sync' }],
    PendingModifiedValues: {
      ...pending,
      MasterUserPassword: pending.MasterUserPassword === undefined ? undefined : '****',
    },
    ReadReplicaDBInstanceIdentifiers: [],
    StorageEncrypted: instance.kmsKeyArn !== undefined,
    StorageEncryptionType: instance.kmsKeyArn === undefined ? 'none' : 'sse-kms',
    KmsKeyId: instance.kmsKeyArn,
    EnabledCloudwatchLogsExports: EnabledCloudwatchLogsExports.length > 0 ? EnabledCloudwatchLogsExports : undefined,
    DomainMemberships: [],
    AssociatedRoles: [],
    TagList: instance.tags.map(({ Key, Value }) => ({ Key, Value })),
    ActivityStreamStatus: 'stopped',
    CertificateDetails: {
      CAIdentifier: settings.CACertificateIdentifier,
      ValidTill: new Date(new Date(instance.createdAt).getTime() + YEAR_MS),
    },
  };
}

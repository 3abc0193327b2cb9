import { AwsError } from '../errors';
import type { QueryParameters } from '../query-protocol';
import type { InstanceSettings } from './model';

/** Settings of an instance whose creator asked for nothing; values as AWS picks them. */
export function defaultSettings(region: string, major: number): InstanceSettings {
  return {
    DBInstanceClass: 'db.m6g.large',
    AllocatedStorage: DEFAULT_GIB,
    StorageType: 'gp2',
    MultiAZ: false,
    AvailabilityZone: `${region}a`,
    DBSubnetGroupName: 'default',
    VpcSecurityGroupIds: ['sg-0a1b2c3d4e5f60718'],
    PubliclyAccessible: true,
    NetworkType: 'IPV4',
    PreferredBackupWindow: '04:07-04:37',
    PreferredMaintenanceWindow: 'sun:08:12-sun:08:42',
    BackupRetentionPeriod: 1,
    BackupTarget: 'region',
    AutoMinorVersionUpgrade: true,
    CopyTagsToSnapshot: false,
    DeletionProtection: false,
    LicenseModel: 'postgresql-license',
    OptionGroupName: `default:postgres-${major}`,
    MonitoringInterval: 0,
    IAMDatabaseAuthenticationEnabled: false,
    DatabaseInsightsMode: 'standard',
    PerformanceInsightsEnabled: false,
    EnabledCloudwatchLogsExports: [],
    CACertificateIdentifier: 'rds-ca-rsa2048-g1',
    EngineLifecycleSupport: 'open-source-rds-extended-support',
    DedicatedLogVolume: false,
    CustomerOwnedIpEnabled: false,
  };
}

/**
 * Settings as AWS shows them once they are taken together: a small gp3 volume has a fixed performance that nobody may give, a ceiling at the size itself
 * means none, and Performance Insights has a key and a retention.
 * @throws AwsError for what does not go together
 */
export function settle(settings: InstanceSettings, given: Partial<InstanceSettings> = {}): InstanceSettings {
  const settled = { ...settings };
  const { StorageType, AllocatedStorage } = settled;
  const striped = AllocatedStorage >= GP3_STRIPED_GIB;
  if (StorageType === 'gp3') {
    if (!striped && (given.Iops !== undefined || given.StorageThroughput !== undefined)) {
      throw new AwsError(
        'InvalidParameterCombination',
        `You can't specify IOPS or storage throughput for engine postgres and a storage size less than ${GP3_STRIPED_GIB}.`,
      );
    }
    settled.Iops = striped ? (settled.Iops ?? 12_000) : 3_000;
    settled.StorageThroughput = striped ? (settled.StorageThroughput ?? 500) : 125;
  } else if (StorageType === 'io1' || StorageType === 'io2') {
    if (settled.Iops === undefined) {
      throw new AwsError(
        'InvalidParameterCombination',
        `The storage type ${StorageType} requires iops to be specified.`,
      );
    }
    settled.StorageThroughput = undefined;
  } else {
    if (given.Iops !== undefined || given.StorageThroughput !== undefined) {
      throw new AwsError('InvalidParameterCombination', `You can't specify IOPS for the storage type ${StorageType}.`);
    }
    settled.Iops = settled.StorageThroughput = undefined;
  }
  if ((settled.MaxAllocatedStorage ?? 0) <= AllocatedStorage) settled.MaxAllocatedStorage = undefined;
  if (settled.MonitoringInterval > 0 && settled.MonitoringRoleArn === undefined) {
    throw new AwsError(
      'InvalidParameterCombination',
      'A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.',
    );
  }
  if (settled.MonitoringInterval === 0) settled.MonitoringRoleArn = undefined;
  if (settled.PerformanceInsightsEnabled) settled.PerformanceInsightsRetentionPeriod ??= 7;
  else settled.PerformanceInsightsKMSKeyId = settled.PerformanceInsightsRetentionPeriod = undefined;
  if (settled.DatabaseInsightsMode === 'advanced' && (settled.PerformanceInsightsRetentionPeriod ?? 0) < 465) {
    throw new AwsError(
      'InvalidParameterCombination',
      'To enable the Advanced mode of Database Insights, you must enable Performance Insights with a retention of 465 days.',
    );
  }
  return settled;
}

/**
 * A ceiling of storage autoscaling leaves room for one step at least. The words are AWS's
 * (https://github.com/ministryofjustice/cloud-platform-environments/pull/7483 and 24422).
 * @throws AwsError for one that a new instance, or a change to anything but "off", can't have
 */
export function assertCeiling({
  AllocatedStorage = DEFAULT_GIB,
  MaxAllocatedStorage,
}: Pick<Partial<InstanceSettings>, 'AllocatedStorage' | 'MaxAllocatedStorage'>): void {
  if (MaxAllocatedStorage === undefined) return;
  if (MaxAllocatedStorage <= AllocatedStorage) {
    throw new AwsError('InvalidParameterCombination', 'Max storage size must be greater than storage size');
  }
  if (MaxAllocatedStorage * 10 < AllocatedStorage * 11) {
    throw new AwsError(
      'InvalidParameterCombination',
      'The maximum allocated storage must be increased by at least 10 percent.',
    );
  }
}

/** Storage of an instance whose creator asked for none. */
const DEFAULT_GIB = 20;

/** From this size on a gp3 volume of PostgreSQL is striped, and its performance may be chosen. */
const GP3_STRIPED_GIB = 400;

/** What a request says about settings. Names differ between request and answer here and there. */
export function readSettings(parameters: QueryParameters): Partial<InstanceSettings> {
  const settings: { [Name in keyof InstanceSettings]?: InstanceSettings[Name] | undefined } = {
    DBInstanceClass: parameters.text('DBInstanceClass'),
    AllocatedStorage: parameters.integer('AllocatedStorage'),
    MaxAllocatedStorage: parameters.integer('MaxAllocatedStorage'),
    StorageType: parameters.text('StorageType'),
    Iops: parameters.integer('Iops'),
    StorageThroughput: parameters.integer('StorageThroughput'),
    MultiAZ: parameters.flag('MultiAZ'),
    AvailabilityZone: parameters.text('AvailabilityZone'),
    DBSubnetGroupName: parameters.text('DBSubnetGroupName'),
    VpcSecurityGroupIds: parameters.texts('VpcSecurityGroupIds'),
    PubliclyAccessible: parameters.flag('PubliclyAccessible'),
    NetworkType: parameters.text('NetworkType'),
    PreferredBackupWindow: parameters.text('PreferredBackupWindow'),
    PreferredMaintenanceWindow: parameters.text('PreferredMaintenanceWindow'),
    BackupRetentionPeriod: parameters.integer('BackupRetentionPeriod'),
    BackupTarget: parameters.text('BackupTarget'),
    AutoMinorVersionUpgrade: parameters.flag('AutoMinorVersionUpgrade'),
    CopyTagsToSnapshot: parameters.flag('CopyTagsToSnapshot'),
    DeletionProtection: parameters.flag('DeletionProtection'),
    LicenseModel: parameters.text('LicenseModel'),
    OptionGroupName: parameters.text('OptionGroupName'),
    MonitoringInterval: parameters.integer('MonitoringInterval'),
    MonitoringRoleArn: parameters.text('MonitoringRoleArn'),
    IAMDatabaseAuthenticationEnabled: parameters.flag('EnableIAMDatabaseAuthentication'),
    DatabaseInsightsMode: parameters.text('DatabaseInsightsMode'),
    PerformanceInsightsEnabled: parameters.flag('EnablePerformanceInsights'),
    PerformanceInsightsKMSKeyId: parameters.text('PerformanceInsightsKMSKeyId'),
    PerformanceInsightsRetentionPeriod: parameters.integer('PerformanceInsightsRetentionPeriod'),
    EnabledCloudwatchLogsExports: parameters.texts('EnableCloudwatchLogsExports'),
    CACertificateIdentifier: parameters.text('CACertificateIdentifier'),
    EngineLifecycleSupport: parameters.text('EngineLifecycleSupport'),
    DedicatedLogVolume: parameters.flag('DedicatedLogVolume'),
    CustomerOwnedIpEnabled: parameters.flag('EnableCustomerOwnedIp'),
  };
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  const result = Object.fromEntries(given) as Partial<InstanceSettings>;
  assertPlausible(result);
  return result;
}

function assertPlausible(settings: Partial<InstanceSettings>): void {
  const { DBInstanceClass, BackupRetentionPeriod, StorageType, EnabledCloudwatchLogsExports, MonitoringInterval } =
    settings;
  if (DBInstanceClass !== undefined && !/^db\.[a-z0-9-]+\.[a-z0-9.-]+$/.test(DBInstanceClass)) {
    throw new AwsError('InvalidParameterValue', `Invalid DB Instance class: ${DBInstanceClass}`);
  }
  if (BackupRetentionPeriod !== undefined && (BackupRetentionPeriod < 0 || BackupRetentionPeriod > 35)) {
    throw new AwsError(
      'InvalidParameterValue',
      `Invalid backup retention period: ${BackupRetentionPeriod}. Must be between 0 and 35.`,
    );
  }
  if (StorageType !== undefined && !['standard', 'gp2', 'gp3', 'io1', 'io2'].includes(StorageType)) {
    throw new AwsError('InvalidParameterValue', `Invalid storage type: ${StorageType}`);
  }
  if (MonitoringInterval !== undefined && ![0, 1, 5, 10, 15, 30, 60].includes(MonitoringInterval)) {
    throw new AwsError('InvalidParameterValue', `Invalid monitoring interval: ${MonitoringInterval}`);
  }
  if (settings.AvailabilityZone !== undefined && settings.MultiAZ) {
    throw new AwsError(
      'InvalidParameterCombination',
      'Requesting a specific availability zone is not valid for Multi-AZ instances.',
    );
  }
  const log = EnabledCloudwatchLogsExports?.find((name) => !LOG_TYPES.includes(name));
  if (log !== undefined)
    throw new AwsError(
      'InvalidParameterCombination',
      `You cannot use the log types '${log}' with engine version postgres.`,
    );
}

/** Logs that PostgreSQL instances can export. */
export const LOG_TYPES: readonly string[] = ['postgresql', 'upgrade', 'iam-db-auth-error'];

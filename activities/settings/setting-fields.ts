import type {
  CreateDBInstanceReadReplicaCommandInput,
  DBInstance,
  DomainMembership,
  ModifyDBInstanceCommandInput,
  RestoreDBInstanceFromDBSnapshotCommandInput,
} from '@aws-sdk/client-rds';

export type RestoreInput = Partial<RestoreDBInstanceFromDBSnapshotCommandInput>;
export type ReplicaInput = Partial<CreateDBInstanceReadReplicaCommandInput>;
export type ModifyInput = Partial<ModifyDBInstanceCommandInput>;
export type FieldName = keyof DBInstance;

/** A member that differs by nature: it names the instance, or says what happens to it. */
export interface OwnField {
  readonly kind: 'own';
  readonly why: string;
}

/** A member that the plan decides, and that the step which makes the instance verifies. */
export interface PlannedField {
  readonly kind: 'planned';
  readonly why: string;
}

/** A setting that has to be equal. The functions take the instance as it is wanted, the source's settings with what the plan overrides. */
export interface SameField {
  readonly kind: 'same';
  /** What is compared; by default the member itself. Lists are sets. */
  readonly of?: (instance: DBInstance) => unknown;
  /** How a restore from a snapshot is given it. */
  readonly restore?: (wanted: DBInstance) => RestoreInput;
  /** How a read replica is given it. */
  readonly replica?: (wanted: DBInstance) => ReplicaInput;
  /** How it is changed. Settings that RDS takes only together name the same parameters. */
  readonly modify?: (wanted: DBInstance, found: DBInstance) => ModifyInput;
  /** Whether a value that is not equal does all the same: RDS changes it by itself, or doesn't take the wanted one. */
  readonly suffices?: (wanted: DBInstance, found: DBInstance) => boolean;
  /** Changing it restarts the instance or moves it: only an operator does. */
  readonly byHand?: true;
  /** Set where a replica of the same settings may differ. */
  readonly notOfReplicas?: true;
}

export type SettingField = OwnField | PlannedField | SameField;

const own = (why: string): OwnField => ({ kind: 'own', why });
const planned = (why: string): PlannedField => ({ kind: 'planned', why });
const same = (how: Omit<SameField, 'kind'> = {}): SameField => ({ kind: 'same', ...how });

/** A setting that a restore, a replica and a modify take under one name. */
const everywhere = (give: (wanted: DBInstance) => RestoreInput & ReplicaInput & ModifyInput, of?: SameField['of']) =>
  same({ restore: give, replica: give, modify: give, ...(of ? { of } : {}) });

/** From this size on the performance of a gp3 volume of PostgreSQL may be given; below RDS refuses even its fixed values. */
const GP3_STRIPED_GIB = 400;

/** https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html */
function performance({ StorageType, AllocatedStorage, Iops, StorageThroughput }: DBInstance) {
  if (StorageType === 'io1' || StorageType === 'io2') return { Iops };
  if (StorageType === 'gp3' && (AllocatedStorage ?? 0) >= GP3_STRIPED_GIB) return { Iops, StorageThroughput };
  return {};
}

/** RDS wants size, type and performance together. */
const storage = (wanted: DBInstance) => ({
  StorageType: wanted.StorageType,
  AllocatedStorage: wanted.AllocatedStorage,
  ...performance(wanted),
});
const ofStorage = (of?: SameField['of'], suffices?: SameField['suffices']) =>
  same({
    restore: storage,
    replica: storage,
    modify: storage,
    ...(of ? { of } : {}),
    ...(suffices ? { suffices } : {}),
  });

const monitoring = ({ MonitoringInterval, MonitoringRoleArn }: DBInstance) => ({
  MonitoringInterval,
  ...(MonitoringRoleArn ? { MonitoringRoleArn } : {}),
});
const insights = (wanted: DBInstance) => ({
  EnablePerformanceInsights: wanted.PerformanceInsightsEnabled,
  ...(wanted.DatabaseInsightsMode ? { DatabaseInsightsMode: wanted.DatabaseInsightsMode } : {}),
  ...(wanted.PerformanceInsightsEnabled
    ? {
        PerformanceInsightsKMSKeyId: wanted.PerformanceInsightsKMSKeyId,
        PerformanceInsightsRetentionPeriod: wanted.PerformanceInsightsRetentionPeriod,
      }
    : {}),
});
/** What a restore does not take. */
const afterwards = (give: (wanted: DBInstance) => ReplicaInput & ModifyInput) => same({ replica: give, modify: give });

/** RDS makes the volume larger by itself: source and target do so each at their own time. */
const growsByItself = ({ MaxAllocatedStorage, AllocatedStorage = 0 }: DBInstance): boolean =>
  (MaxAllocatedStorage ?? 0) > AllocatedStorage;

/**
 * The ceiling of storage autoscaling that RDS takes for an instance of this size: at least a tenth above it. One that has grown may show less.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
 */
export const ceilingFor = (maxGiB: number, allocatedGiB: number): number =>
  Math.max(maxGiB, Math.ceil((allocatedGiB * 11) / 10));

/** A ceiling at the size itself is how storage autoscaling is turned off; a new instance is not given one for that, RDS refuses it. */
const ceilingOf = (wanted: DBInstance, { AllocatedStorage = 0 }: DBInstance): number =>
  growsByItself(wanted) ? ceilingFor(wanted.MaxAllocatedStorage ?? 0, AllocatedStorage) : AllocatedStorage;

const masterSecret = ({ MasterUserSecret }: DBInstance) =>
  MasterUserSecret ? { ManageMasterUserPassword: true, MasterUserSecretKmsKeyId: MasterUserSecret.KmsKeyId } : {};

const domain = ({ DomainMemberships }: DBInstance) => {
  const joined = DomainMemberships?.[0];
  if (!joined) return {};
  const managed = { Domain: joined.Domain, DomainIAMRoleName: joined.IAMRoleName };
  if (!joined.AuthSecretArn) return managed;
  const { FQDN: DomainFqdn, OU: DomainOu, AuthSecretArn: DomainAuthSecretArn, DnsIps: DomainDnsIps } = joined;
  return { DomainFqdn, DomainOu, DomainAuthSecretArn, DomainDnsIps };
};
const joinedDomain = ({ Domain, FQDN, IAMRoleName, OU, AuthSecretArn, DnsIps }: DomainMembership) =>
  JSON.stringify({ Domain, FQDN, IAMRoleName, OU, AuthSecretArn, DnsIps });

/** Tags of the operator; AWS's own and ours stay with what they name. */
export const operatorTags = ({ TagList }: DBInstance) =>
  (TagList ?? []).filter(({ Key }) => !Key?.startsWith('aws:') && !Key?.startsWith('keyshift:'));

export const groupNames = ({ DBParameterGroups }: DBInstance) =>
  DBParameterGroups?.map(({ DBParameterGroupName }) => DBParameterGroupName);
const optionGroup = ({ OptionGroupMemberships }: DBInstance) => OptionGroupMemberships?.[0]?.OptionGroupName;
export const securityGroups = ({ VpcSecurityGroups }: DBInstance) =>
  VpcSecurityGroups?.flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? []);
export const roleNames = ({ AssociatedRoles }: DBInstance) =>
  AssociatedRoles?.map(({ RoleArn, FeatureName }) => `${FeatureName ?? ''} ${RoleArn ?? ''}`);
const volumes = ({ AdditionalStorageVolumes }: DBInstance) =>
  AdditionalStorageVolumes?.map(({ VolumeName = '', AllocatedStorage, IOPS, MaxAllocatedStorage, ...rest }) => ({
    VolumeName,
    AllocatedStorage,
    IOPS,
    MaxAllocatedStorage,
    StorageThroughput: rest.StorageThroughput,
    StorageType: rest.StorageType,
  }));

/** Every member of `DBInstance`. The compiler holds it complete; what RDS answers beyond it is listed as "not compared". */
export const SETTING_FIELDS = {
  DBInstanceIdentifier: planned('the plan names the target'),
  DBInstanceArn: own('contains the identifier'),
  DbiResourceId: own('names the instance for good'),
  InstanceCreateTime: own('when it was made'),
  DBInstanceStatus: own('changes by itself'),
  StatusInfos: own('changes by itself'),
  PercentProgress: own('changes by itself'),
  LatestRestorableTime: own('changes by itself'),
  PendingModifiedValues: own('the comparison waits until nothing is pending on the target'),

  StorageEncrypted: planned('the target is encrypted; the step restore verifies it'),
  StorageEncryptionType: planned('the target is encrypted; the step restore verifies it'),
  KmsKeyId: planned('the key of the plan; the step restore verifies it'),

  Engine: same(),
  EngineVersion: same(),
  EngineLifecycleSupport: same({ restore: ({ EngineLifecycleSupport }) => ({ EngineLifecycleSupport }) }),
  DBInstanceClass: everywhere(({ DBInstanceClass }) => ({ DBInstanceClass })),
  ProcessorFeatures: everywhere(
    ({ ProcessorFeatures }) => (ProcessorFeatures?.length ? { ProcessorFeatures } : {}),
    ({ ProcessorFeatures }) => ProcessorFeatures?.map(({ Name, Value }) => `${Name ?? ''}=${Value ?? ''}`),
  ),
  LicenseModel: same({
    restore: ({ LicenseModel }) => ({ LicenseModel }),
    modify: ({ LicenseModel }) => ({ LicenseModel }),
  }),
  CharacterSetName: same(),
  NcharCharacterSetName: same(),
  Timezone: same(),
  DBName: same(),
  DBSystemId: same(),
  MultiTenant: same(),
  MasterUsername: same(),
  // A replica has the users of its primary.
  MasterUserSecret: same({
    of: ({ MasterUserSecret }) => MasterUserSecret && `managed by RDS under ${MasterUserSecret.KmsKeyId ?? ''}`,
    restore: masterSecret,
    modify: masterSecret,
    notOfReplicas: true,
  }),

  StorageType: ofStorage(),
  AllocatedStorage: ofStorage(undefined, growsByItself),
  // Older volumes show 0 where there is nothing to say.
  Iops: ofStorage(({ Iops }) => Iops || undefined),
  StorageThroughput: ofStorage(({ StorageThroughput }) => StorageThroughput || undefined),
  MaxAllocatedStorage: same({
    replica: (wanted) => (growsByItself(wanted) ? { MaxAllocatedStorage: ceilingOf(wanted, wanted) } : {}),
    modify: (wanted, found) => ({ MaxAllocatedStorage: ceilingOf(wanted, found) }),
    suffices: (wanted, found) => growsByItself(wanted) && found.MaxAllocatedStorage === ceilingOf(wanted, found),
  }),
  DedicatedLogVolume: everywhere(({ DedicatedLogVolume }) => ({ DedicatedLogVolume })),
  AdditionalStorageVolumes: same({
    of: (instance) => volumes(instance)?.map((volume) => JSON.stringify(volume)),
    restore: (wanted) => {
      const found = volumes(wanted);
      return found?.length ? { AdditionalStorageVolumes: found } : {};
    },
  }),
  IsStorageConfigUpgradeAvailable: own('a property of the volume, which is a new one'),
  StorageVolumeStatus: own('changes by itself'),
  StorageOperationStatus: own('changes by itself'),
  StorageOperationPercentProgress: own('changes by itself'),

  MultiAZ: everywhere(({ MultiAZ }) => ({ MultiAZ })),
  AvailabilityZone: same({
    // With Multi-AZ, RDS chooses the zone, and the next failover changes it.
    of: ({ MultiAZ, AvailabilityZone }) => (MultiAZ ? undefined : AvailabilityZone),
    restore: ({ MultiAZ, AvailabilityZone }) => (MultiAZ ? {} : { AvailabilityZone }),
    replica: ({ MultiAZ, AvailabilityZone }) => (MultiAZ ? {} : { AvailabilityZone }),
  }),
  SecondaryAvailabilityZone: own('RDS chooses it'),
  Endpoint: same({
    of: ({ Endpoint }) => Endpoint?.Port,
    restore: ({ Endpoint }) => ({ Port: Endpoint?.Port }),
    replica: ({ Endpoint }) => ({ Port: Endpoint?.Port }),
    modify: ({ Endpoint }) => ({ DBPortNumber: Endpoint?.Port }),
    byHand: true,
  }),
  DbInstancePort: same(),
  ListenerEndpoint: own('an address of its own'),
  DBSubnetGroup: same({
    of: ({ DBSubnetGroup }) => DBSubnetGroup?.DBSubnetGroupName,
    restore: ({ DBSubnetGroup }) => ({ DBSubnetGroupName: DBSubnetGroup?.DBSubnetGroupName }),
    replica: ({ DBSubnetGroup }) => ({ DBSubnetGroupName: DBSubnetGroup?.DBSubnetGroupName }),
  }),
  VpcSecurityGroups: everywhere((wanted) => ({ VpcSecurityGroupIds: securityGroups(wanted) }), securityGroups),
  DBSecurityGroups: same({ of: ({ DBSecurityGroups }) => DBSecurityGroups?.map((group) => group.DBSecurityGroupName) }),
  PubliclyAccessible: everywhere(({ PubliclyAccessible }) => ({ PubliclyAccessible })),
  NetworkType: everywhere(({ NetworkType }) => ({ NetworkType })),
  CustomerOwnedIpEnabled: everywhere(({ CustomerOwnedIpEnabled }) =>
    CustomerOwnedIpEnabled === undefined ? {} : { EnableCustomerOwnedIp: CustomerOwnedIpEnabled },
  ),
  CACertificateIdentifier: everywhere(({ CACertificateIdentifier }) => ({ CACertificateIdentifier })),
  CertificateDetails: own('a certificate of its own; the authority is compared'),
  DomainMemberships: same({
    of: ({ DomainMemberships }) => DomainMemberships?.map(joinedDomain),
    restore: domain,
    replica: domain,
    modify: domain,
    byHand: true,
  }),

  DBParameterGroups: same({
    of: groupNames,
    restore: (wanted) => ({ DBParameterGroupName: groupNames(wanted)?.[0] }),
    // A replica begins with the group of its primary; RDS refuses to name another, so that comes afterwards, with a reboot.
    modify: (wanted) => ({ DBParameterGroupName: groupNames(wanted)?.[0] }),
    byHand: true,
  }),
  OptionGroupMemberships: everywhere((wanted) => ({ OptionGroupName: optionGroup(wanted) }), optionGroup),
  IAMDatabaseAuthenticationEnabled: everywhere(({ IAMDatabaseAuthenticationEnabled }) => ({
    EnableIAMDatabaseAuthentication: IAMDatabaseAuthenticationEnabled,
  })),
  // Added and removed by calls of their own.
  AssociatedRoles: same({ of: roleNames }),
  CustomIamInstanceProfile: same({
    restore: ({ CustomIamInstanceProfile }) => (CustomIamInstanceProfile ? { CustomIamInstanceProfile } : {}),
  }),
  TdeCredentialArn: same({ restore: ({ TdeCredentialArn }) => (TdeCredentialArn ? { TdeCredentialArn } : {}) }),

  EnabledCloudwatchLogsExports: same({
    restore: (wanted) => ({ EnableCloudwatchLogsExports: wanted.EnabledCloudwatchLogsExports }),
    replica: (wanted) => ({ EnableCloudwatchLogsExports: wanted.EnabledCloudwatchLogsExports }),
    modify: ({ EnabledCloudwatchLogsExports: wanted = [] }, { EnabledCloudwatchLogsExports: found = [] }) => ({
      CloudwatchLogsExportConfiguration: {
        EnableLogTypes: wanted.filter((name) => !found.includes(name)),
        DisableLogTypes: found.filter((name) => !wanted.includes(name)),
      },
    }),
  }),
  MonitoringInterval: afterwards(monitoring),
  MonitoringRoleArn: afterwards(monitoring),
  EnhancedMonitoringResourceArn: own('contains the resource id'),
  DatabaseInsightsMode: afterwards(insights),
  PerformanceInsightsEnabled: afterwards(insights),
  PerformanceInsightsKMSKeyId: afterwards(insights),
  PerformanceInsightsRetentionPeriod: afterwards(insights),
  ActivityStreamStatus: same({ of: ({ ActivityStreamStatus }) => ActivityStreamStatus ?? 'stopped' }),
  ActivityStreamKmsKeyId: same(),
  ActivityStreamKinesisStreamName: own('contains the resource id'),
  ActivityStreamMode: same(),
  ActivityStreamEngineNativeAuditFieldsIncluded: same(),
  ActivityStreamPolicyStatus: same(),

  BackupRetentionPeriod: same({
    // With automated backups RDS makes the first one right after the restore: for hours the instance is `backing-up`, takes no call, and WAL piles up on
    // the source. So they begin with the step `settings`, once the target subscribes, at the cost of a restart that nobody notices there.
    restore: () => ({ BackupRetentionPeriod: 0 }),
    modify: ({ BackupRetentionPeriod }) => ({ BackupRetentionPeriod }),
  }),
  PreferredBackupWindow: same({
    restore: ({ PreferredBackupWindow }) => ({ PreferredBackupWindow }),
    modify: ({ PreferredBackupWindow }) => ({ PreferredBackupWindow }),
  }),
  BackupTarget: same({
    restore: ({ BackupTarget }) => (BackupTarget && BackupTarget !== 'region' ? { BackupTarget } : {}),
    replica: ({ BackupTarget }) => (BackupTarget && BackupTarget !== 'region' ? { BackupTarget } : {}),
  }),
  DBInstanceAutomatedBackupsReplications: same({
    // Each has an ARN of its own; that there is one in the same regions is what matters.
    of: ({ DBInstanceAutomatedBackupsReplications: replications }) =>
      replications?.map(({ DBInstanceAutomatedBackupsArn: arn }) => arn?.split(':')[3]),
  }),
  AwsBackupRecoveryPointArn: own('a recovery point of its own'),
  CopyTagsToSnapshot: everywhere(({ CopyTagsToSnapshot }) => ({ CopyTagsToSnapshot })),
  PreferredMaintenanceWindow: same({
    modify: ({ PreferredMaintenanceWindow }) => ({ PreferredMaintenanceWindow }),
  }),
  AutoMinorVersionUpgrade: everywhere(({ AutoMinorVersionUpgrade }) => ({ AutoMinorVersionUpgrade })),
  UpgradeRolloutOrder: own("follows from tags and the organisation's policy"),
  AutomationMode: same(),
  ResumeFullAutomationModeTime: own('changes by itself'),
  AutomaticRestartTime: own('changes by itself'),
  DeletionProtection: everywhere(({ DeletionProtection }) => ({ DeletionProtection })),
  TagList: same({
    of: (instance) => operatorTags(instance).map(({ Key, Value }) => `${Key ?? ''}=${Value ?? ''}`),
    restore: (wanted) => ({ Tags: operatorTags(wanted) }),
    replica: (wanted) => ({ Tags: operatorTags(wanted) }),
  }),

  ReadReplicaDBInstanceIdentifiers: own('the step replicas rebuilds them under names of their own'),
  ReadReplicaDBClusterIdentifiers: own('the step replicas says which are not rebuilt'),
  ReadReplicaSourceDBInstanceIdentifier: own('a replica follows another primary'),
  ReadReplicaSourceDBClusterIdentifier: own('a replica follows another primary'),
  ReplicaMode: same({ replica: ({ ReplicaMode }) => (ReplicaMode ? { ReplicaMode } : {}) }),
  DBClusterIdentifier: same(),
  PromotionTier: same({ modify: ({ PromotionTier }) => ({ PromotionTier }) }),
  DBCapacityReservationIdentifier: own('the reservation is in use by the source until that is deleted'),
} as const satisfies Record<FieldName, SettingField>;

export const FIELD_NAMES = Object.keys(SETTING_FIELDS) as FieldName[];

/** The fields that have to be equal. */
export const sameFields = (): [FieldName, SameField][] =>
  FIELD_NAMES.flatMap((name): [FieldName, SameField][] => {
    const field: SettingField = SETTING_FIELDS[name];
    return field.kind === 'same' ? [[name, field]] : [];
  });

/** How a field is compared, if it is. */
export function fieldOf(name: FieldName): SameField | undefined {
  const field: SettingField = SETTING_FIELDS[name];
  return field.kind === 'same' ? field : undefined;
}

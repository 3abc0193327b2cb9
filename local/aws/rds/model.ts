import { z } from 'zod';
import type { Major } from '../../postgres/binaries';

/** A tag of a resource. */
export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** Settings of an instance that AWS shows under the same name. They have no effect on the PostgreSQL server. */
export interface InstanceSettings {
  DBInstanceClass: string;
  AllocatedStorage: number;
  MaxAllocatedStorage?: number | undefined;
  StorageType: string;
  Iops?: number | undefined;
  StorageThroughput?: number | undefined;
  MultiAZ: boolean;
  AvailabilityZone: string;
  DBSubnetGroupName: string;
  VpcSecurityGroupIds: string[];
  PubliclyAccessible: boolean;
  NetworkType: string;
  PreferredBackupWindow: string;
  PreferredMaintenanceWindow: string;
  BackupRetentionPeriod: number;
  BackupTarget: string;
  AutoMinorVersionUpgrade: boolean;
  CopyTagsToSnapshot: boolean;
  DeletionProtection: boolean;
  LicenseModel: string;
  OptionGroupName: string;
  MonitoringInterval: number;
  MonitoringRoleArn?: string | undefined;
  IAMDatabaseAuthenticationEnabled: boolean;
  DatabaseInsightsMode: string;
  PerformanceInsightsEnabled: boolean;
  PerformanceInsightsKMSKeyId?: string | undefined;
  PerformanceInsightsRetentionPeriod?: number | undefined;
  EnabledCloudwatchLogsExports: string[];
  CACertificateIdentifier: string;
  EngineLifecycleSupport: string;
  DedicatedLogVolume: boolean;
  CustomerOwnedIpEnabled: boolean;
}

/** Changes that were accepted and aren't done, as `PendingModifiedValues` shows them. */
export interface PendingValues {
  DBInstanceClass?: string;
  AllocatedStorage?: number;
  BackupRetentionPeriod?: number;
  MultiAZ?: boolean;
  Iops?: number;
  StorageThroughput?: number;
  StorageType?: string;
  CACertificateIdentifier?: string;
  DBSubnetGroupName?: string;
  IAMDatabaseAuthenticationEnabled?: boolean;
  DedicatedLogVolume?: boolean;
  /** In the clear until the server has it; AWS shows asterisks. */
  MasterUserPassword?: string;
  DBInstanceIdentifier?: string;
}

/** An IAM role that an instance uses for a feature. */
export interface InstanceRole {
  readonly RoleArn: string;
  readonly FeatureName: string;
  Status: 'ACTIVE' | 'PENDING';
}

/** The secret in which RDS keeps the master user's password. */
export interface MasterSecret {
  readonly arn: string;
  readonly kmsKeyArn: string;
  status: 'creating' | 'active' | 'rotating';
}

/** What is under way for an instance. It is kept in the state, so that a restart of the stand-in takes it up again. */
export type InstanceOperation =
  | { readonly kind: 'create'; readonly password: string }
  | { readonly kind: 'restore'; readonly snapshotId: string; readonly password?: string }
  | { readonly kind: 'replicate' }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'failover' }
  | { readonly kind: 'modify'; readonly states?: readonly StateBesides[] }
  | { readonly kind: 'states'; readonly states: readonly StateBesides[] }
  | { readonly kind: 'stop' }
  | { readonly kind: 'start' }
  | { readonly kind: 'delete'; readonly finalSnapshotId?: string; readonly keepsBackups?: boolean };

/** States of `DBInstanceStatus` that occur here (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html). */
export type InstanceStatus =
  | 'available'
  | 'backing-up'
  | 'configuring-enhanced-monitoring'
  | 'configuring-iam-database-auth'
  | 'configuring-log-exports'
  | 'creating'
  | 'deleting'
  | 'failed'
  | 'inaccessible-encryption-credentials'
  | 'incompatible-parameters'
  | 'modifying'
  | 'rebooting'
  | 'renaming'
  | 'starting'
  | 'stopped'
  | 'stopping'
  | 'storage-initialization'
  | 'storage-optimization';

/** States in which the server takes sessions while RDS does something besides. */
export type StateBesides = Extract<InstanceStatus, 'backing-up' | `configuring-${string}` | `storage-${string}`>;

/** Where an instance listens; the stand-in's word for a DNS name. */
export interface NetworkPlace {
  readonly port: number;
  /** A loopback address; absent: 127.0.0.1. */
  readonly address?: string;
}

/** What the stand-in knows of an instance. */
export interface InstanceRecord {
  id: string;
  readonly region: string;
  /** `DbiResourceId`: stays the same when the instance is renamed; names its directory. */
  readonly resourceId: string;
  status: InstanceStatus;
  readonly createdAt: string;
  readonly major: Major;
  readonly engineVersion: string;
  port: number;
  /** Loopback address that it listens on; absent: 127.0.0.1, which is called `localhost`. */
  address?: string;
  /** The port that was asked for when it was made: it stays with the instance when its name changes. */
  readonly requestedPort?: number;
  readonly masterUsername: string;
  readonly dbName: string | undefined;
  readonly kmsKeyArn: string | undefined;
  settings: InstanceSettings;
  tags: Tag[];
  pending: PendingValues;
  parameterGroup: string;
  parameterApplyStatus: 'in-sync' | 'applying' | 'pending-reboot';
  /** The group whose values the server runs with; another one is associated but not yet booted if this differs. */
  activeParameterGroup: string;
  /** The values that the server runs with, where they differ from the engine's. */
  activeParameters: Record<string, string>;
  /** `DbiResourceId` of the primary, while it is a read replica. */
  replicaOf?: string | undefined;
  roles?: InstanceRole[];
  masterSecret?: MasterSecret | undefined;
  /** Where the clone ends in the source's WAL; only of instances that were restored. */
  seedLsn?: string;
  operation?: InstanceOperation | undefined;
  /** Maintenance that AWS has announced for it. */
  maintenance?: MaintenanceAction[];
}

/** Maintenance that waits for an instance (`PendingMaintenanceAction`). Times are ISO dates. */
export const maintenanceAction = z.strictObject({
  action: z.string(),
  description: z.string().default(''),
  autoAppliedAfter: z.iso.datetime().optional(),
  forcedApply: z.iso.datetime().optional(),
  currentApply: z.iso.datetime().optional(),
  optInStatus: z.string().optional(),
});
export type MaintenanceAction = z.output<typeof maintenanceAction>;

/** How a proxy deals with connections; seconds and percents. The stand-in heeds the timeout alone: it has no pool. */
export interface ConnectionPool {
  MaxConnectionsPercent: number;
  MaxIdleConnectionsPercent: number;
  ConnectionBorrowTimeout: number;
}

/** A proxy between applications and instances. */
export interface ProxyRecord {
  readonly name: string;
  readonly id: string;
  readonly roleArn: string;
  readonly engineFamily: string;
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  readonly secrets: readonly string[];
  readonly requireTls: boolean;
  readonly createdAt: string;
  /** Its own, on 127.0.0.1. */
  port: number;
  /** Resource ids of the instances behind it. */
  targets: string[];
  /** Those of them that take no connections yet. */
  registering?: string[];
  /** `ConnectionPoolConfig` of its target group, where it isn't RDS's default. */
  pool?: Partial<ConnectionPool>;
  tags: Tag[];
}

/** A blue/green deployment; the green side isn't built here. */
export interface BlueGreenRecord {
  readonly id: string;
  readonly name: string;
  /** ARN of the blue instance. */
  source: string;
  readonly createdAt: string;
  tags: Tag[];
}

/** A manual snapshot. */
export interface SnapshotRecord {
  readonly id: string;
  readonly region: string;
  /** Names its directory. */
  readonly storageId: string;
  readonly type: 'manual';
  status: 'creating' | 'available' | 'copying' | 'failed' | 'deleting';
  percentProgress: number;
  createdAt: string;
  originalCreatedAt: string;
  readonly instance: Pick<
    InstanceRecord,
    'id' | 'resourceId' | 'createdAt' | 'major' | 'engineVersion' | 'port' | 'masterUsername' | 'dbName' | 'settings'
  >;
  readonly kmsKeyArn: string | undefined;
  /** The data key of its files, encrypted under the KMS key; base64. */
  wrappedDataKey?: string;
  readonly sourceArn?: string;
  tags: Tag[];
  operation?: { readonly kind: 'create' } | { readonly kind: 'copy'; readonly sourceId: string } | undefined;
}

/** A parameter group: only the values that its users set. */
export interface ParameterGroupRecord {
  readonly name: string;
  readonly family: string;
  readonly description: string;
  tags: Tag[];
  values: Record<string, { value: string; applyMethod: 'immediate' | 'pending-reboot' }>;
}

/** An option group. PostgreSQL has no options, so only its name matters. */
export interface OptionGroupRecord {
  readonly name: string;
  readonly majorEngineVersion: string;
  readonly description: string;
  tags: Tag[];
}

/** A subnet group that a user made. */
export interface SubnetGroupRecord {
  readonly name: string;
  readonly description: string;
  readonly subnetIds: readonly string[];
  tags: Tag[];
}

/** Something that happened, for `DescribeEvents`. */
export interface EventRecord {
  readonly sourceId: string;
  readonly sourceType: 'db-instance' | 'db-snapshot' | 'db-parameter-group';
  readonly sourceArn: string;
  readonly message: string;
  readonly categories: readonly string[];
  readonly date: string;
}

/** Automated backups that stay behind an instance that was deleted. */
export interface RetainedBackupRecord {
  readonly resourceId: string;
  readonly instance: string;
  readonly region: string;
  readonly engineVersion: string;
  readonly kmsKeyArn: string | undefined;
  readonly retentionDays: number;
}

/** RDS in one region. */
export interface RdsState {
  instances: Record<string, InstanceRecord>;
  /** The places that belong to names, also to those that an instance was renamed away from. */
  places?: Record<string, NetworkPlace>;
  snapshots: Record<string, SnapshotRecord>;
  parameterGroups: Record<string, ParameterGroupRecord>;
  events: EventRecord[];
  proxies?: Record<string, ProxyRecord>;
  blueGreens?: Record<string, BlueGreenRecord>;
  optionGroups?: Record<string, OptionGroupRecord>;
  subnetGroups?: Record<string, SubnetGroupRecord>;
  /** By resource id. */
  retainedBackups?: Record<string, RetainedBackupRecord>;
}

import type { DBInstance } from '@aws-sdk/client-rds';
import type { Plan } from '../../plan/plan';
import { ceilingFor, type FieldName } from './setting-fields';

/** How an instance shall be: the settings of another, with what the plan changes on the way. */
export interface Wanted {
  readonly instance: DBInstance;
  /** Fields whose value RDS chooses, since the plan changes what they follow from. */
  readonly free: readonly FieldName[];
}

/** The target as it is wanted: like the source, but for what the plan asks for. */
export function wantedTarget({ target }: Plan, source: DBInstance): Wanted {
  const { MultiAZ, StorageType, AllocatedStorage = 0, MaxAllocatedStorage, Iops, StorageThroughput } = source;
  const resized = target.storageType !== undefined || target.allocatedStorage !== undefined;
  const instance: DBInstance = {
    ...source,
    DBInstanceClass: target.instanceClass ?? source.DBInstanceClass,
    DBSubnetGroup: target.subnetGroup ? { DBSubnetGroupName: target.subnetGroup } : source.DBSubnetGroup,
    MultiAZ: target.multiAz ?? MultiAZ,
    AvailabilityZone: target.availabilityZone ?? (target.subnetGroup ? undefined : source.AvailabilityZone),
    StorageType: target.storageType ?? StorageType,
    // The source may have grown beyond what the plan says.
    AllocatedStorage: Math.max(target.allocatedStorage ?? 0, AllocatedStorage),
    MaxAllocatedStorage:
      target.allocatedStorage === undefined || MaxAllocatedStorage === undefined
        ? MaxAllocatedStorage
        : ceilingFor(MaxAllocatedStorage, target.allocatedStorage),
    Iops: target.iops ?? (resized ? undefined : Iops),
    StorageThroughput: target.storageThroughput ?? (resized ? undefined : StorageThroughput),
    DeletionProtection: target.deletionProtection ?? source.DeletionProtection,
  };
  const free: FieldName[] = [
    ...(resized && target.iops === undefined ? (['Iops'] as const) : []),
    ...(resized && target.storageThroughput === undefined ? (['StorageThroughput'] as const) : []),
    ...(target.subnetGroup && !target.availabilityZone ? (['AvailabilityZone'] as const) : []),
    // A plan names members of DBInstance; one that there is not has no effect.
    ...(target.mayDiffer as FieldName[]),
  ];
  return { instance, free };
}

/** A read replica of the target as it is wanted: like the replica of the source that it stands for. */
export const wantedReplica = (replica: DBInstance): Wanted => ({ instance: replica, free: [] });

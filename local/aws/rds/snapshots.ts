import { randomUUID } from 'node:crypto';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { InstanceRecord, SnapshotRecord, Tag } from './model';

/** Adds a snapshot to the state, unless there are too many or one of the name. */
export function addSnapshot(
  { store }: Context,
  region: string,
  id: string,
  options: Pick<SnapshotRecord, 'instance' | 'kmsKeyArn' | 'tags' | 'operation'> &
    Partial<Pick<SnapshotRecord, 'sourceArn' | 'originalCreatedAt'>>,
): SnapshotRecord {
  const { snapshots } = store.region(region).rds;
  assertNewSnapshot({ store }, region, id);
  const now = new Date().toISOString();
  const snapshot: SnapshotRecord = {
    id,
    region,
    storageId: randomUUID(),
    type: 'manual',
    status: 'creating',
    percentProgress: 0,
    createdAt: now,
    originalCreatedAt: now,
    ...options,
  };
  snapshots[id] = snapshot;
  store.changed();
  return snapshot;
}

/** Throws AWS's error if a snapshot of the name can't be made. */
export function assertNewSnapshot({ store }: Pick<Context, 'store'>, region: string, id: string): void {
  const { snapshots } = store.region(region).rds;
  if (snapshots[id]) {
    throw new AwsError(
      'DBSnapshotAlreadyExists',
      `Cannot create the snapshot because a snapshot with the identifier ${id} already exists.`,
    );
  }
  if (Object.keys(snapshots).length >= store.quotas.manualSnapshots) {
    throw new AwsError('SnapshotQuotaExceeded', 'Cannot create more than the allowed number of manual snapshots.');
  }
}

/** What a snapshot remembers of its instance. */
export function imageOf(instance: InstanceRecord): SnapshotRecord['instance'] {
  const { id, resourceId, createdAt, major, engineVersion, port, masterUsername, dbName, settings } = instance;
  return {
    id,
    resourceId,
    createdAt,
    major,
    engineVersion,
    port,
    masterUsername,
    dbName,
    settings: structuredClone(settings),
  };
}

/** The tags of a new snapshot: those of the request, and those of the instance if it is set to copy them. */
export function snapshotTags(instance: InstanceRecord, requested: readonly Tag[] | undefined): Tag[] {
  if (requested && requested.length > 0) return [...requested];
  return instance.settings.CopyTagsToSnapshot ? structuredClone(instance.tags) : [];
}

/** The snapshot that is taken before an instance goes. */
export function newFinalSnapshot(context: Context, instance: InstanceRecord, id: string): SnapshotRecord {
  return addSnapshot(context, instance.region, id, {
    instance: imageOf(instance),
    kmsKeyArn: instance.kmsKeyArn,
    tags: snapshotTags(instance, undefined),
    operation: undefined,
  });
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyCrashConsistent } from '../../postgres/crash-copy';
import { AWS_SECONDS } from '../clock';
import type { Context } from '../context';
import type { Fault } from '../faults';
import { runInBackground } from './background';
import { noteEvent } from './events';
import type { InstanceRecord, SnapshotRecord } from './model';
import { placesOf } from './server-configuration';
import { copyTree } from './snapshot-files';
import { newDataKey, openDataKey } from './storage-keys';

/** Where the files of a snapshot are kept. */
export function snapshotDirectory({ places }: Context, snapshot: SnapshotRecord): string {
  return join(places.stateDir, 'snapshots', snapshot.storageId);
}

/** Does, or takes up again, what is under way for a snapshot. */
export function runSnapshotOperation(context: Context, snapshot: SnapshotRecord, stall?: Fault): void {
  const { operation } = snapshot;
  if (!operation) return;
  runInBackground(
    context,
    { snapshot: snapshot.id, operation: operation.kind },
    async () => {
      if (operation.kind === 'create') await create(context, snapshot, stall);
      else await copy(context, snapshot, operation.sourceId, stall);
      snapshot.operation = undefined;
      snapshot.status = 'available';
      snapshot.percentProgress = 100;
      context.store.changed();
    },
    () => {
      snapshot.operation = undefined;
      snapshot.status = 'failed';
    },
  );
}

/** Takes the image of an instance into a snapshot. */
export async function takeImage(context: Context, instance: InstanceRecord, snapshot: SnapshotRecord): Promise<void> {
  const { server } = context.servers.of(instance);
  const { dataDir, home } = placesOf(context.places, instance);
  const directory = snapshotDirectory(context, snapshot);
  const key = newDataKey(context, snapshot);
  if (!key) {
    const result = await copyCrashConsistent(dataDir, directory, server.pid);
    context.log.info({ snapshot: snapshot.id, ...result }, 'image taken');
    return;
  }
  // In the clear only beside the data that it is a copy of; the snapshot store sees ciphertext alone.
  const image = join(home, `image-${snapshot.storageId}`);
  try {
    const result = await copyCrashConsistent(dataDir, image, server.pid);
    await copyTree({ directory: image }, { directory, key });
    context.log.info({ snapshot: snapshot.id, ...result }, 'encrypted image taken');
  } finally {
    await rm(image, { recursive: true, force: true });
  }
}

async function create(context: Context, snapshot: SnapshotRecord, stall: Fault | undefined): Promise<void> {
  const { store } = context;
  const instance = store.region(snapshot.region).rds.instances[snapshot.instance.id];
  if (!instance) throw new Error(`instance ${snapshot.instance.id} is gone`);
  const statusBefore = instance.status;
  if (statusBefore === 'available') instance.status = 'backing-up';
  try {
    await takeImage(context, instance, snapshot);
    snapshot.createdAt = snapshot.originalCreatedAt = new Date().toISOString();
    await progress(context, snapshot, AWS_SECONDS.createSnapshot);
    await context.faults.whileStalled(stall, 'creating', context.shutdown);
  } finally {
    if (instance.status === 'backing-up') instance.status = 'available';
    store.changed();
  }
  noteEvent(store, snapshot.region, 'db-snapshot', snapshot.id, 'creation', 'Manual snapshot created');
}

async function copy(
  context: Context,
  snapshot: SnapshotRecord,
  sourceId: string,
  stall: Fault | undefined,
): Promise<void> {
  const source = context.store.region(snapshot.region).rds.snapshots[sourceId];
  if (!source) throw new Error(`snapshot ${sourceId} is gone`);
  const from = { directory: snapshotDirectory(context, source), key: openDataKey(context, source) };
  await copyTree(from, { directory: snapshotDirectory(context, snapshot), key: newDataKey(context, snapshot) });
  await progress(context, snapshot, AWS_SECONDS.copySnapshot);
  await context.faults.whileStalled(stall, 'creating', context.shutdown);
  noteEvent(context.store, snapshot.region, 'db-snapshot', snapshot.id, 'creation', 'Finished copy of snapshot');
}

/** Lets the time that AWS takes pass in steps that `PercentProgress` shows. */
async function progress(context: Context, snapshot: SnapshotRecord, seconds: number): Promise<void> {
  const steps = 4;
  for (let step = 0; step < steps; step += 1) {
    snapshot.percentProgress = Math.round((step * 100) / steps);
    context.store.changed();
    await context.clock.pass(seconds / steps);
  }
}

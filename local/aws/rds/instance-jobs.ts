import { chmodSync, existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyCrashConsistent } from '../../postgres/crash-copy';
import { preparePostgres } from '../../postgres/binaries';
import { readControlFile } from '../../postgres/control-file';
import { initialise, ServerDidNotStart } from '../../postgres/server';
import { giveTo } from '../../postgres/unprivileged';
import { AWS_SECONDS } from '../clock';
import type { Context } from '../context';
import type { Fault } from '../faults';
import { exportLogs } from '../logs/groups';
import { arnOf } from './arns';
import { runInBackground } from './background';
import { noteEvent } from './events';
import { settle } from './instance-settings';
import { goThrough, statesAfterChange, statesAfterCreation } from './instance-states';
import { deleteMasterSecret } from './master-secret';
import { createInitialContents, setMasterPassword } from './initial-database';
import type { InstanceOperation, InstanceRecord, InstanceStatus } from './model';
import { defaultGroupName } from './parameter-groups';
import { findNetworkPlace, moveToName, reservePlace } from './network-place';
import { effectiveParameters, placesOf, prepareInstanceHome, renewCertificate } from './server-configuration';
import {
  becomeStandby,
  createReplicaSlot,
  dropReplicaSlot,
  forgetReplication,
  primaryOf,
  promote,
  replicasOf,
} from './replication';
import { bringOldLogs } from './old-logs';
import { retainBackups } from './retained-backups';
import { readSeedPosition } from './seed-position';
import { newFinalSnapshot } from './snapshots';
import { copyTree } from './snapshot-files';
import { snapshotDirectory, takeImage } from './snapshot-jobs';
import { isKeyAccessible, keyNotAccessible, openDataKey } from './storage-keys';

type Job = (context: Context, instance: InstanceRecord, stall: Fault | undefined) => Promise<void>;

/** Notes what is to be done for an instance, and does it after the call was answered. */
export function startInstanceOperation(
  context: Context,
  instance: InstanceRecord,
  operation: InstanceOperation,
  stall?: Fault,
): void {
  instance.operation = operation;
  context.store.changed();
  runInstanceOperation(context, instance, stall);
}

/** Does, or takes up again, what is under way for an instance. */
export function runInstanceOperation(context: Context, instance: InstanceRecord, stall?: Fault): void {
  const { operation } = instance;
  if (!operation) return;
  runInBackground(
    context,
    { instance: instance.id, operation: operation.kind },
    async () => {
      await jobOf(operation)(context, instance, stall);
      if (instance.operation === operation) instance.operation = undefined;
      exportLogs(context, instance);
      context.store.changed();
    },
    (error) => {
      instance.operation = undefined;
      instance.status = statusAfter(context, instance, operation, error);
      noteEvent(
        context.store,
        instance.region,
        'db-instance',
        instance.id,
        'failure',
        `DB instance is in state ${instance.status}`,
      );
    },
  );
}

/** Does what a change asks of the parameters of a server: they take effect with the start that follows. */
export function activateParameters({ store }: Context, instance: InstanceRecord): void {
  const group = store.region(instance.region).rds.parameterGroups[instance.parameterGroup];
  instance.activeParameterGroup = instance.parameterGroup;
  instance.activeParameters = effectiveParameters(instance.major, group);
  instance.parameterApplyStatus = 'in-sync';
  store.changed();
}

function jobOf(operation: InstanceOperation): Job {
  switch (operation.kind) {
    case 'create':
      return (context, instance, stall) => create(context, instance, operation.password, stall);
    case 'restore':
      return (context, instance, stall) => restore(context, instance, operation.snapshotId, operation.password, stall);
    case 'delete':
      return (context, instance, stall) => remove(context, instance, operation, stall);
    case 'replicate':
      return replicate;
    case 'reboot':
      return reboot;
    case 'failover':
      return failOver;
    case 'modify':
      return (context, instance, stall) => modify(context, instance, operation, stall);
    case 'states':
      return (context, instance, stall) => goThrough(context, instance, operation.states, stall);
    case 'stop':
      return stop;
    case 'start':
      return start;
  }
}

/** The state that an instance ends in when an operation failed. */
function statusAfter(
  context: Context,
  instance: InstanceRecord,
  operation: InstanceOperation,
  error: Error,
): InstanceStatus {
  if (instance.kmsKeyArn !== undefined && !isKeyAccessible(context, instance.region, instance.kmsKeyArn)) {
    return 'inaccessible-encryption-credentials';
  }
  if (operation.kind === 'create' || operation.kind === 'replicate') return 'failed';
  return error instanceof ServerDidNotStart ? 'incompatible-parameters' : 'failed';
}

async function create(
  context: Context,
  instance: InstanceRecord,
  password: string,
  stall: Fault | undefined,
): Promise<void> {
  const { clock, places, servers } = context;
  const server = servers.of(instance);
  await server.stop('immediate');
  const { home, dataDir } = placesOf(places, instance);
  await rm(home, { recursive: true, force: true });
  await prepareInstanceHome(places, instance);
  const tree = await preparePostgres(instance.major, places.postgresDir, { rdsTools: true });
  await initialise(tree, dataDir, places.account);
  activateParameters(context, instance);
  await server.start();
  await createInitialContents(server.server, instance, password);
  await clock.pass(AWS_SECONDS.createInstance);
  await hold(context, stall, 'creating');
  activateSecret(instance);
  note(context, instance, 'creation', 'DB instance created');
  await goThrough(context, instance, statesAfterCreation(context, instance, false), stall);
}

/**
 * A restore is a real crash recovery: the image, a first start on it, in which the position at its end is read, and one restart as RDS may do it, so that nothing can
 * rely on the state of the first start.
 */
async function restore(
  context: Context,
  instance: InstanceRecord,
  snapshotId: string,
  password: string | undefined,
  stall: Fault | undefined,
): Promise<void> {
  const { clock, log, places, servers, store } = context;
  const snapshot = store.region(instance.region).rds.snapshots[snapshotId];
  if (!snapshot) throw new Error(`snapshot ${snapshotId} is gone`);
  const server = servers.of(instance);
  await server.stop('immediate');
  const { home, dataDir } = placesOf(places, instance);
  await rm(home, { recursive: true, force: true });
  await prepareInstanceHome(places, instance);
  const source = { directory: snapshotDirectory(context, snapshot), key: openDataKey(context, snapshot) };
  await copyTree(source, { directory: dataDir });
  await forgetReplication(dataDir);
  chmodSync(dataDir, 0o700);
  giveTo(places.account, dataDir);
  activateParametersOfRestored(context, instance);
  if (instance.activeParameters['rds.logical_replication'] !== '1') await removeLogicalSlots(context, instance);
  const control = readControlFile(dataDir);
  await server.start();
  instance.seedLsn = await readSeedPosition(server.server, control, log);
  store.changed();
  const { oldLogs = 0 } = store.switches(instance.region, instance.id);
  bringOldLogs(places, instance, new Date(snapshot.originalCreatedAt), oldLogs);
  await server.restart('fast');
  if (password !== undefined) await setMasterPassword(server.server, instance, password);
  await clock.pass(AWS_SECONDS.restoreInstance);
  await hold(context, stall, 'creating');
  if (instance.kmsKeyArn !== undefined && !isKeyAccessible(context, instance.region, instance.kmsKeyArn)) {
    await server.stop('fast');
    throw keyNotAccessible(instance.kmsKeyArn);
  }
  activateSecret(instance);
  note(context, instance, 'restoration', `Restored from snapshot ${snapshotId}`);
  await goThrough(context, instance, statesAfterCreation(context, instance, true), stall);
}

/**
 * Now and then RDS starts a restored server with the engine's own values and leaves its group to a reboot
 * (https://github.com/hashicorp/terraform-provider-aws/issues/1494).
 */
function activateParametersOfRestored(context: Context, instance: InstanceRecord): void {
  const { store, whims } = context;
  const isPending =
    instance.parameterGroup !== defaultGroupName(instance.major) &&
    (store.switches(instance.region, instance.id).groupLeftPending ?? whims.takes('groupLeftPending'));
  if (!isPending) return activateParameters(context, instance);
  instance.activeParameterGroup = defaultGroupName(instance.major);
  instance.activeParameters = effectiveParameters(instance.major, undefined);
  instance.parameterApplyStatus = 'pending-reboot';
  store.changed();
}

/**
 * A server below `wal_level=logical` refuses to start where logical slots lie. What RDS does with the slots of an image isn't documented for such a group;
 * that it starts is certain, so they go.
 */
async function removeLogicalSlots(context: Context, instance: InstanceRecord): Promise<void> {
  const slots = join(placesOf(context.places, instance).dataDir, 'pg_replslot');
  for (const name of existsSync(slots) ? await readdir(slots) : []) {
    context.log.warn(
      { instance: instance.id, slot: name },
      'slot of the image dropped: rds.logical_replication is off',
    );
    await rm(join(slots, name), { recursive: true, force: true });
  }
}

/** A read replica: an image of the primary that goes on by streaming, with a slot of its own so that the primary keeps what it needs. */
const replicate: Job = async (context, instance, stall) => {
  const { clock, places, servers, store } = context;
  const primary = primaryOf(store.region(instance.region).rds, instance);
  if (!primary) throw new Error('the primary is gone');
  const server = servers.of(instance);
  await server.stop('immediate');
  const { home, dataDir } = placesOf(places, instance);
  await rm(home, { recursive: true, force: true });
  await prepareInstanceHome(places, instance);
  const { server: upstream } = servers.of(primary);
  await createReplicaSlot(upstream, instance);
  await copyCrashConsistent(placesOf(places, primary).dataDir, dataDir, upstream.pid);
  await becomeStandby(dataDir);
  chmodSync(dataDir, 0o700);
  giveTo(places.account, dataDir);
  activateParameters(context, instance);
  await server.start();
  await clock.pass(AWS_SECONDS.createReplica);
  await hold(context, stall, 'creating');
  note(context, instance, 'creation', 'DB instance created');
  await goThrough(context, instance, statesAfterCreation(context, instance, true), stall);
};

const reboot: Job = async (context, instance, stall) => {
  activateParameters(context, instance);
  const server = context.servers.of(instance);
  await server.stop('fast');
  note(context, instance, 'availability', 'DB instance shutdown');
  await server.start();
  await context.clock.pass(AWS_SECONDS.rebootInstance);
  await hold(context, stall, 'rebooting');
  instance.status = 'available';
  note(context, instance, 'availability', 'DB instance restarted');
};

/**
 * The host is lost: sessions end without a word, what wasn't flushed is gone, and a while later the server is there again at the same place. With
 * Multi-AZ on the other side, otherwise recovered where it was. The messages are those of RDS-EVENT-0013, 0049, 0020 and 0021.
 */
const failOver: Job = async (context, instance, stall) => {
  const { MultiAZ, AvailabilityZone } = instance.settings;
  const server = context.servers.of(instance);
  instance.status = 'rebooting';
  context.store.changed();
  if (MultiAZ) note(context, instance, 'failover', 'Multi-AZ instance failover started.');
  await server.stop('immediate');
  if (!MultiAZ) {
    const message = 'Recovery of the DB instance has started.';
    note(context, instance, 'recovery', `${message} Recovery time will vary with the amount of data to be recovered.`);
  }
  await context.clock.pass(AWS_SECONDS.failOver);
  await hold(context, stall, 'rebooting');
  if (MultiAZ) {
    const other = AvailabilityZone.endsWith('b') ? 'a' : 'b';
    instance.settings = { ...instance.settings, AvailabilityZone: `${instance.region}${other}` };
  }
  await server.start();
  instance.status = 'available';
  note(context, instance, 'availability', 'DB instance restarted');
  if (MultiAZ) note(context, instance, 'failover', 'Multi-AZ instance failover completed.');
  else note(context, instance, 'recovery', 'Recovery of the DB instance is complete.');
};

/**
 * Carries out pending values. For a moment the instance still says `available`, then `modifying`, then what the changes bring about.
 */
async function modify(
  context: Context,
  instance: InstanceRecord,
  operation: Extract<InstanceOperation, { kind: 'modify' }>,
  stall: Fault | undefined,
): Promise<void> {
  const { clock, servers, store } = context;
  await clock.pass(AWS_SECONDS.becomeVisible);
  // Another call came while it still looked available: the later one carries out what is pending.
  const { operation: now } = instance;
  if (now !== operation && (now?.kind === 'modify' || now?.kind === 'delete')) return;
  const { MasterUserPassword: password, DBInstanceIdentifier: newId, ...values } = instance.pending;
  instance.status = newId === undefined ? 'modifying' : 'renaming';
  store.changed();
  if (password !== undefined) {
    await setMasterPassword(servers.of(instance).server, instance, password);
    note(context, instance, 'configuration change', 'Reset master credentials');
  }
  await clock.pass(AWS_SECONDS.modifyInstance);
  await hold(context, stall, instance.status);
  const renamed = newId !== undefined && newId !== instance.id;
  if (renamed) await rename(context, instance, newId);
  const further = [...(operation.states ?? []), ...statesAfterChange(instance.settings, values)];
  // PostgreSQL takes another `archive_mode` only with a restart: "an outage occurs" (USER_WorkingWithAutomatedBackups).
  const archives = (days: number | undefined) => (days ?? instance.settings.BackupRetentionPeriod) > 0;
  const restarts = archives(values.BackupRetentionPeriod) !== archives(undefined) && !renamed;
  instance.settings = settle({ ...instance.settings, ...values });
  activateSecret(instance);
  instance.pending = {};
  store.changed();
  if (restarts) await servers.of(instance).restart('fast');
  // Renamed, or broken off in the middle of that by the end of the stand-in.
  if (servers.of(instance).server.pid === undefined) await startRenamed(context, instance);
  if (renamed) {
    await clock.pass(AWS_SECONDS.rebootInstance);
    await hold(context, stall, 'rebooting');
    note(context, instance, 'availability', 'DB instance restarted');
  }
  if (Object.keys(values).length > 0)
    note(context, instance, 'configuration change', 'Finished applying modification to DB instance');
  await goThrough(context, instance, further, stall);
}

/**
 * The DNS name follows the identifier, so the instance moves to the place of its new name, and for that it is rebooted, as on RDS.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html
 */
async function rename(context: Context, instance: InstanceRecord, newId: string): Promise<void> {
  const { servers, store } = context;
  const { rds } = store.region(instance.region);
  const place = await findNetworkPlace(context, rds, newId, rds.places?.[newId]?.port ?? instance.requestedPort);
  await servers.of(instance).stop('fast');
  const oldId = instance.id;
  note(context, instance, 'configuration change', `The DB instance was renamed from ${oldId} to ${newId}.`);
  servers.forget(instance);
  store.moveSwitches(instance.region, oldId, newId);
  const oldArn = arnOf('db', instance.region, oldId);
  for (const deployment of Object.values(rds.blueGreens ?? {})) {
    if (deployment.source === oldArn) deployment.source = arnOf('db', instance.region, newId);
  }
  moveToName(rds, instance, newId, place);
  instance.status = 'rebooting';
}

/** Starts a server at the place of its new name; its replicas have to look for it there. */
async function startRenamed(context: Context, instance: InstanceRecord): Promise<void> {
  const { places, servers, store } = context;
  await renewCertificate(places, instance);
  activateParameters(context, instance);
  await servers.of(instance).start();
  for (const replica of replicasOf(store.region(instance.region).rds, instance)) {
    if (servers.of(replica).server.pid !== undefined) servers.of(replica).reload();
  }
}

const stop: Job = async (context, instance, stall) => {
  instance.status = 'stopping';
  await context.servers.of(instance).stop('fast');
  await context.clock.pass(AWS_SECONDS.stopInstance);
  await hold(context, stall, 'stopping');
  instance.status = 'stopped';
  note(context, instance, 'notification', 'DB instance stopped');
};

const start: Job = async (context, instance, stall) => {
  instance.status = 'starting';
  activateParameters(context, instance);
  const server = context.servers.of(instance);
  await server.stop('fast');
  await server.start();
  await context.clock.pass(AWS_SECONDS.startInstance);
  await hold(context, stall, 'starting');
  instance.status = 'available';
  note(context, instance, 'notification', 'DB instance started');
};

async function remove(
  context: Context,
  instance: InstanceRecord,
  { finalSnapshotId, keepsBackups }: Extract<InstanceOperation, { kind: 'delete' }>,
  stall: Fault | undefined,
): Promise<void> {
  const { clock, places, servers, store } = context;
  const server = servers.of(instance);
  const { rds } = store.region(instance.region);
  await server.stop('fast');
  if (finalSnapshotId !== undefined) {
    const snapshot = rds.snapshots[finalSnapshotId] ?? newFinalSnapshot(context, instance, finalSnapshotId);
    await takeImage(context, instance, snapshot);
    await clock.pass(AWS_SECONDS.createSnapshot);
    Object.assign(snapshot, { status: 'available', percentProgress: 100, operation: undefined });
    noteEvent(store, instance.region, 'db-snapshot', snapshot.id, 'creation', 'Manual snapshot created');
  }
  await endReplication(context, instance);
  await clock.pass(AWS_SECONDS.deleteInstance);
  await hold(context, stall, 'deleting');
  servers.forget(instance);
  deleteMasterSecret(context, instance);
  if (keepsBackups) retainBackups(rds, instance);
  delete rds.instances[instance.id];
  reservePlace(rds, instance.id, undefined);
  note(context, instance, 'deletion', 'DB instance deleted');
  await rm(placesOf(places, instance).home, { recursive: true, force: true });
}

function activateSecret({ masterSecret }: InstanceRecord): void {
  if (masterSecret) masterSecret.status = 'active';
}

/** A replica that goes leaves no slot on its primary; replicas of a primary that goes stand alone from then on. */
async function endReplication({ servers, store }: Context, instance: InstanceRecord): Promise<void> {
  const { rds } = store.region(instance.region);
  const primary = primaryOf(rds, instance);
  if (primary && servers.of(primary).server.pid !== undefined) {
    await dropReplicaSlot(servers.of(primary).server, instance);
  }
  for (const replica of replicasOf(rds, instance)) {
    if (servers.of(replica).server.pid !== undefined) await promote(servers.of(replica).server);
    replica.replicaOf = undefined;
    store.changed();
  }
}

async function hold(context: Context, stall: Fault | undefined, state: string): Promise<void> {
  await context.faults.whileStalled(stall, state, context.shutdown);
}

function note({ store }: Context, instance: InstanceRecord, category: string, message: string): void {
  noteEvent(store, instance.region, 'db-instance', instance.id, category, message);
}

import { AWS_SECONDS } from '../clock';
import type { Context } from '../context';
import type { Fault } from '../faults';
import type { InstanceRecord, InstanceSettings, InstanceStatus, PendingValues, StateBesides } from './model';

/** How long RDS does what the state says. */
const BESIDES: Readonly<Record<StateBesides, number>> = {
  'backing-up': AWS_SECONDS.firstBackup,
  'configuring-enhanced-monitoring': AWS_SECONDS.configure,
  'configuring-iam-database-auth': AWS_SECONDS.configure,
  'configuring-log-exports': AWS_SECONDS.configure,
  'storage-initialization': AWS_SECONDS.initializeStorage,
  'storage-optimization': AWS_SECONDS.optimizeStorage,
};

/** States in which the server takes sessions. */
export const SERVING: readonly InstanceStatus[] = ['available', ...(Object.keys(BESIDES) as StateBesides[])];

/** States in which RDS takes most calls: "available or storage-optimization", as the API reference has it of CreateDBSnapshot. */
export const AT_REST: readonly InstanceStatus[] = ['available', 'storage-optimization'];

/** The states after a creation or a restore: where automated backups are on, RDS makes the first one at once. */
export function statesAfterCreation(
  { whims }: Context,
  { settings, replicaOf }: InstanceRecord,
  isCopy: boolean,
): StateBesides[] {
  return [
    ...(isCopy && whims.takes('storageInitialization') ? (['storage-initialization'] as const) : []),
    ...(settings.BackupRetentionPeriod > 0 && replicaOf === undefined ? (['backing-up'] as const) : []),
  ];
}

/** The states that a change of settings brings about after `modifying`. */
export function statesAfterChange(before: InstanceSettings, values: Partial<PendingValues>): StateBesides[] {
  const changes = (name: keyof InstanceSettings & keyof PendingValues) =>
    values[name] !== undefined && values[name] !== before[name];
  return [
    ...(changes('IAMDatabaseAuthenticationEnabled') ? (['configuring-iam-database-auth'] as const) : []),
    ...(changes('BackupRetentionPeriod') && before.BackupRetentionPeriod === 0 ? (['backing-up'] as const) : []),
    ...(STORAGE.some(changes) ? (['storage-optimization'] as const) : []),
  ];
}

/** What makes a volume a different one. */
export const STORAGE = ['AllocatedStorage', 'StorageType', 'Iops', 'StorageThroughput'] as const;

/**
 * Lets an instance go through states and then be available, unless something else is begun with it meanwhile. It is noted as what is under way, so that a
 * restart of the stand-in goes on here, and not with what came before.
 */
export async function goThrough(
  context: Context,
  instance: InstanceRecord,
  states: readonly StateBesides[],
  stall: Fault | undefined,
): Promise<void> {
  const { clock, faults, shutdown, store, whims } = context;
  const own = { kind: 'states', states } as const;
  instance.operation = own;
  for (const state of states) {
    if (whims.takes('availableInBetween')) {
      instance.status = 'available';
      store.changed();
      await clock.pass(AWS_SECONDS.becomeVisible);
      if (instance.operation !== own) return;
    }
    instance.status = state;
    store.changed();
    await clock.pass(BESIDES[state]);
    await faults.whileStalled(stall, state, shutdown);
    if (instance.operation !== own) return;
  }
  instance.status = 'available';
  instance.operation = undefined;
  store.changed();
}

import type { SourceFacts } from '../../plan/checks';
import { act } from '../act';
import type { Migration } from '../migration';

export interface Cloned {
  /** The target runs with the parameter group of the quarantine until that ends. */
  readonly quarantined: boolean;
}

/** Snapshot, encrypted copy, restore: the target as of the snapshot. */
export async function clone(migration: Migration, { targetKmsKeyArn }: SourceFacts): Promise<Cloned> {
  const { ref, undo } = migration;
  const input = { ...ref, kmsKeyArn: targetKmsKeyArn };

  await migration.step('snapshot', async (note) => {
    undo.register('snapshot of the source', () => act('deleteSnapshot', ref));
    const { snapshot, sizeGiB } = await act('createSnapshot', ref);
    note(`${snapshot}, ${sizeGiB} GiB`);
  });

  await migration.step('encrypt', async (note) => {
    undo.register('encrypted snapshot', () => act('deleteEncryptedSnapshot', ref));
    const { snapshot } = await act('copySnapshot', input);
    note(snapshot);
  });

  return migration.step('restore', async (note) => {
    undo.register('quarantine parameter group', () => act('deleteQuarantineGroup', ref));
    // The reference of then: from the end of this step on it has the resource id by which the target is known.
    undo.register('target instance', () => act('deleteTarget', migration.ref), { keptByRollback: true });
    const { parameterGroup, quarantined, rebooted, ...target } = await act('restoreTarget', input);
    migration.report.target = target;
    note(
      `${target.instance} at ${target.address}:${target.port}${rebooted ? ', rebooted into its parameter group' : ''}`,
    );
    if (rebooted && quarantined) {
      migration.notice(
        `${target.instance} started without ${parameterGroup}, which RDS left pending-reboot: until its reboot, subscriptions of the snapshot could reach their publishers. Look there for a slot that two have read from`,
      );
    }
    return { quarantined: quarantined ?? false };
  });
}

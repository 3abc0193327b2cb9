import { uuid4 } from '@temporalio/workflow';
import type { SourceFacts } from '../../plan/checks';
import type { SlotFacts } from '../../plan/position';
import { act } from '../act';
import type { Migration } from '../migration';

export interface Captured {
  /** Provenance: has to be found on the clone. */
  readonly mark: string;
  readonly slots: readonly SlotFacts[];
}

/** Replica identities, publications, then slots; from here on the source keeps WAL for us. */
export async function capture(migration: Migration, { databases }: SourceFacts): Promise<Captured> {
  const { undo } = migration;
  const input = { ...migration.ref, databases };
  const mark = uuid4();

  if (migration.plan.replicaIdentity === 'set') {
    await migration.step('replica-identity', async (note) => {
      undo.register('replica identities', () => act('restoreReplicaIdentities', { ...input, side: 'source' }));
      const { tables } = await act('setReplicaIdentities', input);
      note(tables === 0 ? 'no table needs one' : `${tables} tables, until the migration is over`);
    });
  } else {
    migration.skip('replica-identity', 'every table has one');
  }

  await migration.step('publication', async (note) => {
    undo.register('publications and fence tables', () => act('dropPublications', input));
    await act('createPublications', { ...input, mark });
    note(`${databases.length} databases`);
  });

  const slots = await migration.step('slot', async (note) => {
    undo.register('replication slots', () => act('dropSlots', input));
    const created = await act('createSlots', input);
    note(created.map(({ database, consistentPoint }) => `${database} from ${consistentPoint}`).join(', '));
    return created;
  });
  migration.report.slots = slots;
  return { mark, slots };
}

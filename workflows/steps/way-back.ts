import type { SourceFacts } from '../../plan/checks';
import { presentName } from '../../plan/instance-names';
import type { Lsn } from '../../plan/lsn';
import { type CutoverFacts, movedSlotLine } from '../../plan/report';
import { act } from '../act';
import { Guard } from '../guard';
import type { Migration } from '../migration';

/**
 * Right after the switch: what applications write on the target goes back to the old source, and the target is guarded, since now it
 * is the one that keeps WAL for us.
 */
export async function openWayBack(
  migration: Migration,
  { databases }: SourceFacts,
  { wayBackFrom, fenceLsn }: CutoverFacts,
): Promise<Guard> {
  const guard = new Guard(migration, databases, 'back');
  const { soak, carry } = migration.plan;
  const [replicates, slots] = [soak.wayBack !== 'none', carry.slots === 'recreate'];
  if (wayBackFrom === undefined || (!replicates && !slots)) {
    migration.skip('reverse', 'the plan wants no way back');
    return guard;
  }
  await migration.step('reverse', async (note) => {
    if (slots) await moveSlotsOfOthers(migration, { databases, from: wayBackFrom, fenceLsn });
    if (!replicates) return note('slots of others only: the plan wants no way back');
    await act('startWayBack', { ...migration.ref, databases, from: wayBackFrom });
    note(`to ${presentName(migration.ref, 'source')}, from ${wayBackFrom}`);
  });
  if (!replicates) return guard;
  migration.openWayBack();
  guard.start();
  return guard;
}

/** Slots of others begin on the target; what their readers have to do goes into the notices, the positions into the report. */
async function moveSlotsOfOthers(
  migration: Migration,
  where: { readonly databases: readonly string[]; readonly from: Lsn; readonly fenceLsn: Lsn },
): Promise<void> {
  const { moved, left } = await act('moveSlots', { ...migration.ref, ...where });
  migration.report.slotsMoved = moved;
  for (const slot of moved) migration.notice(`replication slot ${movedSlotLine(slot)}`);
  for (const name of left) {
    migration.notice(
      `REPLICATION SLOT ${name} IS NOT ON THE TARGET: it was made on the source when the pause was prepared already`,
    );
  }
}

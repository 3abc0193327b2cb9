import type { SourceFacts } from '../../plan/checks';
import type { CutoverFacts } from '../../plan/report';
import { act } from '../act';
import { Guard } from '../guard';
import type { Migration } from '../migration';

/**
 * Right behind the switch: what applications write on the target goes back to the old source, and the target is guarded, since now it
 * is the one that keeps WAL for us.
 */
export async function openWayBack(
  migration: Migration,
  { databases, instance }: SourceFacts,
  { wayBackFrom }: CutoverFacts,
): Promise<Guard> {
  const guard = new Guard(migration, databases, 'back');
  if (migration.plan.soak.wayBack === 'none' || wayBackFrom === undefined) {
    migration.skip('reverse', 'the plan wants no way back');
    return guard;
  }
  await migration.step('reverse', async (note) => {
    await act('startWayBack', { ...migration.ref, databases, from: wayBackFrom });
    note(`to ${instance}, from ${wayBackFrom}`);
  });
  migration.openWayBack();
  guard.start();
  return guard;
}

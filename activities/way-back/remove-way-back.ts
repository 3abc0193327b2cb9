import type { Dependencies, MigrationRef } from '../dependencies';
import { dropSlots } from '../postgres/create-slots';
import { dropSubscriptions } from '../postgres/subscriptions';

/** Removes the way back: subscriptions on the source, slots on the target. What is there of it, in whatever state. */
export async function removeWayBack(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<void> {
  const back = { ...input, direction: 'back' } as const;
  await dropSubscriptions(deps, back);
  await dropSlots(deps, back);
}

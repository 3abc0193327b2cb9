import type { Lsn } from '../../plan/lsn';
import type { Dependencies, MigrationRef } from '../dependencies';
import { dropSlots } from '../postgres/create-slots';
import { repointSubscriptions } from '../postgres/repoint-subscriptions';
import { accessTo, withSession } from '../postgres/session';
import { dropSubscriptions, enableSubscriptions } from '../postgres/subscriptions';
import { stopTriggers } from '../quarantine/quarantine-clone';
import { noteRecords } from '../quarantine/records';

export interface StartWayBackInput extends MigrationRef {
  readonly databases: readonly string[];
  /** Position on the target before the first write of an application: what lies behind it goes back. */
  readonly from: Lsn;
}

/**
 * After the switch: changes of the target go back to the old source. First the forward direction ends, its slots too, so that
 * nothing can go in a circle, whatever the version; then triggers of the source that would fire for what is applied are off, as they
 * were on the target; then the subscriptions begin at `from`. Costs the pause nothing but to read that position.
 * @see https://www.postgresql.org/docs/current/functions-admin.html#PG-REPLICATION-ORIGIN-ADVANCE
 */
export async function startWayBack(deps: Dependencies, input: StartWayBackInput): Promise<void> {
  const { from, databases } = input;
  await dropSubscriptions(deps, input);
  await dropSlots(deps, input);
  await stopTriggersOfSource(deps, input);
  // They name the target as it was called when they were made.
  if (input.renamed) await repointSubscriptions(deps, { ...input, direction: 'back' });
  await enableSubscriptions(deps, { ...input, databases, direction: 'back', position: from });
}

/** Noted on the source itself, for whoever rolls back. */
async function stopTriggersOfSource(deps: Dependencies, input: StartWayBackInput): Promise<void> {
  const [first] = input.databases;
  if (first === undefined) return;
  const access = await accessTo(deps, input, 'source');
  await withSession(access, { step: 'way-back', database: first }, (home) =>
    stopTriggers(access, { ...input, direction: 'back' }, (records) => noteRecords(home, input.id, records)),
  );
}

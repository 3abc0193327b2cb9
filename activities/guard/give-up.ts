import { finalFailure } from '../../plan/failures';
import { bytes } from '../../plan/format';
import type { SourceHealth } from '../../plan/progress';
import type { Dependencies } from '../dependencies';
import type { LagInput } from '../follow/read-lag';
import { writeOnce } from '../postgres/fence-table';
import { dropSlots } from '../postgres/create-slots';
import { type Access, withSession } from '../postgres/session';

/** Our slots have to keep at least this share of the storage: else dropping them would cost the migration for nothing. */
const WORTH_IT_PERCENT = 0.1;

/** Why our slots have to go, rather than the source; undefined: they need not. */
export function reasonToGiveUp(
  limits: { readonly giveUpFreeStoragePercent: number },
  instance: string,
  source: SourceHealth,
): string | undefined {
  const { freeStoragePercent: percent, freeStorageBytes: free, retainedBytes } = source;
  if (percent === undefined || free === undefined || percent >= limits.giveUpFreeStoragePercent) return undefined;
  const storageBytes = percent > 0 ? (free * 100) / percent : 0;
  if (retainedBytes * 100 < storageBytes * WORTH_IT_PERCENT) return undefined;
  return `${instance} has ${bytes(free)} of free storage left (${percent.toFixed(1)} %, the plan gives up below ${limits.giveUpFreeStoragePercent} %), and our slots kept ${bytes(retainedBytes)} of WAL`;
}

/**
 * Drops our slots, and only ours: at its next checkpoint the source removes the WAL that they kept. The reason is written down
 * first, so that an attempt that comes after a death knows who dropped them.
 * @throws ApplicationFailure SourceAtRisk, always
 */
export async function giveUpSlots(deps: Dependencies, access: Access, input: LagInput, reason: string): Promise<never> {
  const [database] = input.databases;
  let why = reason;
  if (database !== undefined) {
    // On a full disk this write may fail; dropping the slots is what makes room.
    why = await withSession(access, { step: 'guard', database }, (session) =>
      writeOnce(session, input.id, 'given-up', reason),
    ).catch(() => reason);
  }
  await dropSlots(deps, input);
  throw sourceAtRisk(why);
}

export const sourceAtRisk = (reason: string) =>
  finalFailure(
    'SourceAtRisk',
    `${reason}. They were dropped, so that the source keeps running; the target can't be completed any more. Allocate more storage, then start again.`,
  );

import type { FenceEntry } from '../../plan/plan';
import { stopsSource } from '../../plan/last-lock';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { requireInstance } from '../rds/find-instance';
import { neverStops } from '../rds/stop-source';
import type { FencePlan } from './fence';
import type { Fence, FenceLook } from './fences/fence';
import { kindOf } from './fences/kinds';

/** What the board found out about every fence of the plan, for whoever raises or lowers them. */
export interface FenceSet {
  /** The SQL fence. */
  readonly fence: FencePlan;
  /** How it is without each other fence, in the order of the plan's entries; null for those that need nothing to be known. */
  readonly others?: readonly unknown[];
}

const otherEntries = ({ plan }: MigrationRef): FenceEntry[] =>
  plan.cutover.fence.filter((entry) => kindOf(entry) !== undefined);

/** Nothing of the pause, but of the board: whether RDS would stop the source after the proof. */
async function lookAtLastLock(deps: Dependencies, ref: MigrationRef): Promise<FenceLook> {
  if (!stopsSource(ref.plan)) return { findings: [], red: [] };
  const instance = instanceOf(ref, 'source');
  const red = neverStops(await requireInstance(awsOf(deps, ref), instance));
  return { findings: [`after the proof ${instance} is stopped, until the decommission`], red };
}

/** Looks at every fence but the SQL fence. */
export async function lookAtFences(
  deps: Dependencies,
  ref: MigrationRef,
): Promise<{ others: unknown[]; findings: string[]; red: string[] }> {
  const looks = await Promise.all(
    otherEntries(ref).map((entry) => kindOf(entry)?.look(deps, ref, entry) as Promise<FenceLook>),
  );
  const last = await lookAtLastLock(deps, ref);
  return {
    others: looks.map(({ was }) => was ?? null),
    findings: [...looks.flatMap(({ findings }) => findings), ...last.findings],
    red: [...looks.flatMap(({ red }) => red), ...last.red],
  };
}

/** Connects every fence but the SQL fence, in the order of the plan. */
export async function openFences(deps: Dependencies, ref: MigrationRef, { others = [] }: FenceSet): Promise<Fence[]> {
  const opened: Fence[] = [];
  try {
    for (const [index, entry] of otherEntries(ref).entries()) {
      const kind = kindOf(entry);
      if (kind) opened.push(await kind.open(deps, ref, entry, others[index] ?? undefined));
    }
    return opened;
  } catch (error) {
    await closeFences(opened);
    throw error;
  }
}

export async function closeFences(fences: readonly Fence[]): Promise<void> {
  await Promise.allSettled(fences.map((fence) => fence.close()));
}

/**
 * Lowers every fence but the SQL fence, the last one first, each by itself: one that can't be reached keeps none of the others
 * up.
 * @throws AggregateError of what failed
 */
export async function lowerOthers(
  deps: Dependencies,
  ref: MigrationRef,
  { others = [] }: FenceSet,
  which: (fence: Fence) => boolean = () => true,
): Promise<void> {
  const failures: unknown[] = [];
  for (const [index, entry] of [...otherEntries(ref).entries()].reverse()) {
    try {
      const fence = await kindOf(entry)?.open(deps, ref, entry, others[index] ?? undefined);
      if (!fence) continue;
      try {
        if (which(fence)) await fence.lower();
      } finally {
        await fence.close();
      }
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  const messages = failures.map((error) => (error instanceof Error ? error.message : String(error)));
  throw new AggregateError(failures, `fences that could not be lowered: ${messages.join('; ')}`);
}

import type { Dependencies } from '../dependencies';
import { closeAgainSql, isClosed, openTargetSql } from '../quarantine/read-only';
import type { OurSessions } from '../postgres/ours';
import type { Session } from '../postgres/session';
import type { QuarantineRecord } from '../quarantine/records';
import type { CutOverInput } from './cut-over-input';
import { forgetCutover } from './cutover-facts';
import { fenceSql, terminateForeignSessions, unfenceSql, withoutDroppedRoles } from './fence';
import { lowerOthers } from './fence-set';
import type { FirstPair } from './pause-sessions';

/** What is needed of both sides to open one and close the other. */
export interface BothSides {
  readonly first: FirstPair;
  /** Databases of the target that the quarantine closed for writes. */
  readonly closed: readonly QuarantineRecord[];
  /** Sessions of the attempt, which are not to be ended. */
  readonly ours: Pick<OurSessions, 'target'>;
}

/**
 * Lets applications write on the target: its databases have their own defaults again, and sessions that began with ours, or
 * that would have written there already, end.
 */
export async function openTarget(input: CutOverInput, { first, closed, ours }: BothSides): Promise<void> {
  if (closed.length === 0) return;
  await first.target.query(openTargetSql(closed));
  await terminateForeignSessions(first.target, { migration: input.id, roles: [], ours: ours.target });
}

/** For an attempt that finds the target recorded as open: one that was about to give up may have closed it. */
export async function openTargetAgain(input: CutOverInput, sides: BothSides): Promise<void> {
  if (await isClosed(sides.first.target, sides.closed)) await openTarget(input, sides);
}

/** The same migration in the direction of its plan. */
function wayThere({ direction: _back, ...there }: CutOverInput): CutOverInput {
  return there;
}

/**
 * The way back only: takes down the fence that the cutover left on the old source. In the last moment before the switch, since
 * clients that never noticed the cutover may still knock there.
 */
export async function openOldSource(
  deps: Dependencies,
  input: CutOverInput,
  { first }: { readonly first: FirstPair },
): Promise<void> {
  const { fenceThere } = input;
  if (!fenceThere) return;
  await lowerOthers(deps, wayThere(input), fenceThere, ({ staysUp }) => staysUp);
  await first.target.query(unfenceSql(await withoutDroppedRoles(first.target, fenceThere.fence)));
}

/** The way back only: what the cutover recorded is of the past, or somebody who asks where traffic is would believe it. */
export async function forgetWayThere(input: CutOverInput, { first }: { readonly first: FirstPair }): Promise<void> {
  if (input.direction !== 'back') return;
  await forgetCutover(first.source, wayThere(input));
}

/** A pause that was given up: nobody is to write there again. That side may be the reason, so this is only tried. */
export async function closeTargetAgain(
  input: CutOverInput,
  target: Session,
  { closed, ours }: { readonly closed: readonly QuarantineRecord[]; readonly ours: Pick<OurSessions, 'target'> },
): Promise<void> {
  if (closed.length > 0) await target.query(closeAgainSql(closed)).catch(() => undefined);
  const { fenceThere } = input;
  if (!fenceThere) return;
  try {
    await target.query(fenceSql(await withoutDroppedRoles(target, fenceThere.fence)));
    await terminateForeignSessions(target, {
      migration: input.id,
      roles: input.plan.cutover.spareRoles,
      ours: ours.target,
    });
  } catch {
    // The next attempt of the pause raises it again.
  }
}

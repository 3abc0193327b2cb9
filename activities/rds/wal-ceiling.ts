import type { DBInstance } from '@aws-sdk/client-rds';
import type { Plan } from '../../plan/plan';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
/** The least that the plan may ask for. */
const LEAST_MIB = 64;

/** Bytes of the volume below which the guard gives up our slots: WAL may not reach into them. */
export const reserveBytes = (plan: Plan, source: DBInstance): number =>
  ((source.AllocatedStorage ?? 0) * GIB * plan.guard.giveUpFreeStoragePercent) / 100;

/**
 * The ceiling on the WAL that slots may keep, in MiB: what the plan says, or less if the disk of the source has no room for it. PostgreSQL
 * holds it also while nothing of ours runs, so it has to be one that the disk can bear.
 * @param freeBytes free storage; unknown: the plan's figure stands
 */
export function ceilingMiB(plan: Plan, source: DBInstance, freeBytes: number | undefined): number {
  const { maxSlotWalKeepMiB } = plan.guard;
  if (freeBytes === undefined) return maxSlotWalKeepMiB;
  const room = Math.floor((freeBytes - reserveBytes(plan, source)) / MIB);
  return Math.max(LEAST_MIB, Math.min(maxSlotWalKeepMiB, room));
}

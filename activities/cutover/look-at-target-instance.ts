import type { DBInstance } from '@aws-sdk/client-rds';
import { type BoardLine, green, red } from '../../plan/board';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { parameterGroupOf, requireInstance } from '../rds/find-instance';
import { describeStatus, isFull } from '../rds/instance-status';
import { readInForce } from '../rds/require-in-force';

/** What RDS says of the target's volume and of its parameter group, and what the server runs with. */
export async function lookAtTargetInstance(deps: Dependencies, ref: MigrationRef): Promise<BoardLine[]> {
  const found = await requireInstance(awsOf(deps, ref), instanceOf(ref, 'target'));
  return [...storageOf(found), ...(await lookAtParameters(deps, ref, found))];
}

/** RDS says itself how far a restored volume is loaded, where it does; nothing to wait for, but slow reads come from it. */
function storageOf(found: DBInstance): BoardLine[] {
  if (isFull(found)) return red('storage', describeStatus(found));
  if (found.StorageOperationStatus === undefined) return [];
  return green(
    'storage',
    `storage of the target: ${found.StorageOperationStatus}, ${found.StorageOperationPercentProgress ?? 0} % done; blocks that nobody has read yet are slow`,
  );
}

/** The pause prepares slots on the target, for the way back and for readers of the source's slots. */
async function lookAtParameters(deps: Dependencies, ref: MigrationRef, found: DBInstance): Promise<BoardLine[]> {
  const { name, applyStatus } = parameterGroupOf(found);
  const instance = found.DBInstanceIdentifier ?? '';
  const { walLevel } = await readInForce(deps, ref, 'target');
  const needsSlots = ref.plan.soak.wayBack === 'replicate' || ref.plan.carry.slots === 'recreate';
  const wrong = [
    ...(applyStatus === 'in-sync' ? [] : [`parameter group ${name} of ${instance} is ${applyStatus}`]),
    ...(needsSlots && walLevel !== 'logical'
      ? [`${instance} runs with wal_level = ${walLevel}: no slot for the way back can be made there`]
      : []),
  ];
  if (wrong.length === 0)
    return green('parameters', `parameter group ${name} of ${instance} is in force, wal_level = ${walLevel}`);
  return red(
    'parameters',
    ...wrong.map(
      (text) =>
        `${text}. Reboot it, nobody uses it yet: aws rds reboot-db-instance --db-instance-identifier ${instance}`,
    ),
  );
}

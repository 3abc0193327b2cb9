import { RebootDBInstanceCommand } from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { accessTo, queryOne, withSession } from '../postgres/session';
import { parameterGroupOf, requireInstance } from './find-instance';
import { requireSame } from './require-same';
import { waitForAvailable } from './wait-for-instance';

/**
 * Reboots the source unless its parameter group is in force already, and reads back what `wal_level` it came up with.
 * A second run after a reboot finds the group in force and doesn't reboot again.
 */
export async function rebootSource(deps: Dependencies, ref: MigrationRef): Promise<{ walLevel: string }> {
  const aws = awsOf(deps, ref);
  const { instance } = ref.plan.source;
  if (ref.sourceResourceId !== undefined) {
    requireSame(await requireInstance(aws, instance), ref.sourceResourceId, 'Keyshift does not reboot it.');
  }
  await rebootIntoGroup(aws, instance);
  const access = await accessTo(deps, ref, 'source');
  const { wal_level: walLevel } = await withSession(
    access,
    { step: 'reboot', database: 'postgres', readOnly: true },
    (session) => queryOne<{ wal_level: string }>(session, `SELECT current_setting('wal_level') AS wal_level`),
  );
  return { walLevel };
}

/** Reboots an instance unless its parameter group is in force, and waits until it is. */
export async function rebootIntoGroup(aws: Aws, instance: string): Promise<void> {
  const inForce = async () => parameterGroupOf(await requireInstance(aws, instance)).applyStatus === 'in-sync';
  if (!(await inForce())) {
    try {
      await aws.rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: instance }));
    } catch (error) {
      // Already rebooting: a first run of this activity, or somebody else, was faster.
      if (!isAwsError(error, 'InvalidDBInstanceState')) throw error;
    }
  }
  await waitForAvailable(aws, instance, (found) => parameterGroupOf(found).applyStatus === 'in-sync');
}

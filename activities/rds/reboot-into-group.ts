import { RebootDBInstanceCommand } from '@aws-sdk/client-rds';
import type { Aws } from '../dependencies';
import { parameterGroupOf, requireInstance } from './find-instance';
import { callAtRest, waitUntilUp } from './wait-for-instance';
import { useGroup, waitForGroup } from './use-group';

/**
 * Reboots an instance unless its parameter group is in force, and waits until it is. Without `ForceFailover` a Multi-AZ instance restarts where it is:
 * a failover would take longer.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RebootInstance.html
 * @returns whether it was rebooted
 */
export async function rebootIntoGroup(aws: Aws, instance: string): Promise<boolean> {
  const { sent } = await callAtRest(
    aws,
    instance,
    () => aws.rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: instance })),
    (found) => parameterGroupOf(found).applyStatus === 'in-sync',
  );
  await waitUntilUp(aws, instance, {
    settled: (found) => parameterGroupOf(found).applyStatus === 'in-sync',
    afterCall: sent,
  });
  return sent;
}

/** Gives an instance that nobody uses yet a parameter group and reboots it into it. Does nothing where the group is in force. */
export async function bringGroupIntoForce(aws: Aws, instance: string, group: string): Promise<void> {
  if (parameterGroupOf(await requireInstance(aws, instance)).name !== group) await useGroup(aws, instance, group);
  await waitForGroup(aws, instance, group);
  await rebootIntoGroup(aws, instance);
}

import { type DBInstance, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import type { Aws } from '../dependencies';
import { parameterGroupOf } from './find-instance';
import { callAtRest, waitUntilUp } from './wait-for-instance';

/** Associates a parameter group with an instance, once RDS takes that; static parameters then wait for a reboot. */
export async function useGroup(aws: Aws, instance: string, group: string): Promise<void> {
  await callAtRest(
    aws,
    instance,
    () =>
      aws.rds.send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier: instance,
          DBParameterGroupName: group,
          ApplyImmediately: true,
        }),
      ),
    (found) => parameterGroupOf(found).name === group,
  );
}

/** Waits until the association is made; `settled` is what the instance then says of it. */
export async function waitForGroup(
  aws: Aws,
  instance: string,
  group: string,
): Promise<{ settled: string; instance: DBInstance }> {
  const found = await waitUntilUp(aws, instance, {
    settled: (candidate) => {
      const { name, applyStatus } = parameterGroupOf(candidate);
      return name === group && applyStatus !== 'applying';
    },
    afterCall: true,
  });
  return { settled: parameterGroupOf(found).applyStatus, instance: found };
}

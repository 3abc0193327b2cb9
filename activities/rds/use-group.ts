import { type DBInstance, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import type { Aws } from '../dependencies';
import { onceShown } from '../not-shown-yet';
import { parameterGroupOf } from './find-instance';
import { callAtRest, waitUntilUp } from './wait-for-instance';

/** Associates a parameter group, which may have been made a moment ago, with an instance, once RDS takes that; static parameters then wait for a reboot. */
export async function useGroup(aws: Aws, instance: string, group: string): Promise<void> {
  const command = { DBInstanceIdentifier: instance, DBParameterGroupName: group, ApplyImmediately: true };
  await callAtRest(
    aws,
    instance,
    () => onceShown(`DB parameter group ${group}`, () => aws.rds.send(new ModifyDBInstanceCommand(command))),
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

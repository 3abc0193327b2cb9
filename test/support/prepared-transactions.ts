import {
  CreateDBParameterGroupCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import type { ActivityLab } from './activity-lab';
import { until } from './stand-in';

/** A prepared transaction takes a setting that RDS leaves at 0. */
export async function allowPreparedTransactions(lab: ActivityLab): Promise<void> {
  const { rds } = lab.aws();
  const DBParameterGroupName = 'with-prepared';
  await rds.send(
    new CreateDBParameterGroupCommand({ DBParameterGroupName, DBParameterGroupFamily: 'postgres16', Description: 'x' }),
  );
  const setting = { ParameterName: 'max_prepared_transactions', ParameterValue: '10', ApplyMethod: 'pending-reboot' };
  await rds.send(new ModifyDBParameterGroupCommand({ DBParameterGroupName, Parameters: [setting as never] }));
  const DBInstanceIdentifier = 'app-db';
  await rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier, DBParameterGroupName, ApplyImmediately: true }));
  await until('the group waits for a reboot', async () => {
    const { DBParameterGroups, DBInstanceStatus } = await lab.standIn.instance('app-db');
    return DBInstanceStatus === 'available' && DBParameterGroups?.[0]?.ParameterApplyStatus === 'pending-reboot';
  });
  await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier }));
  await until('it is in force', async () => {
    const { DBParameterGroups, DBInstanceStatus } = await lab.standIn.instance('app-db');
    return DBInstanceStatus === 'available' && DBParameterGroups?.[0]?.ParameterApplyStatus === 'in-sync';
  });
}

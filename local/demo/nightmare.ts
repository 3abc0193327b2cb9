import {
  CreateDBInstanceReadReplicaCommand,
  CreateDBParameterGroupCommand,
  ModifyDBParameterGroupCommand,
} from '@aws-sdk/client-rds';
import type { Aws } from '../app/aws';
import { SAMPLE } from '../app/names';
import { describeInstance } from '../app/source';
import type { Report } from '../tools/report';
import { waitFor } from '../world/wait-for';

/**
 * The nightmare: the stand-in does whatever AWS may do (local/aws/whims.ts), and the team uses much of RDS: a parameter group of its own, Enhanced Monitoring, backups
 * of seven days, a read replica.
 */
export const NIGHTMARE_VARIABLE = 'KEYSHIFT_LOCAL_NIGHTMARE';

const GROUP = 'app-db-parameters';
const REPLICA = `${SAMPLE.instance}-replica`;
const REPLICA_MS = 120_000;

const MONITORING = {
  MonitoringInterval: 60,
  MonitoringRoleArn: 'arn:aws:iam::123456789012:role/rds-monitoring',
} as const;

/** What the source is created with besides. */
export const NIGHTMARE_SOURCE = { DBParameterGroupName: GROUP, ...MONITORING } as const;

/** Makes the parameter group of the team: one value that applies at once, and one that applies with a reboot. */
export async function createNightmareGroup({ rds }: Aws): Promise<void> {
  const group = { DBParameterGroupName: GROUP };
  await rds.send(
    new CreateDBParameterGroupCommand({ ...group, DBParameterGroupFamily: 'postgres16', Description: 'of the team' }),
  );
  await rds.send(
    new ModifyDBParameterGroupCommand({
      ...group,
      Parameters: [
        { ParameterName: 'work_mem', ParameterValue: '8192', ApplyMethod: 'immediate' },
        { ParameterName: 'max_connections', ParameterValue: '150', ApplyMethod: 'pending-reboot' },
      ],
    }),
  );
}

/** Makes the read replica, and waits until it can be read from. */
export async function createNightmareReplica(aws: Aws, report: Report): Promise<void> {
  report(`creating the read replica ${REPLICA}`);
  const create = new CreateDBInstanceReadReplicaCommand({
    DBInstanceIdentifier: REPLICA,
    SourceDBInstanceIdentifier: SAMPLE.instance,
    ...MONITORING,
  });
  await waitFor(`RDS takes the call for ${REPLICA}`, () => taken(() => aws.rds.send(create)), {
    timeoutMs: REPLICA_MS,
    everyMs: 200,
  });
  const isAvailable = async () => (await describeInstance(aws, REPLICA))?.DBInstanceStatus === 'available' || undefined;
  await waitFor(`${REPLICA} is available`, isAvailable, { timeoutMs: REPLICA_MS, everyMs: 200 });
}

/** Reads lag behind, so that the source may look at rest when it is not. */
async function taken(call: () => Promise<unknown>): Promise<true | undefined> {
  try {
    await call();
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'DBInstanceAlreadyExistsFault') return true;
    if (error instanceof Error && error.name === 'InvalidDBInstanceStateFault') return undefined;
    throw error;
  }
}

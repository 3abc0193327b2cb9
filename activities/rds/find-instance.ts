import { type DBInstance, DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import type { Endpoint } from '../postgres/session';

/** The instance of that identifier, or undefined. */
export async function findInstance(aws: Aws, instance: string): Promise<DBInstance | undefined> {
  try {
    const { DBInstances } = await aws.rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: instance }));
    return DBInstances?.[0];
  } catch (error) {
    if (isAwsError(error, 'DBInstanceNotFound')) return undefined;
    throw error;
  }
}

/** @throws ApplicationFailure ResourceGone when there is no such instance */
export async function requireInstance(aws: Aws, instance: string): Promise<DBInstance> {
  const found = await findInstance(aws, instance);
  if (!found) throw finalFailure('ResourceGone', `There is no DB instance ${instance} in region ${aws.region}.`);
  return found;
}

/** Where the instance listens. @throws Error while it has no endpoint yet */
export function endpointOf(instance: DBInstance): Endpoint {
  const { Address, Port } = instance.Endpoint ?? {};
  if (!Address || !Port) {
    throw new Error(
      `DB instance ${instance.DBInstanceIdentifier} has no endpoint (status ${instance.DBInstanceStatus})`,
    );
  }
  return { address: Address, port: Port };
}

/** The parameter group of an instance and whether what it says is in force. */
export interface ParameterGroup {
  readonly name: string;
  /** `in-sync`, `applying`, `pending-reboot`... */
  readonly applyStatus: string;
}

export function parameterGroupOf(instance: DBInstance): ParameterGroup {
  const group = instance.DBParameterGroups?.[0];
  return { name: group?.DBParameterGroupName ?? '', applyStatus: group?.ParameterApplyStatus ?? '' };
}

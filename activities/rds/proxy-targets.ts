import {
  type DBProxyTarget,
  DeregisterDBProxyTargetsCommand,
  DescribeDBProxyTargetsCommand,
  RegisterDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { answerInTime, fateOf, type once as sendOnce } from '../one-request';
import { findInstance } from './find-instance';

/** What an RDS Proxy stands before. */
export async function proxyTargets({ rds }: Aws, proxy: string): Promise<DBProxyTarget[]> {
  return (await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: proxy }))).Targets ?? [];
}

/**
 * States of an instance in which RDS puts it into a target group; in others RegisterDBProxyTargets answers InvalidDBInstanceState ("needs to be in
 * [AVAILABLE, MODIFYING, BACKING_UP]"), also where it takes sessions, as while its storage is optimized or its monitoring is configured.
 * @see https://github.com/hashicorp/terraform-provider-aws/pull/19096
 * @see https://github.com/aws/aws-cdk/issues/31304
 */
const REGISTRABLE: readonly string[] = ['available', 'modifying', 'backing-up'];

/** Why RDS would not put these instances into a target group now; undefined: it would. Of one that isn't there nothing is said. */
export async function notRegistrable(aws: Aws, ...instances: string[]): Promise<string | undefined> {
  const found = await Promise.all(instances.map((instance) => findInstance(aws, instance)));
  const unfit = found.flatMap((one) => (one && !REGISTRABLE.includes(one.DBInstanceStatus ?? '') ? [one] : []));
  if (unfit.length === 0) return undefined;
  const states = unfit.map(
    ({ DBInstanceIdentifier, DBInstanceStatus }) => `${DBInstanceIdentifier} is ${DBInstanceStatus}`,
  );
  return `${states.join(', ')}, and an RDS Proxy takes instances only that are ${REGISTRABLE.join(', ')}`;
}

export const hasTarget = (targets: readonly DBProxyTarget[], instance: string): boolean =>
  targets.some(({ RdsResourceId }) => RdsResourceId === instance);

/**
 * Takes an instance out of the proxy's target group. @returns false when it was not in it
 * @param once where it matters what became of each request
 */
export async function deregisterTarget(
  { rds }: Aws,
  proxy: string,
  instance: string,
  once?: typeof sendOnce,
): Promise<boolean> {
  const command = new DeregisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: [instance] });
  try {
    await (once ? rds.send(once(command), answerInTime()) : rds.send(command));
    return true;
  } catch (error) {
    if (isAwsError(fateOf(error).error, 'DBProxyTargetNotFoundFault')) return false;
    throw error;
  }
}

/** Puts an instance into the proxy's target group, if it is not in it. `once`: as above. */
export async function registerTarget(
  { rds }: Aws,
  proxy: string,
  instance: string,
  once?: typeof sendOnce,
): Promise<void> {
  const command = new RegisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: [instance] });
  try {
    await (once ? rds.send(once(command), answerInTime()) : rds.send(command));
  } catch (error) {
    if (!isAwsError(fateOf(error).error, 'DBProxyTargetAlreadyRegisteredFault')) throw error;
  }
}

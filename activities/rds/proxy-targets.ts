import {
  type DBProxyTarget,
  DeregisterDBProxyTargetsCommand,
  DescribeDBProxyTargetsCommand,
  RegisterDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { answerInTime, fateOf, type once as sendOnce } from '../one-request';

/** What an RDS Proxy stands before. */
export async function proxyTargets({ rds }: Aws, proxy: string): Promise<DBProxyTarget[]> {
  return (await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: proxy }))).Targets ?? [];
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

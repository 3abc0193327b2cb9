import {
  type DBProxyTarget,
  DeregisterDBProxyTargetsCommand,
  DescribeDBProxyTargetsCommand,
  RegisterDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';

/** What an RDS Proxy stands before. */
export async function proxyTargets({ rds }: Aws, proxy: string): Promise<DBProxyTarget[]> {
  return (await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: proxy }))).Targets ?? [];
}

export const hasTarget = (targets: readonly DBProxyTarget[], instance: string): boolean =>
  targets.some(({ RdsResourceId }) => RdsResourceId === instance);

/** Takes an instance out of the proxy's target group. @returns false when it was not in it */
export async function deregisterTarget({ rds }: Aws, proxy: string, instance: string): Promise<boolean> {
  try {
    await rds.send(new DeregisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: [instance] }));
    return true;
  } catch (error) {
    if (isAwsError(error, 'DBProxyTargetNotFoundFault')) return false;
    throw error;
  }
}

/** Puts an instance into the proxy's target group, if it is not in it. */
export async function registerTarget({ rds }: Aws, proxy: string, instance: string): Promise<void> {
  try {
    await rds.send(new RegisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: [instance] }));
  } catch (error) {
    if (!isAwsError(error, 'DBProxyTargetAlreadyRegisteredFault')) throw error;
  }
}

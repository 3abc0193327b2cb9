import type { DBInstance } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Aws, MigrationRef } from '../dependencies';
import { readFreeStorage } from '../rds/metrics';
import { parameterGroupOf } from '../rds/find-instance';
import { parameterGroupName } from '../rds/prepare-parameters';
import type { Denials } from './denials';
import { checkOptionGroup, checkParameterGroup, ownCeilingMiB } from './look-at-groups';
import { checkNetworkPath } from './look-at-network-path';
import { checkPerformance } from './look-at-performance';
import { checkStorage } from './look-at-storage';
import { otherMigrationInAws } from './neighbours/other-migrations';
import { checkClass, checkDeletionProtection, checkIamAuthentication, checkStack } from './look-at-surroundings';
import { checkBlueGreen, checkProxies, checkReplicas, checkTopology } from './look-at-topology';
import { checkBackups, checkCertificate, checkPendingMaintenance, checkPendingModifications } from './look-at-upcoming';

/** What a look at AWS found. */
export interface AwsSeen {
  readonly checks: readonly Check[];
  /** Free storage of the source in bytes; undefined where CloudWatch has no figure or may not be asked. */
  readonly freeBytes: number | undefined;
}

/**
 * Everything that AWS says of the source and of what stands around it. Reads only, and takes nothing for granted that a migration changes: it is
 * asked again before the cutover.
 */
export async function lookAtAws(
  aws: Aws,
  { id, plan }: MigrationRef,
  source: DBInstance,
  denials: Denials,
): Promise<AwsSeen> {
  const each = (action: string, look: () => Promise<Check | Check[]>) => denials.unless(action, look, []);
  const [freeBytes, ...found] = await Promise.all([
    denials.unless('cloudwatch:GetMetricData', () => readFreeStorage(aws, plan.source.instance), undefined),
    each('ec2:DescribeSecurityGroupRules', () => checkNetworkPath(aws, plan, source)),
    each('rds:DescribeDBParameterGroups', () => checkParameterGroup(aws, source)),
    each('rds:DescribeOptionGroups', () => checkOptionGroup(aws, source)),
    each('rds:DescribeOrderableDBInstanceOptions', () => checkClass(aws, plan, source)),
    each('cloudwatch:GetMetricData', () => checkPerformance(aws, source)),
    each('rds:DescribeDBSnapshots', () => otherMigrationInAws(aws, id, source)),
    each('rds:DescribeDBProxies', () => checkProxies(aws, plan, source)),
    each('rds:DescribeBlueGreenDeployments', () => checkBlueGreen(aws, source)),
    each('rds:DescribePendingMaintenanceActions', () => checkPendingMaintenance(aws, source)),
  ]);
  return {
    freeBytes,
    checks: [
      checkTopology(source),
      ...found.flat(),
      checkReplicas(aws, source),
      checkPendingModifications(source),
      checkBackups(source),
      checkStack(source),
      checkIamAuthentication(aws, plan, source),
      checkDeletionProtection(plan, source),
      checkCertificate(source),
    ],
  };
}

/**
 * Room on the disk of the source. After the checks in SQL, since those measure how much WAL is written.
 * @param wal what they measured; absent when nothing is to be forecast
 */
export async function lookAtStorage(
  aws: Aws,
  { id, plan }: MigrationRef,
  source: DBInstance,
  freeBytes: number | undefined,
  denials: Denials,
  wal: { readonly walBytesPerSecond?: number | undefined; readonly hours?: number | undefined } = {},
): Promise<Check[]> {
  // What our own group lets slots keep was chosen to fit, and is partly used by now.
  const ours = parameterGroupOf(source).name === parameterGroupName(id);
  const own = ours
    ? undefined
    : await denials.unless('rds:DescribeDBParameters', () => ownCeilingMiB(aws, source), undefined);
  return checkStorage(plan, source, { freeBytes, ownCeilingMiB: own, ...wal });
}

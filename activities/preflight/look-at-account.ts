import { DescribeAccountAttributesCommand, DescribeDBSubnetGroupsCommand, type DBInstance } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { encryptedSnapshotName } from '../rds/copy-snapshot';
import { sourceSnapshotName } from '../rds/create-snapshot';
import { finalSnapshotName } from '../rds/delete-instance';
import { findInstance } from '../rds/find-instance';
import { findSnapshot } from '../rds/find-snapshot';
import { isOurs } from '../rds/ownership';
import { findGroup, parameterGroupName } from '../rds/prepare-parameters';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';

const leftBy = (tags: Parameters<typeof isOurs>[0], migration: string): string =>
  isOurs(tags, migration) ? ', made by an earlier migration of this id' : '';

/** Names that we need are free. */
export async function checkNames(aws: Aws, plan: Plan, migration: string): Promise<Check> {
  const code = 'target-name';
  const target = await findInstance(aws, plan.target.instance);
  if (target) {
    // Also one that carries our tag: it may be the live result of an earlier migration of this id.
    return {
      code,
      level: 'block',
      message: `A DB instance ${plan.target.instance} exists already${leftBy(target.TagList, migration)}.`,
      remedy: 'Choose another target.instance, or rename that instance.',
    };
  }
  const snapshots = [sourceSnapshotName(migration), encryptedSnapshotName(migration), finalSnapshotName(migration)];
  for (const snapshot of snapshots) {
    const found = await findSnapshot(aws, snapshot);
    if (!found) continue;
    return {
      code,
      level: 'block',
      message: `A DB snapshot ${snapshot} exists already${leftBy(found.TagList, migration)}.`,
      remedy: `Start the migration under another id, or delete it: aws rds delete-db-snapshot --db-snapshot-identifier ${snapshot}`,
    };
  }
  const group = parameterGroupName(migration);
  if (await findGroup(aws, group)) {
    return {
      code,
      level: 'block',
      message: `A DB parameter group ${group} exists already: an earlier migration of this id left it.`,
      remedy: `Start the migration under another id, or delete it: aws rds delete-db-parameter-group --db-parameter-group-name ${group}`,
    };
  }
  return { code, level: 'ok', message: `${plan.target.instance} and our other names are free` };
}

/** Whether the target can reach the source at all: both in one VPC. The connection itself is proven at `subscribe`. */
export async function checkNetwork(aws: Aws, plan: Plan, source: DBInstance): Promise<Check> {
  const code = 'target-network';
  const vpc = source.DBSubnetGroup?.VpcId;
  const { subnetGroup } = plan.target;
  if (!subnetGroup)
    return { code, level: 'ok', message: `the target is placed in the source's VPC ${vpc ?? ''}`.trim() };
  try {
    const { DBSubnetGroups } = await aws.rds.send(
      new DescribeDBSubnetGroupsCommand({ DBSubnetGroupName: subnetGroup }),
    );
    const targetVpc = DBSubnetGroups?.[0]?.VpcId;
    if (targetVpc === vpc)
      return { code, level: 'ok', message: `subnet group ${subnetGroup} is in the source's VPC ${vpc}` };
    return {
      code,
      level: 'block',
      message: `Subnet group ${subnetGroup} is in VPC ${targetVpc}, the source in ${vpc}: the target could not reach the source.`,
      remedy: `Name a subnet group of VPC ${vpc} in target.subnetGroup, or leave it out.`,
    };
  } catch (error) {
    if (!isAwsError(error, 'DBSubnetGroupNotFoundFault', 'DBSubnetGroupNotFound')) throw error;
    return {
      code,
      level: 'block',
      message: `There is no DB subnet group ${subnetGroup} in region ${aws.region}.`,
      remedy: 'Correct target.subnetGroup, or leave it out to use the one of the source.',
    };
  }
}

/** Quotas that the migration uses up: one instance, two or three manual snapshots, the source's storage once more. */
export async function checkQuota(aws: Aws, plan: Plan, source: DBInstance): Promise<Check> {
  const code = 'quota';
  const { AccountQuotas } = await aws.rds.send(new DescribeAccountAttributesCommand({}));
  const needs: Record<string, number> = {
    DBInstances: 1,
    ManualSnapshots: plan.keep.finalSnapshot ? 3 : 2,
    AllocatedStorage: source.AllocatedStorage ?? 0,
  };
  const short = (AccountQuotas ?? []).filter(({ AccountQuotaName, Used, Max }) => {
    const need = needs[AccountQuotaName ?? ''];
    return need !== undefined && (Used ?? 0) + need > (Max ?? Number.POSITIVE_INFINITY);
  });
  if (short.length === 0)
    return { code, level: 'ok', message: 'instances, snapshots and storage are within the quotas' };
  const list = short.map(
    ({ AccountQuotaName, Used, Max }) =>
      `${AccountQuotaName} ${Used} of ${Max}, needed ${needs[AccountQuotaName ?? '']}`,
  );
  return {
    code,
    level: 'block',
    message: `Quotas of the account are too small: ${list.join('; ')}.`,
    remedy:
      'Delete what is not needed, or have the quota raised: aws service-quotas request-service-quota-increase --service-code rds',
  };
}

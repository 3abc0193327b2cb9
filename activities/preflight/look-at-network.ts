import { DescribeDBSubnetGroupsCommand, type DBInstance, type DBSubnetGroup } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';

const code = 'target-network';

/** The subnet group of that name, or undefined. */
export async function findSubnetGroup(aws: Aws, name: string): Promise<DBSubnetGroup | undefined> {
  try {
    const { DBSubnetGroups } = await aws.rds.send(new DescribeDBSubnetGroupsCommand({ DBSubnetGroupName: name }));
    return DBSubnetGroups?.[0];
  } catch (error) {
    if (isAwsError(error, 'DBSubnetGroupNotFoundFault', 'DBSubnetGroupNotFound')) return undefined;
    throw error;
  }
}

/** Whether the target's subnet group exists and is in the VPC of the source. */
export async function checkNetwork(aws: Aws, plan: Plan, source: DBInstance): Promise<Check> {
  const vpc = source.DBSubnetGroup?.VpcId;
  const { subnetGroup } = plan.target;
  if (!subnetGroup)
    return { code, level: 'ok', message: `the target is placed in the source's VPC ${vpc ?? ''}`.trim() };
  const found = await findSubnetGroup(aws, subnetGroup);
  if (!found) {
    return {
      code,
      level: 'block',
      message: `There is no DB subnet group ${subnetGroup} in region ${aws.region}.`,
      remedy: 'Correct target.subnetGroup, or leave it out to use the one of the source.',
    };
  }
  const evidence = { subnetGroup, vpc: found.VpcId ?? '', sourceVpc: vpc ?? '' };
  if (found.VpcId === vpc)
    return { code, level: 'ok', message: `subnet group ${subnetGroup} is in the source's VPC ${vpc}`, evidence };
  return {
    code,
    level: 'block',
    message: `Subnet group ${subnetGroup} is in VPC ${found.VpcId}, the source in ${vpc}: the target could not reach the source.`,
    remedy: `Name a subnet group of VPC ${vpc} in target.subnetGroup, or leave it out.`,
    evidence,
  };
}

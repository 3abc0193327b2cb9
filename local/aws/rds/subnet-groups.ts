import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import type { SubnetGroupRecord } from './model';
import type { RdsCall } from './request';
import { newIdentifier, readTags } from './request';

/** The network that every instance is in. */
export const VPC_ID = 'vpc-0a1b2c3d4e5f60718';

/** The one subnet group that every account has from the beginning. */
const DEFAULT_GROUP = 'default';

/** A subnet group, as it stands alone and inside an instance. */
export function subnetGroupShape(region: string, name: string, group?: SubnetGroupRecord): Answer {
  return {
    DBSubnetGroupName: name,
    DBSubnetGroupDescription: group?.description ?? name,
    VpcId: VPC_ID,
    SubnetGroupStatus: 'Complete',
    Subnets: (group?.subnetIds ?? ['subnet-0a1b2c3d4e5f60700', 'subnet-0a1b2c3d4e5f60701']).map((id, index) => ({
      SubnetIdentifier: id,
      SubnetAvailabilityZone: { Name: `${region}${'abc'.charAt(index % 3)}` },
      SubnetOutpost: {},
      SubnetStatus: 'Active',
    })),
    DBSubnetGroupArn: arnOf('subgrp', region, name),
  };
}

/** @throws AwsError when there is no such group */
export function assertSubnetGroup({ rds }: Pick<RdsCall, 'rds'>, name: string): void {
  if (name.toLowerCase() === DEFAULT_GROUP || rds.subnetGroups?.[name.toLowerCase()]) return;
  throw new AwsError('DBSubnetGroupNotFoundFault', `DB subnet group '${name}' does not exist.`, 404);
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html */
export function createDBSubnetGroup(call: RdsCall): Answer {
  const { context, parameters, rds, region } = call;
  const name = newIdentifier(call, 'DBSubnetGroupName', 255);
  const subnetIds = parameters.texts('SubnetIds') ?? [];
  if (subnetIds.length < 2) {
    throw new AwsError(
      'DBSubnetGroupDoesNotCoverEnoughAZs',
      'The DB subnet group doesn’t meet Availability Zone (AZ) coverage requirement. Current AZ coverage is not enough. Add subnets to cover at least 2 AZs.',
    );
  }
  const groups = (rds.subnetGroups ??= {});
  if (groups[name] || name === DEFAULT_GROUP) {
    throw new AwsError('DBSubnetGroupAlreadyExists', `The DB subnet group ${name} already exists.`);
  }
  const description = parameters.required('DBSubnetGroupDescription');
  groups[name] = { name, description, subnetIds, tags: readTags(parameters) ?? [] };
  context.store.changed();
  return { DBSubnetGroup: subnetGroupShape(region, name, groups[name]) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSubnetGroups.html */
export function describeDBSubnetGroups(call: RdsCall): Answer {
  const { parameters, rds, region } = call;
  readFilters(parameters, []);
  const name = parameters.text('DBSubnetGroupName')?.toLowerCase();
  if (name !== undefined) assertSubnetGroup(call, name);
  const all = [DEFAULT_GROUP, ...Object.keys(rds.subnetGroups ?? {})];
  const page = paginate(parameters, name === undefined ? all : [name], (one) => one);
  return {
    DBSubnetGroups: page.items.map((one) => subnetGroupShape(region, one, rds.subnetGroups?.[one])),
    Marker: page.marker,
  };
}

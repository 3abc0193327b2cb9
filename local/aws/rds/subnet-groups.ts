import { allSubnets, DEFAULT_VPC, defaultSubnets } from '../ec2/network';
import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import type { RdsCall } from './request';
import { newIdentifier, readTags } from './request';

/** The network that every instance is in. */
export const VPC_ID = DEFAULT_VPC.id;

/** The one subnet group that every account has from the beginning. */
const DEFAULT_GROUP = 'default';

/** A subnet group, as it stands alone and inside an instance. Subnets that EC2 doesn't know are taken to be in the default VPC. */
export function subnetGroupShape(
  { context, rds, region }: Pick<RdsCall, 'context' | 'rds' | 'region'>,
  name: string,
): Answer {
  const group = rds.subnetGroups?.[name.toLowerCase()];
  const known = allSubnets(context.store.region(region), region);
  const ids = group?.subnetIds ?? defaultSubnets(region).map(({ id }) => id);
  const subnets = ids.map((id, index) => ({
    id,
    vpc: VPC_ID,
    zone: `${region}${'abc'.charAt(index % 3)}`,
    ...known.find((one) => one.id === id),
  }));
  return {
    DBSubnetGroupName: name,
    DBSubnetGroupDescription: group?.description ?? name,
    VpcId: subnets[0]?.vpc ?? VPC_ID,
    SubnetGroupStatus: 'Complete',
    Subnets: subnets.map(({ id, zone }) => ({
      SubnetIdentifier: id,
      SubnetAvailabilityZone: { Name: zone },
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
  const { context, parameters, rds } = call;
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
  return { DBSubnetGroup: subnetGroupShape(call, name) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSubnetGroups.html */
export function describeDBSubnetGroups(call: RdsCall): Answer {
  const { parameters, rds } = call;
  readFilters(parameters, []);
  const name = parameters.text('DBSubnetGroupName')?.toLowerCase();
  if (name !== undefined) assertSubnetGroup(call, name);
  const all = [DEFAULT_GROUP, ...Object.keys(rds.subnetGroups ?? {})];
  const page = paginate(parameters, name === undefined ? all : [name], (one) => one);
  return {
    DBSubnetGroups: page.items.map((one) => subnetGroupShape(call, one)),
    Marker: page.marker,
  };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html */
export function deleteDBSubnetGroup(call: RdsCall): undefined {
  const { context, parameters, rds } = call;
  const name = parameters.required('DBSubnetGroupName').toLowerCase();
  assertSubnetGroup(call, name);
  if (
    name === DEFAULT_GROUP ||
    Object.values(rds.instances).some(({ settings }) => settings.DBSubnetGroupName === name)
  ) {
    throw new AwsError('InvalidDBSubnetGroupStateFault', `Cannot delete the subnet group '${name}': it is in use.`);
  }
  delete rds.subnetGroups?.[name];
  context.store.changed();
}

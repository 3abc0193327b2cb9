import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import type { RdsCall } from './request';

/** The network that every instance is in. */
export const VPC_ID = 'vpc-0a1b2c3d4e5f60718';

/** The one subnet group that every account has from the beginning. */
const DEFAULT_GROUP = 'default';

/** A subnet group, as it stands alone and inside an instance. */
export function subnetGroupShape(region: string, name: string): Answer {
  return {
    DBSubnetGroupName: name,
    DBSubnetGroupDescription: name,
    VpcId: VPC_ID,
    SubnetGroupStatus: 'Complete',
    Subnets: ['a', 'b'].map((zone, index) => ({
      SubnetIdentifier: `subnet-0a1b2c3d4e5f6070${index}`,
      SubnetAvailabilityZone: { Name: `${region}${zone}` },
      SubnetOutpost: {},
      SubnetStatus: 'Active',
    })),
    DBSubnetGroupArn: arnOf('subgrp', region, name),
  };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSubnetGroups.html */
export function describeDBSubnetGroups({ parameters, region }: RdsCall): Answer {
  readFilters(parameters, []);
  const name = parameters.text('DBSubnetGroupName');
  if (name !== undefined && name !== DEFAULT_GROUP) {
    throw new AwsError('DBSubnetGroupNotFoundFault', `DB subnet group '${name}' does not exist.`, 404);
  }
  const page = paginate(parameters, [DEFAULT_GROUP], (one) => one);
  return { DBSubnetGroups: page.items.map((one) => subnetGroupShape(region, one)), Marker: page.marker };
}

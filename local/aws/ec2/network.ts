import { randomBytes } from 'node:crypto';
import { AwsError } from '../errors';
import type { Ec2State, RuleRecord, SecurityGroupRecord, SubnetRecord } from './model';
import type { RegionState } from '../state';

/** The network that every account has from the beginning; instances are in it unless they say otherwise. */
export const DEFAULT_VPC = { id: 'vpc-0a1b2c3d4e5f60718', cidr: '172.31.0.0/16' } as const;
export const DEFAULT_GROUP_ID = 'sg-0a1b2c3d4e5f60718';

/** An identifier as EC2 gives them. */
export const newId = (kind: 'sg' | 'sgr' | 'subnet' | 'vpc'): string => `${kind}-0${randomBytes(8).toString('hex')}`;

/** Rules that a new group has: it lets everything out. */
export const ALL_OUT = (): RuleRecord => ({
  id: newId('sgr'),
  egress: true,
  protocol: '-1',
  fromPort: -1,
  toPort: -1,
  cidr: '0.0.0.0/0',
});

/** What was made in a region; the record to change. */
export function ec2Of(state: RegionState): Ec2State {
  return (state.ec2 ??= { groups: {}, subnets: {}, vpcs: {} });
}

/** The default group of the default VPC: its members may reach each other (https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html). */
function defaultGroup(): SecurityGroupRecord {
  const everything = { protocol: '-1', fromPort: -1, toPort: -1 };
  return {
    id: DEFAULT_GROUP_ID,
    name: 'default',
    description: 'default VPC security group',
    vpc: DEFAULT_VPC.id,
    rules: [
      { id: 'sgr-0a1b2c3d4e5f60701', egress: false, ...everything, group: DEFAULT_GROUP_ID },
      { id: 'sgr-0a1b2c3d4e5f60702', egress: true, ...everything, cidr: '0.0.0.0/0' },
    ],
  };
}

/** The subnets of the default VPC: those that the default DB subnet group of RDS names. */
export function defaultSubnets(region: string): SubnetRecord[] {
  return ['a', 'b'].map((zone, index) => ({
    id: `subnet-0a1b2c3d4e5f6070${index}`,
    vpc: DEFAULT_VPC.id,
    zone: `${region}${zone}`,
    cidr: `172.31.${index * 16}.0/20`,
  }));
}

/** Every security group of a region. */
export function allGroups(state: RegionState): SecurityGroupRecord[] {
  const made = state.ec2?.groups ?? {};
  return [...(made[DEFAULT_GROUP_ID] ? [] : [defaultGroup()]), ...Object.values(made)];
}

/** Every subnet of a region. */
export function allSubnets(state: RegionState, region: string): SubnetRecord[] {
  return [...defaultSubnets(region), ...Object.values(state.ec2?.subnets ?? {})];
}

/** Every VPC of a region. */
export function allVpcs(state: RegionState): { readonly id: string; readonly cidr: string }[] {
  const made = Object.entries(state.ec2?.vpcs ?? {}).map(([id, { cidr }]) => ({ id, cidr }));
  return [DEFAULT_VPC, ...made];
}

/** A group, or EC2's error. */
export function requireGroup(state: RegionState, id: string): SecurityGroupRecord {
  const group = allGroups(state).find((one) => one.id === id);
  if (!group) throw new AwsError('InvalidGroup.NotFound', `The security group '${id}' does not exist`);
  return group;
}

/** A group whose rules are about to change: from then on it is in the state, also the default one. */
export function groupToChange(state: RegionState, id: string): SecurityGroupRecord {
  const group = requireGroup(state, id);
  return (ec2Of(state).groups[id] ??= group);
}

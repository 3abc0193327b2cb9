import type { Context } from '../context';
import { AwsError } from '../errors';
import { enforceGroup } from '../rds/network-rules';
import type { Answer, QueryParameters } from '../query-protocol';
import { ACCOUNT_ID, type RegionState } from '../state';
import type { SecurityGroupRecord } from './model';
import {
  ALL_OUT,
  allGroups,
  allSubnets,
  allVpcs,
  DEFAULT_VPC,
  ec2Of,
  groupToChange,
  newId,
  requireGroup,
} from './network';
import { permissionShape, readRules, ruleShape, sameRule } from './permissions';

/** One call of an operation of EC2. */
export interface Ec2Call {
  readonly context: Context;
  readonly parameters: QueryParameters;
  readonly region: string;
  readonly state: RegionState;
}

/** The operations of EC2 that the stand-in knows. */
export const EC2_OPERATIONS: Readonly<Record<string, (call: Ec2Call) => Answer>> = {
  DescribeSecurityGroups: describeSecurityGroups,
  DescribeSecurityGroupRules: describeSecurityGroupRules,
  CreateSecurityGroup: createSecurityGroup,
  DeleteSecurityGroup: deleteSecurityGroup,
  AuthorizeSecurityGroupIngress: (call) => authorize(call, false),
  AuthorizeSecurityGroupEgress: (call) => authorize(call, true),
  RevokeSecurityGroupIngress: (call) => revoke(call, false),
  RevokeSecurityGroupEgress: (call) => revoke(call, true),
  DescribeSubnets: describeSubnets,
  CreateSubnet: createSubnet,
  DescribeVpcs: describeVpcs,
  CreateVpc: createVpc,
};

/** Keeps what passes all filters of the request; `of` says what an item has for a filter's name. */
function filtered<Item>(
  { parameters }: Ec2Call,
  items: readonly Item[],
  of: Readonly<Record<string, (item: Item) => string>>,
): Item[] {
  const filters = (parameters.structures('Filter') ?? []).map((filter) => {
    const name = filter.required('Name');
    const read = of[name];
    if (!read) throw new AwsError('InvalidParameterValue', `The filter '${name}' is invalid`);
    return { read, values: filter.texts('Value') ?? [] };
  });
  return items.filter((item) => filters.every(({ read, values }) => values.includes(read(item))));
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html */
function describeSecurityGroups(call: Ec2Call): Answer {
  const ids = call.parameters.texts('GroupId');
  const wanted = ids ? ids.map((id) => requireGroup(call.state, id)) : allGroups(call.state);
  const groups = filtered(call, wanted, {
    'group-id': ({ id }) => id,
    'group-name': ({ name }) => name,
    'vpc-id': ({ vpc }) => vpc,
  });
  return {
    securityGroupInfo: groups.map((group) => ({
      ownerId: ACCOUNT_ID,
      groupId: group.id,
      groupName: group.name,
      groupDescription: group.description,
      securityGroupArn: groupArn(call, group),
      vpcId: group.vpc,
      ipPermissions: group.rules.filter(({ egress }) => !egress).map(permissionShape),
      ipPermissionsEgress: group.rules.filter(({ egress }) => egress).map(permissionShape),
      tagSet: [],
    })),
  };
}

const groupArn = ({ region }: Ec2Call, { id }: SecurityGroupRecord): string =>
  `arn:aws:ec2:${region}:${ACCOUNT_ID}:security-group/${id}`;

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html */
function describeSecurityGroupRules(call: Ec2Call): Answer {
  const rules = allGroups(call.state).flatMap((group) => group.rules.map((rule) => ({ group: group.id, rule })));
  const ids = call.parameters.texts('SecurityGroupRuleId');
  const wanted = rules.filter(({ rule }) => ids?.includes(rule.id) ?? true);
  const found = filtered(call, wanted, {
    'group-id': ({ group }) => group,
    'security-group-rule-id': ({ rule }) => rule.id,
  });
  return { securityGroupRuleSet: found.map(({ group, rule }) => ruleShape(call.region, group, rule)) };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html */
function createSecurityGroup(call: Ec2Call): Answer {
  const { context, parameters, state } = call;
  const name = parameters.required('GroupName');
  const vpc = parameters.text('VpcId') ?? DEFAULT_VPC.id;
  if (!allVpcs(state).some(({ id }) => id === vpc)) {
    throw new AwsError('InvalidVpcID.NotFound', `The vpc ID '${vpc}' does not exist`);
  }
  if (allGroups(state).some((one) => one.vpc === vpc && one.name === name)) {
    throw new AwsError('InvalidGroup.Duplicate', `The security group '${name}' already exists for VPC '${vpc}'`);
  }
  const description = parameters.required('GroupDescription');
  const group: SecurityGroupRecord = { id: newId('sg'), name, description, vpc, rules: [ALL_OUT()] };
  ec2Of(state).groups[group.id] = group;
  context.store.changed();
  return { groupId: group.id, securityGroupArn: groupArn(call, group), tagSet: [] };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html */
function deleteSecurityGroup({ context, parameters, state }: Ec2Call): Answer {
  const group = requireGroup(state, parameters.required('GroupId'));
  const { instances, proxies = {} } = state.rds;
  const used =
    Object.values(instances).some(({ settings }) => settings.VpcSecurityGroupIds.includes(group.id)) ||
    Object.values(proxies).some(({ securityGroups }) => securityGroups.includes(group.id));
  if (used) throw new AwsError('DependencyViolation', `resource ${group.id} has a dependent object`);
  if (group.name === 'default') {
    throw new AwsError(
      'CannotDelete',
      `the specified group: "${group.id}" name: "default" cannot be deleted by a user`,
    );
  }
  delete ec2Of(state).groups[group.id];
  context.store.changed();
  return { return: true, groupId: group.id };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html */
function authorize({ context, parameters, region, state }: Ec2Call, egress: boolean): Answer {
  const group = groupToChange(state, parameters.required('GroupId'));
  const added = readRules(parameters, state, group, egress);
  const double = added.find((rule) => group.rules.some((one) => sameRule(one, rule)));
  if (double) {
    const peer = `peer: ${double.cidr ?? double.group ?? double.cidrV6 ?? double.prefixList}`;
    throw new AwsError('InvalidPermission.Duplicate', `the specified rule "${peer}, ALLOW" already exists`);
  }
  group.rules.push(...added);
  context.store.changed();
  enforceGroup(context, state, group.id);
  return { return: true, securityGroupRuleSet: added.map((rule) => ruleShape(region, group.id, rule)) };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html */
function revoke({ context, parameters, state }: Ec2Call, egress: boolean): Answer {
  const group = groupToChange(state, parameters.required('GroupId'));
  const ids = parameters.texts('SecurityGroupRuleId');
  const named = ids ? [] : readRules(parameters, state, group, egress);
  const gone = group.rules.filter(
    (rule) => rule.egress === egress && (ids?.includes(rule.id) ?? named.some((one) => sameRule(one, rule))),
  );
  if (gone.length === 0) {
    throw new AwsError('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
  }
  group.rules = group.rules.filter((rule) => !gone.includes(rule));
  context.store.changed();
  enforceGroup(context, state, group.id);
  return {
    return: true,
    revokedSecurityGroupRuleSet: gone.map(({ id }) => ({ securityGroupRuleId: id, groupId: group.id })),
  };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html */
function describeSubnets(call: Ec2Call): Answer {
  const ids = call.parameters.texts('SubnetId');
  const all = allSubnets(call.state, call.region);
  const missing = ids?.find((id) => !all.some((one) => one.id === id));
  if (missing !== undefined) {
    throw new AwsError('InvalidSubnetID.NotFound', `The subnet ID '${missing}' does not exist`);
  }
  const subnets = filtered(
    call,
    all.filter(({ id }) => ids?.includes(id) ?? true),
    { 'subnet-id': ({ id }) => id, 'vpc-id': ({ vpc }) => vpc, 'availability-zone': ({ zone }) => zone },
  );
  return {
    subnetSet: subnets.map(({ id, vpc, zone, cidr }) => ({
      subnetId: id,
      subnetArn: `arn:aws:ec2:${call.region}:${ACCOUNT_ID}:subnet/${id}`,
      vpcId: vpc,
      availabilityZone: zone,
      cidrBlock: cidr,
      state: 'available',
      ownerId: ACCOUNT_ID,
      availableIpAddressCount: 4091,
      tagSet: [],
    })),
  };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html */
function createSubnet({ context, parameters, region, state }: Ec2Call): Answer {
  const vpc = parameters.required('VpcId');
  if (!allVpcs(state).some(({ id }) => id === vpc)) {
    throw new AwsError('InvalidVpcID.NotFound', `The vpc ID '${vpc}' does not exist`);
  }
  const zone = parameters.text('AvailabilityZone') ?? `${region}a`;
  const subnet = { id: newId('subnet'), vpc, zone, cidr: parameters.required('CidrBlock') };
  ec2Of(state).subnets[subnet.id] = subnet;
  context.store.changed();
  return {
    subnet: {
      subnetId: subnet.id,
      vpcId: vpc,
      availabilityZone: zone,
      cidrBlock: subnet.cidr,
      state: 'available',
      tagSet: [],
    },
  };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html */
function describeVpcs(call: Ec2Call): Answer {
  const ids = call.parameters.texts('VpcId');
  const vpcs = filtered(
    call,
    allVpcs(call.state).filter(({ id }) => ids?.includes(id) ?? true),
    { 'vpc-id': ({ id }) => id, 'is-default': ({ id }) => String(id === DEFAULT_VPC.id) },
  );
  return {
    vpcSet: vpcs.map(({ id, cidr }) => ({
      vpcId: id,
      cidrBlock: cidr,
      state: 'available',
      isDefault: id === DEFAULT_VPC.id,
      ownerId: ACCOUNT_ID,
      tagSet: [],
    })),
  };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html */
function createVpc({ context, parameters, state }: Ec2Call): Answer {
  const id = newId('vpc');
  const cidr = parameters.required('CidrBlock');
  ec2Of(state).vpcs[id] = { cidr };
  context.store.changed();
  return { vpc: { vpcId: id, cidrBlock: cidr, state: 'available', isDefault: false, ownerId: ACCOUNT_ID, tagSet: [] } };
}

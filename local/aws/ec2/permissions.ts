import { isIPv4 } from 'node:net';
import { AwsError } from '../errors';
import type { Answer, QueryParameters } from '../query-protocol';
import { ACCOUNT_ID, type RegionState } from '../state';
import type { RuleRecord, SecurityGroupRecord } from './model';
import { newId, requireGroup } from './network';

/** The rules that a request names: in `IpPermissions`, or flat, for one rule (the `aws` command sends either). */
export function readRules(
  parameters: QueryParameters,
  state: RegionState,
  own: SecurityGroupRecord,
  egress: boolean,
): RuleRecord[] {
  const listed = parameters.structures('IpPermissions')?.flatMap((one) => rulesOf(one, state, egress));
  if (listed && listed.length > 0) return listed;
  const ports = portsOf(parameters, egress);
  const name = parameters.text('SourceSecurityGroupName');
  if (name !== undefined) return [{ ...ports, id: newId('sgr'), group: name === own.name ? own.id : name }];
  const cidr = parameters.text('CidrIp');
  if (cidr === undefined) throw new AwsError('MissingParameter', 'Either ipPermissions or cidrIp is required.');
  return [{ ...ports, id: newId('sgr'), cidr: requireCidr(cidr) }];
}

function rulesOf(permission: QueryParameters, state: RegionState, egress: boolean): RuleRecord[] {
  const ports = portsOf(permission, egress);
  const rule = (peer: Pick<RuleRecord, 'cidr' | 'cidrV6' | 'group' | 'prefixList'>, one: QueryParameters) => {
    const description = one.text('Description');
    return { ...ports, id: newId('sgr'), ...peer, ...(description === undefined ? {} : { description }) };
  };
  const each = (name: string) => permission.structures(name) ?? [];
  return [
    ...each('IpRanges').map((one) => rule({ cidr: requireCidr(one.required('CidrIp')) }, one)),
    ...each('Ipv6Ranges').map((one) => rule({ cidrV6: one.required('CidrIpv6') }, one)),
    ...each('Groups').map((one) => rule({ group: requireGroup(state, one.required('GroupId')).id }, one)),
    ...each('PrefixListIds').map((one) => rule({ prefixList: one.required('PrefixListId') }, one)),
  ];
}

function portsOf(
  parameters: QueryParameters,
  egress: boolean,
): Pick<RuleRecord, 'egress' | 'protocol' | 'fromPort' | 'toPort'> {
  const protocol = parameters.required('IpProtocol');
  const everything = protocol === '-1';
  return {
    egress,
    protocol,
    fromPort: everything ? -1 : (parameters.integer('FromPort') ?? -1),
    toPort: everything ? -1 : (parameters.integer('ToPort') ?? -1),
  };
}

function requireCidr(text: string): string {
  const [address = '', bits = ''] = text.split('/');
  if (!isIPv4(address) || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) {
    throw new AwsError('InvalidParameterValue', `CIDR block ${text} is malformed`);
  }
  return text;
}

/** Whether two rules let the same through. */
export const sameRule = (left: RuleRecord, right: RuleRecord): boolean =>
  left.egress === right.egress &&
  left.protocol === right.protocol &&
  left.fromPort === right.fromPort &&
  left.toPort === right.toPort &&
  left.cidr === right.cidr &&
  left.cidrV6 === right.cidrV6 &&
  left.group === right.group &&
  left.prefixList === right.prefixList;

/** A rule as `DescribeSecurityGroupRules` shows it. */
export function ruleShape(region: string, groupId: string, rule: RuleRecord): Answer {
  return {
    securityGroupRuleId: rule.id,
    groupId,
    groupOwnerId: ACCOUNT_ID,
    isEgress: rule.egress,
    ipProtocol: rule.protocol,
    fromPort: rule.fromPort,
    toPort: rule.toPort,
    cidrIpv4: rule.cidr,
    cidrIpv6: rule.cidrV6,
    prefixListId: rule.prefixList,
    referencedGroupInfo: rule.group === undefined ? undefined : { groupId: rule.group, userId: ACCOUNT_ID },
    description: rule.description,
    tagSet: [],
    securityGroupRuleArn: `arn:aws:ec2:${region}:${ACCOUNT_ID}:security-group-rule/${rule.id}`,
  };
}

/** Rules as `DescribeSecurityGroups` shows them; each by itself, which AWS may show joined by port. */
export function permissionShape(rule: RuleRecord): Answer {
  const { description } = rule;
  const ported = rule.protocol !== '-1';
  return {
    ipProtocol: rule.protocol,
    fromPort: ported ? rule.fromPort : undefined,
    toPort: ported ? rule.toPort : undefined,
    groups: rule.group === undefined ? [] : [{ groupId: rule.group, userId: ACCOUNT_ID, description }],
    ipRanges: rule.cidr === undefined ? [] : [{ cidrIp: rule.cidr, description }],
    ipv6Ranges: rule.cidrV6 === undefined ? [] : [{ cidrIpv6: rule.cidrV6, description }],
    prefixListIds: rule.prefixList === undefined ? [] : [{ prefixListId: rule.prefixList, description }],
  };
}

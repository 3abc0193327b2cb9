import {
  DescribeSubnetsCommand,
  paginateDescribeSecurityGroupRules,
  type SecurityGroupRule,
} from '@aws-sdk/client-ec2';
import type { DBInstance } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import type { Aws } from '../dependencies';
import { contains } from './cidr';
import { findSubnetGroup } from './look-at-network';

const code = 'network-path';

/** One end of a connection, as security groups see it. */
export interface End {
  readonly groups: readonly string[];
  /** IPv4 ranges in which its address may be; empty where they aren't known. */
  readonly subnets: readonly string[];
}

/**
 * Whether the security groups let the target connect to the source, and, for the way back, the source to the target. The target gets the groups
 * of the source, and groups that don't name themselves don't let their own members in. Only rules are looked at: no routes, no network ACLs.
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
 */
export async function checkNetworkPath(aws: Aws, plan: Plan, source: DBInstance): Promise<Check> {
  const port = source.Endpoint?.Port ?? source.DbInstancePort ?? 5432;
  const groups = (source.VpcSecurityGroups ?? []).flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? []);
  const subnetsOf = async (names: readonly string[]) => (names.length > 0 ? cidrsOf(aws, names) : []);
  const own = (source.DBSubnetGroup?.Subnets ?? []).flatMap(({ SubnetIdentifier }) => SubnetIdentifier ?? []);
  const { subnetGroup } = plan.target;
  const others = subnetGroup ? await findSubnetGroup(aws, subnetGroup) : undefined;
  const ids = others?.Subnets?.flatMap(({ SubnetIdentifier }) => SubnetIdentifier ?? []) ?? own;
  const here: End = { groups, subnets: await subnetsOf(own) };
  const there: End = { groups, subnets: await subnetsOf(ids) };
  const rules = await rulesOf(aws, groups);
  const ways = [
    { way: `the target to ${plan.source.instance}`, from: there, to: here },
    { way: `${plan.source.instance} to the target (reverse replication)`, from: here, to: there },
  ];
  const closed = ways.flatMap(({ way, from, to }) => {
    const lets = [
      ...(admits(rules, false, from, port) ? [] : ['no rule lets it in']),
      ...(admits(rules, true, to, port) ? [] : ['no rule lets it out']),
    ];
    return lets.length > 0 ? [`${way}: ${lets.join(', ')}`] : [];
  });
  const evidence = { port, securityGroups: groups, targetSubnets: there.subnets, sourceSubnets: here.subnets };
  if (closed.length === 0) {
    return {
      code,
      level: 'ok',
      message: `${groups.join(', ')} let the target reach the source on port ${port}`,
      evidence,
    };
  }
  const [group = ''] = groups;
  const command = (direction: 'ingress' | 'egress') =>
    direction === 'ingress'
      ? `aws ec2 authorize-security-group-ingress --group-id ${group} --protocol tcp --port ${port} --source-group ${group}`
      : `aws ec2 authorize-security-group-egress --group-id ${group} --ip-permissions IpProtocol=tcp,FromPort=${port},ToPort=${port},UserIdGroupPairs=[{GroupId=${group}}]`;
  const text = closed.join('; ');
  return {
    code,
    level: 'block',
    message: `The security groups (${groups.join(', ')}) of source and target don't let them connect on port ${port}: ${text}.`,
    remedy: [
      ...(text.includes('lets it in') ? [command('ingress')] : []),
      ...(text.includes('lets it out') ? [command('egress')] : []),
    ].join('\n'),
    evidence,
  };
}

async function rulesOf(aws: Aws, groups: readonly string[]): Promise<SecurityGroupRule[]> {
  if (groups.length === 0) return [];
  const rules: SecurityGroupRule[] = [];
  const input = { Filters: [{ Name: 'group-id', Values: [...groups] }] };
  for await (const page of paginateDescribeSecurityGroupRules({ client: aws.ec2 }, input)) {
    rules.push(...(page.SecurityGroupRules ?? []));
  }
  return rules;
}

async function cidrsOf(aws: Aws, ids: readonly string[]): Promise<string[]> {
  const { Subnets } = await aws.ec2.send(
    new DescribeSubnetsCommand({ Filters: [{ Name: 'subnet-id', Values: [...ids] }] }),
  );
  return (Subnets ?? []).flatMap(({ CidrBlock }) => CidrBlock ?? []);
}

/**
 * Whether rules let through on the port what comes from (goes to) an end: all of its subnets, or a group of its own. A prefix list can't be looked
 * into here, and is taken to hold them.
 */
export function admits(rules: readonly SecurityGroupRule[], egress: boolean, end: End, port: number): boolean {
  const open = rules.filter((rule) => (rule.IsEgress ?? false) === egress && coversPort(rule, port));
  if (
    open.some(
      ({ ReferencedGroupInfo, PrefixListId }) =>
        PrefixListId !== undefined || end.groups.includes(ReferencedGroupInfo?.GroupId ?? ''),
    )
  )
    return true;
  const ranges = open.flatMap(({ CidrIpv4 }) => CidrIpv4 ?? []);
  if (ranges.includes('0.0.0.0/0')) return true;
  return end.subnets.length > 0 && end.subnets.every((subnet) => ranges.some((range) => contains(range, subnet)));
}

function coversPort({ IpProtocol, FromPort, ToPort }: SecurityGroupRule, port: number): boolean {
  if (IpProtocol === '-1') return true;
  if (IpProtocol !== 'tcp' && IpProtocol !== '6') return false;
  return (FromPort ?? 0) <= port && (ToPort ?? 65_535) >= port;
}

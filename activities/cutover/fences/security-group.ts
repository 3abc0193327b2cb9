import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeSecurityGroupsCommand, type SecurityGroup } from '@aws-sdk/client-ec2';
import { type DBInstance, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../../plan/failures';
import type { FenceEntry } from '../../../plan/plan';
import { isAwsError } from '../../classify-error';
import { type Aws, awsOf, instanceOf } from '../../dependencies';
import { endpointOf, requireInstance } from '../../rds/find-instance';
import { showsAfterMs } from '../../rds/wait-for-instance';
import type { Fence, FenceKind } from './fence';

type GroupEntry = Extract<FenceEntry, { type: 'security-group' }>;

/** Between two looks whether RDS has swapped the groups, in milliseconds. */
const LOOK_EVERY_MS = 300;
/** After a pause nobody counts the time; an instance that is modified otherwise may take minutes. */
const LOWER_MS = 300_000;

/** The groups of the source without the fence. */
interface Was {
  readonly groups: readonly string[];
}

const groupsOf = ({ VpcSecurityGroups = [] }: DBInstance): string[] =>
  VpcSecurityGroups.filter(({ Status }) => Status !== 'removing')
    .flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? [])
    .sort();

const areInForce = ({ VpcSecurityGroups = [] }: DBInstance): boolean =>
  VpcSecurityGroups.every(({ Status }) => Status === 'active');

const isSame = (left: readonly string[], right: readonly string[]): boolean =>
  [...left].sort().join() === [...right].sort().join();

const fencedGroups = ({ groups }: Was, { group, replaces }: GroupEntry): string[] => [
  ...groups.filter((one) => replaces !== undefined && !replaces.includes(one) && one !== group),
  group,
];

/**
 * The source gets a security group that lets applications in no more. Groups decide on new connections: sessions that are open are
 * ended by the SQL fence behind it.
 */
export const securityGroup: FenceKind<GroupEntry> = {
  async look(deps, ref, entry) {
    const aws = awsOf(deps, ref);
    const name = instanceOf(ref, 'source');
    const source = await requireInstance(aws, name);
    const was: Was = { groups: groupsOf(source) };
    const group = await findGroup(aws, entry.group);
    const strange = (entry.replaces ?? []).filter((one) => !was.groups.includes(one));
    const red = [
      ...(group ? judgeGroup(group, source) : [`there is no security group ${entry.group}`]),
      ...(was.groups.includes(entry.group)
        ? [`${name} has security group ${entry.group} already: the fence would change nothing`]
        : []),
      ...strange.map((one) => `${name} has no security group ${one}, which ${entry.group} is to replace`),
      ...(areInForce(source) ? [] : [`the security groups of ${name} are being changed`]),
    ];
    const fenced = fencedGroups(was, entry);
    const findings = [
      `security groups of ${name}: ${was.groups.join(', ')} become ${fenced.join(', ')}${group ? `, which lets in ${admitted(group, endpointOf(source).port).join(', ') || 'nobody'}` : ''}; whether the worker and the target are among them is yours to know. RDS takes some seconds for it, and they stay after the switch`,
    ];
    return { was, findings, red };
  },
  async open(deps, ref, entry, noted): Promise<Fence> {
    const aws = awsOf(deps, ref);
    const instance = instanceOf(ref, 'source');
    const was = (noted as Was | undefined) ?? { groups: groupsOf(await requireInstance(aws, instance)) };
    const fenced = fencedGroups(was, entry);
    return {
      name: 'security-group',
      staysUp: true,
      async raise(clock) {
        const now = groupsOf(await requireInstance(aws, instance));
        if (!isSame(now, fenced)) {
          if (!isSame(now, was.groups)) throw new Error(changed(instance, now, was, fenced));
          clock.mayGoOn();
          await setGroups(aws, instance, fenced);
        }
        await untilInForce(aws, instance, fenced, () => clock.mayGoOn());
      },
      async lower() {
        const deadline = Date.now() + LOWER_MS;
        const mayGoOn = () => {
          if (Date.now() > deadline) throw new Error(`RDS has not put the security groups of ${instance} back yet`);
        };
        // Also where the old groups show: RDS may have taken the request of `raise`, and show it only later.
        for (let setsAgain = true; setsAgain;) {
          const now = groupsOf(await requireInstance(aws, instance));
          if (!isSame(now, was.groups) && !isSame(now, fenced))
            throw finalFailure('NotOurs', changed(instance, now, was, fenced));
          await setGroups(aws, instance, was.groups);
          await untilInForce(aws, instance, was.groups, mayGoOn);
          await sleep(showsAfterMs(aws));
          setsAgain = !isSame(groupsOf(await requireInstance(aws, instance)), was.groups);
          mayGoOn();
        }
      },
      release: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  },
};

const changed = (instance: string, now: readonly string[], { groups }: Was, fenced: readonly string[]): string =>
  `Somebody changed the security groups of ${instance} to ${now.join(', ')}, so they are left alone. Give it ${groups.join(', ')} (as before the fence) or ${fenced.join(', ')} (the fence) by hand, then send retry.`;

async function setGroups(aws: Aws, instance: string, groups: readonly string[]): Promise<void> {
  await aws.rds.send(
    new ModifyDBInstanceCommand({
      DBInstanceIdentifier: instance,
      VpcSecurityGroupIds: [...groups],
      ApplyImmediately: true,
    }),
  );
}

async function untilInForce(aws: Aws, instance: string, groups: readonly string[], mayGoOn: () => void): Promise<void> {
  for (;;) {
    const found = await requireInstance(aws, instance);
    if (isSame(groupsOf(found), groups) && areInForce(found)) return;
    mayGoOn();
    await sleep(LOOK_EVERY_MS);
  }
}

async function findGroup(aws: Aws, id: string): Promise<SecurityGroup | undefined> {
  try {
    const { SecurityGroups } = await aws.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [id] }));
    return SecurityGroups?.[0];
  } catch (error) {
    if (isAwsError(error, 'InvalidGroup.NotFound', 'InvalidGroupId.Malformed')) return undefined;
    throw error;
  }
}

/** Whom the rules of a group let in on a port. */
const admitted = ({ IpPermissions = [] }: SecurityGroup, port: number): string[] =>
  IpPermissions.filter(
    ({ IpProtocol, FromPort, ToPort }) =>
      IpProtocol === '-1' || (IpProtocol === 'tcp' && (FromPort ?? 0) <= port && (ToPort ?? 65_535) >= port),
  ).flatMap(({ IpRanges = [], Ipv6Ranges = [], UserIdGroupPairs = [], PrefixListIds = [] }) => [
    ...IpRanges.flatMap(({ CidrIp }) => CidrIp ?? []),
    ...Ipv6Ranges.flatMap(({ CidrIpv6 }) => CidrIpv6 ?? []),
    ...UserIdGroupPairs.flatMap(({ GroupId }) => GroupId ?? []),
    ...PrefixListIds.flatMap(({ PrefixListId }) => PrefixListId ?? []),
  ]);

function judgeGroup(group: SecurityGroup, source: DBInstance): string[] {
  const { GroupId = '', VpcId } = group;
  const vpc = source.DBSubnetGroup?.VpcId;
  const who = admitted(group, endpointOf(source).port);
  return [
    ...(vpc && VpcId !== vpc ? [`security group ${GroupId} is in VPC ${VpcId}, the source in ${vpc}`] : []),
    ...(who.length === 0 ? [`security group ${GroupId} lets nobody in, not even the worker and the target`] : []),
    ...(who.some((one) => one === '0.0.0.0/0' || one === '::/0')
      ? [`security group ${GroupId} lets everybody in: it stops nobody`]
      : []),
  ];
}

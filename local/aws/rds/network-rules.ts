import type { RuleRecord } from '../ec2/model';
import { allGroups } from '../ec2/network';
import type { Context } from '../context';
import type { RegionState } from '../state';
import type { InstanceRecord } from './model';

/** The port of PostgreSQL on RDS. */
export const USUAL_PORT = 5432;

/** IPv4 ranges from which somebody may connect, in CIDR notation, or everybody. */
export type Admitted = 'everybody' | readonly string[];

/**
 * Who may open connections to a port, by the union of all ingress rules of some security groups. Members of a group can't be told from others by
 * their loopback address, nor what a prefix list holds, so rules that name one of these let everybody in; so does a group that isn't known here.
 * @param ports the port, and ports that are meant by the same
 */
export function admittedBy(state: RegionState, groupIds: readonly string[], ports: readonly number[]): Admitted {
  const groups = allGroups(state);
  const members = groupIds.map((id) => groups.find((group) => group.id === id));
  const rules = members.flatMap((group) => group?.rules ?? []).filter((rule) => !rule.egress && covers(rule, ports));
  const everybody =
    groupIds.length === 0 ||
    members.includes(undefined) ||
    rules.some(({ cidr, group, prefixList }) => group !== undefined || prefixList !== undefined || isEverything(cidr));
  return everybody ? 'everybody' : [...new Set(rules.flatMap(({ cidr }) => cidr ?? []))];
}

/** Who may connect to an instance. One that was given no port has any here, and rules for the usual one are meant for it. */
export function admittedTo(state: RegionState, { settings, port, requestedPort }: InstanceRecord): Admitted {
  const ports = requestedPort === undefined ? [port, USUAL_PORT] : [port];
  return admittedBy(state, settings.VpcSecurityGroupIds, ports);
}

/** Lets the rules of the moment hold for new connections to an instance that runs. Sessions stay, as AWS tracks connections. */
export function enforceRules({ servers }: Pick<Context, 'servers'>, instance: InstanceRecord): void {
  const server = servers.of(instance);
  if (server.server.pid !== undefined) server.reload();
}

/** Lets the rules of a group that changed hold for all of its members. */
export function enforceGroup(context: Pick<Context, 'servers'>, { rds }: RegionState, groupId: string): void {
  for (const instance of Object.values(rds.instances)) {
    if (instance.settings.VpcSecurityGroupIds.includes(groupId)) enforceRules(context, instance);
  }
}

const isEverything = (cidr: string | undefined): boolean => cidr?.endsWith('/0') ?? false;

function covers({ protocol, fromPort, toPort }: RuleRecord, ports: readonly number[]): boolean {
  if (protocol === '-1') return true;
  if (protocol !== 'tcp' && protocol !== '6') return false;
  return ports.some((port) => (fromPort < 0 || fromPort <= port) && (toPort < 0 || toPort >= port));
}

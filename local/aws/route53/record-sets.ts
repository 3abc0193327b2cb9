import { isIPv4, isIPv6 } from 'node:net';
import { AwsError } from '../errors';
import type { XmlNode, XmlTree } from '../rest-protocol';
import type { RecordSet } from './model';
import { canonicalName } from './names';

const TYPES = 'SOA A TXT NS CNAME MX NAPTR PTR SRV SPF AAAA CAA DS TLSA SSHFP SVCB HTTPS'.split(' ');
const ACTIONS = ['CREATE', 'DELETE', 'UPSERT'] as const;
const POLICIES = ['Region', 'Failover', 'MultiValueAnswer'] as const;
const LARGEST_WEIGHT = 255;
const LARGEST_TTL = 2_147_483_647;

/** One change of a batch. */
export interface Change {
  readonly action: (typeof ACTIONS)[number];
  readonly set: RecordSet;
}

/** Reads a change as the request has it, and refuses what Route 53 refuses before it looks into the zone (`InvalidInput`). */
export function readChange(change: XmlTree): Change {
  const action = ACTIONS.find((one) => one === change.text('Action'));
  if (!action)
    throw invalid(`Invalid XML ; cvc-enumeration-valid: Value '${change.text('Action') ?? ''}' is no action`);
  const set = change.tree('ResourceRecordSet');
  const name = set.text('Name') ?? '';
  const type = set.text('Type') ?? '';
  if (!TYPES.includes(type)) throw invalid(`Invalid XML ; cvc-enumeration-valid: Value '${type}' is no record type`);
  const setIdentifier = set.text('SetIdentifier');
  const where = `in Change with [Action=${action}, Name=${name}, Type=${type}, SetIdentifier=${setIdentifier ?? 'null'}]`;

  const values = set
    .tree('ResourceRecords')
    .list('ResourceRecord')
    .map((record) => record.text('Value') ?? '');
  const isAlias = set.has('AliasTarget');
  const plain = Number(set.has('TTL')) + Number(values.length > 0);
  if (isAlias ? plain > 0 : plain < 2) {
    const found = isAlias ? 'more than one' : 'none';
    throw invalid(
      `Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found ${found} ${where}`,
    );
  }
  const policies = ['Weight', ...POLICIES].filter((policy) => set.has(policy));
  if (set.has('GeoLocation') || set.has('CidrRoutingConfig') || set.has('GeoProximityLocation')) {
    throw invalid(`Invalid request: the stand-in has no geographic routing ${where}`);
  }
  if (policies.length > 0 && setIdentifier === undefined) {
    throw invalid(`Invalid request: Missing field 'SetIdentifier' ${where}`);
  }
  if (policies.length > 1 || (policies.length === 0 && setIdentifier !== undefined)) {
    const found = policies.length > 1 ? 'more than one' : 'none';
    throw invalid(
      `Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found ${found} ${where}`,
    );
  }
  const policy = POLICIES.find((one) => set.has(one));
  const ttl = number(set.text('TTL'), 'TTL', LARGEST_TTL);
  const weight = number(set.text('Weight'), 'Weight', LARGEST_WEIGHT);
  const healthCheckId = set.text('HealthCheckId');
  const target = set.tree('AliasTarget');
  return {
    action,
    set: {
      name: canonicalName(name),
      type,
      ...(isAlias
        ? {
            alias: {
              zoneId: target.text('HostedZoneId') ?? '',
              name: canonicalName(target.text('DNSName') ?? ''),
              evaluateTargetHealth: target.text('EvaluateTargetHealth') === 'true',
            },
          }
        : { values }),
      ...(ttl === undefined ? {} : { ttl }),
      ...(setIdentifier === undefined ? {} : { setIdentifier }),
      ...(weight === undefined ? {} : { weight }),
      ...(policy === undefined ? {} : { policy: { name: policy, value: set.text(policy) ?? '' } }),
      ...(healthCheckId === undefined ? {} : { healthCheckId }),
    },
  };
}

/** What is wrong with the values of a record set, as Route 53 says it; undefined if nothing is. */
export function faultOfValues({ name, type, values = [] }: RecordSet): string | undefined {
  const wrong = (code: string, text: string, value: string) =>
    `Invalid Resource Record: 'FATAL problem: ${code} (${text}) encountered with '${value}''`;
  const bad4 = type === 'A' && values.find((value) => !isIPv4(value));
  if (bad4 !== false && bad4 !== undefined) {
    return wrong('ARRDATAIllegalIPv4Address', 'Value is not a valid IPv4 address', bad4);
  }
  const bad6 = type === 'AAAA' && values.find((value) => !isIPv6(value));
  if (bad6 !== false && bad6 !== undefined) {
    return wrong('AAAARRDATAIllegalIPv6Address', 'Value is not a valid IPv6 address', bad6);
  }
  if (type === 'CNAME' && values.length > 1) {
    return `RRSet of type CNAME with DNS name ${name} has more than one value`;
  }
  const empty = type === 'CNAME' && values.find((value) => value === '' || /\.\./.test(value) || value.startsWith('.'));
  if (empty !== false && empty !== undefined) return wrong('DomainLabelEmpty', 'Domain label is empty', empty);
  return undefined;
}

/** A record set as `ListResourceRecordSets` shows it. */
export function recordSetShape(set: RecordSet): XmlNode {
  return {
    Name: set.name,
    Type: set.type,
    SetIdentifier: set.setIdentifier,
    Weight: set.weight?.toString(),
    ...(set.policy ? { [set.policy.name]: set.policy.value } : {}),
    TTL: set.ttl?.toString(),
    ResourceRecords: set.values && { ResourceRecord: set.values.map((Value) => ({ Value })) },
    AliasTarget: set.alias && {
      HostedZoneId: set.alias.zoneId,
      DNSName: set.alias.name,
      EvaluateTargetHealth: String(set.alias.evaluateTargetHealth),
    },
    HealthCheckId: set.healthCheckId,
  };
}

export const invalid = (message: string): AwsError => new AwsError('InvalidInput', message);

function number(text: string | undefined, name: string, largest: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) > largest) {
    throw invalid(`Invalid request: ${name} must be a number from 0 to ${largest}, not '${text}'`);
  }
  return Number(text);
}

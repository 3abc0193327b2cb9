import { randomBytes } from 'node:crypto';
import { AWS_SECONDS } from '../clock';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { Fault } from '../faults';
import { runInBackground } from '../rds/background';
import {
  readXml,
  renderXml,
  type RestCall,
  type RestOperation,
  type RestReply,
  type RestService,
} from '../rest-protocol';
import type { XmlNode } from '../rest-protocol';
import { applyBatch } from './change-batch';
import type { ChangeRecord, HostedZoneRecord } from './model';
import { canonicalName, compareSets, compareText, sortKey } from './names';
import { invalid, readChange, recordSetShape } from './record-sets';

const NAMESPACE = 'https://route53.amazonaws.com/doc/2013-04-01/';
const VERSION = '2013-04-01';
/** What a page holds if the request doesn't say less. */
const ZONES_OF_PAGE = 100;
const SETS_OF_PAGE = 300;
/** Route 53's own records of a zone. */
const NS_TTL = 172_800;
const SOA_TTL = 900;
/** Changes that are kept to be asked for; this bounds the state. */
const KEPT_CHANGES = 1000;

/** https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53.html */
export const ROUTE53: RestService = {
  throttlingCode: 'Throttling',
  get operations() {
    return Object.values(OPERATIONS).map(({ operation }) => operation);
  },
  find: ({ method, path }) => {
    // The path of `ChangeResourceRecordSets` ends with a slash.
    const [version, ...rest] = path.filter((segment) => segment !== '');
    if (version !== VERSION) return undefined;
    const shape = rest.map((segment, index) => (index === 1 ? '*' : segment)).join('/');
    const run = OPERATIONS[`${method} ${shape}`];
    return run && { name: run.operation, run: run.run };
  },
  renderError: ({ type, code, message }, requestId) =>
    renderXml({
      ErrorResponse: {
        '@_xmlns': NAMESPACE,
        Error: { Type: type, Code: code, Message: message },
        RequestId: requestId,
      },
    }),
};

const OPERATIONS: Readonly<Record<string, { readonly operation: string; readonly run: RestOperation }>> = {
  'POST hostedzone': { operation: 'CreateHostedZone', run: createHostedZone },
  'GET hostedzone': { operation: 'ListHostedZones', run: listHostedZones },
  'GET hostedzonesbyname': { operation: 'ListHostedZonesByName', run: listHostedZonesByName },
  'GET hostedzone/*': { operation: 'GetHostedZone', run: getHostedZone },
  'DELETE hostedzone/*': { operation: 'DeleteHostedZone', run: deleteHostedZone },
  'POST hostedzone/*/rrset': { operation: 'ChangeResourceRecordSets', run: changeResourceRecordSets },
  'GET hostedzone/*/rrset': { operation: 'ListResourceRecordSets', run: listResourceRecordSets },
  'GET change/*': { operation: 'GetChange', run: getChange },
};

/** Takes up the changes that were on their way when the stand-in ended. */
export function resumeChanges(context: Context): void {
  for (const change of Object.values(context.store.route53.changes)) {
    if (change.status === 'PENDING') propagate(context, change, undefined);
  }
}

function createHostedZone({ body, context, stall }: RestCall): RestReply {
  const request = readXml(body, []).tree('CreateHostedZoneRequest');
  const given = request.text('Name') ?? '';
  const name = canonicalName(given);
  if (!/^(?:[^.]{1,63}\.)+$/.test(name))
    throw new AwsError('InvalidDomainName', `${given} is not a valid domain name.`);
  const callerReference = request.text('CallerReference') ?? '';
  const { zones } = context.store.route53;
  if (Object.values(zones).some((zone) => zone.callerReference === callerReference)) {
    throw new AwsError(
      'HostedZoneAlreadyExists',
      `A hosted zone has already been created with the specified caller reference: ${callerReference}`,
      409,
    );
  }
  const comment = request.tree('HostedZoneConfig').text('Comment');
  const nameServers = ['com', 'net', 'org', 'co.uk'].map(
    (top, index) => `ns-${index * 512 + 1}.awsdns-0${index}.${top}`,
  );
  const zone: HostedZoneRecord = {
    id: newId('Z'),
    name,
    callerReference,
    ...(comment === undefined ? {} : { comment }),
    privateZone: request.tree('HostedZoneConfig').text('PrivateZone') === 'true',
    nameServers,
    records: [
      { name, type: 'NS', ttl: NS_TTL, values: nameServers.map((server) => `${server}.`) },
      {
        name,
        type: 'SOA',
        ttl: SOA_TTL,
        values: [`${nameServers[0]}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400`],
      },
    ],
  };
  zones[zone.id] = zone;
  const change = accept(context, stall);
  return {
    status: 201,
    headers: { location: `https://route53.amazonaws.com/${VERSION}/hostedzone/${zone.id}` },
    body: answer('CreateHostedZoneResponse', {
      HostedZone: zoneShape(zone),
      ChangeInfo: changeShape(change),
      DelegationSet: { NameServers: { NameServer: [...zone.nameServers] } },
    }),
  };
}

function getHostedZone(call: RestCall): RestReply {
  const zone = requireZone(call);
  return {
    body: answer('GetHostedZoneResponse', {
      HostedZone: zoneShape(zone),
      DelegationSet: zone.privateZone ? undefined : { NameServers: { NameServer: [...zone.nameServers] } },
    }),
  };
}

function listHostedZones({ context, query }: RestCall): RestReply {
  const all = Object.values(context.store.route53.zones).sort((left, right) => compareText(left.id, right.id));
  const marker = query.get('marker') ?? '';
  const { items, next } = pageOf(
    all.filter(({ id }) => id >= marker),
    limitOf(query, ZONES_OF_PAGE),
  );
  return {
    body: answer('ListHostedZonesResponse', {
      HostedZones: { HostedZone: items.map(zoneShape) },
      Marker: marker,
      IsTruncated: String(next !== undefined),
      NextMarker: next?.id,
      MaxItems: String(limitOf(query, ZONES_OF_PAGE)),
    }),
  };
}

function listHostedZonesByName({ context, query }: RestCall): RestReply {
  const from = query.get('dnsname');
  const fromId = query.get('hostedzoneid') ?? '';
  if (fromId !== '' && from === null) throw invalid('The request must contain dnsname if it contains hostedzoneid.');
  const key = from === null ? '' : sortKey(canonicalName(from));
  const all = Object.values(context.store.route53.zones)
    .map((zone) => ({ zone, key: sortKey(zone.name) }))
    .filter((one) => one.key > key || (one.key === key && one.zone.id >= fromId))
    .sort((left, right) => compareText(left.key, right.key) || compareText(left.zone.id, right.zone.id))
    .map(({ zone }) => zone);
  const { items, next } = pageOf(all, limitOf(query, ZONES_OF_PAGE));
  return {
    body: answer('ListHostedZonesByNameResponse', {
      HostedZones: { HostedZone: items.map(zoneShape) },
      DNSName: from ?? undefined,
      HostedZoneId: query.get('hostedzoneid') ?? undefined,
      IsTruncated: String(next !== undefined),
      NextDNSName: next?.name,
      NextHostedZoneId: next?.id,
      MaxItems: String(limitOf(query, ZONES_OF_PAGE)),
    }),
  };
}

function deleteHostedZone(call: RestCall): RestReply {
  const { context, stall } = call;
  const zone = requireZone(call);
  if (zone.records.some(({ name, type }) => name !== zone.name || !['NS', 'SOA'].includes(type))) {
    throw new AwsError(
      'HostedZoneNotEmpty',
      'The specified hosted zone contains non-required resource record sets and so cannot be deleted.',
    );
  }
  delete context.store.route53.zones[zone.id];
  return { body: answer('DeleteHostedZoneResponse', { ChangeInfo: changeShape(accept(context, stall)) }) };
}

function changeResourceRecordSets(call: RestCall): RestReply {
  const { body, context, stall } = call;
  const zone = requireZone(call);
  const batch = readXml(body, ['Change', 'ResourceRecord']).tree('ChangeResourceRecordSetsRequest').tree('ChangeBatch');
  const changes = batch.tree('Changes').list('Change').map(readChange);
  if (changes.length === 0) throw invalid('Invalid request: the change batch holds no changes');
  zone.records = applyBatch(zone, changes);
  const change = accept(context, stall, batch.text('Comment'));
  return { body: answer('ChangeResourceRecordSetsResponse', { ChangeInfo: changeShape(change) }) };
}

function listResourceRecordSets(call: RestCall): RestReply {
  const { query } = call;
  const zone = requireZone(call);
  const [name, type, setIdentifier] = [query.get('name'), query.get('type'), query.get('identifier')];
  if (type !== null && name === null) {
    throw invalid('The input is not valid: StartRecordType needs StartRecordName.');
  }
  if (setIdentifier !== null && type === null) {
    throw invalid('The input is not valid: StartRecordIdentifier needs StartRecordName and StartRecordType.');
  }
  const start = { name: canonicalName(name ?? ''), type: type ?? '', setIdentifier: setIdentifier ?? '' };
  const from = name === null ? zone.records : zone.records.filter((set) => compareSets(set, start) >= 0);
  const limit = limitOf(query, SETS_OF_PAGE);
  const { items, next } = pageOf(from, limit);
  return {
    body: answer('ListResourceRecordSetsResponse', {
      ResourceRecordSets: { ResourceRecordSet: items.map(recordSetShape) },
      IsTruncated: String(next !== undefined),
      NextRecordName: next?.name,
      NextRecordType: next?.type,
      NextRecordIdentifier: next?.setIdentifier,
      MaxItems: String(limit),
    }),
  };
}

function getChange({ context, path }: RestCall): RestReply {
  const id = path[2] ?? '';
  const change = context.store.route53.changes[id];
  if (!change) throw new AwsError('NoSuchChange', `Could not find resource with ID: ${id}`, 404);
  return { body: answer('GetChangeResponse', { ChangeInfo: changeShape(change) }) };
}

/** Notes a change, which reaches the name servers a while later. A `stall` of the operation keeps it on its way. */
function accept(context: Context, stall: Fault | undefined, comment?: string): ChangeRecord {
  const { route53 } = context.store;
  const change: ChangeRecord = {
    id: newId('C'),
    status: 'PENDING',
    submittedAt: new Date().toISOString(),
    ...(comment === undefined ? {} : { comment }),
  };
  route53.changes = Object.fromEntries([
    ...Object.entries(route53.changes).slice(1 - KEPT_CHANGES),
    [change.id, change],
  ]);
  context.store.changed();
  propagate(context, change, stall);
  return change;
}

function propagate(context: Context, change: ChangeRecord, stall: Fault | undefined): void {
  runInBackground(
    context,
    { change: change.id },
    async () => {
      await context.clock.pass(AWS_SECONDS.propagateRecords);
      await context.faults.whileStalled(stall, 'PENDING', context.shutdown);
      change.status = 'INSYNC';
      context.store.changed();
    },
    () => undefined,
  );
}

function requireZone({ context, path }: RestCall): HostedZoneRecord {
  const id = path[2] ?? '';
  const zone = context.store.route53.zones[id];
  if (!zone) throw new AwsError('NoSuchHostedZone', `No hosted zone found with ID: ${id}`, 404);
  return zone;
}

function pageOf<Item>(
  items: readonly Item[],
  limit: number,
): { readonly items: readonly Item[]; readonly next?: Item } {
  const next = items[limit];
  return { items: items.slice(0, limit), ...(next === undefined ? {} : { next }) };
}

function limitOf(query: URLSearchParams, most: number): number {
  const text = query.get('maxitems');
  if (text === null) return most;
  if (!/^[1-9]\d*$/.test(text)) throw invalid(`Invalid request: maxitems is '${text}'`);
  return Math.min(Number(text), most);
}

function zoneShape(zone: HostedZoneRecord): XmlNode {
  return {
    Id: `/hostedzone/${zone.id}`,
    Name: zone.name,
    CallerReference: zone.callerReference,
    Config: { Comment: zone.comment, PrivateZone: String(zone.privateZone) },
    ResourceRecordSetCount: String(zone.records.length),
  };
}

const changeShape = (change: ChangeRecord): XmlNode => ({
  Id: `/change/${change.id}`,
  Status: change.status,
  SubmittedAt: change.submittedAt,
  Comment: change.comment,
});

const answer = (name: string, members: { readonly [member: string]: XmlNode }): string =>
  renderXml({ [name]: { '@_xmlns': NAMESPACE, ...members } });

/** With the path that answers put before it (`/hostedzone/`), an id has 32 characters at most. */
const newId = (kind: 'Z' | 'C'): string => `${kind}0${randomBytes(9).toString('hex').toUpperCase()}`;

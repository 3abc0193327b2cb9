import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ChangeInfo,
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
} from '@aws-sdk/client-route-53';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import type { TrafficSwitch } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf } from '../dependencies';
import { decide } from './decide';
import { answerInTime, fateOf, once, SIGNED_REQUEST_LIVES_MS } from '../one-request';
import {
  type Deciding,
  endpointText,
  type PointsAt,
  type ReadySwitchPlace,
  SWITCH_UNCONFIRMED,
  type SwitchKind,
  type SwitchLook,
  type SwitchPlace,
} from './traffic-switch';

type Entry = Extract<TrafficSwitch, { type: 'route53' }>;

/** Route 53 says that a change is on all its servers within a minute as a rule. */
const IN_SYNC_MS = 300_000;
/**
 * A list of records shows a change from the moment that Route 53 has taken it, before its servers have it; this much is for what AWS does
 * not say.
 * @see https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
 */
const SHOWS_WITHIN_MS = 15_000;
/** Route 53 takes five calls a second from a whole account. */
const LOOK_AGAIN_MS = 1_000;

/**
 * A CNAME record that applications connect to. The change is made when Route 53 has taken it; then its servers get it, and then the
 * resolvers of the applications believe the old answer for as long as its TTL says.
 * @see https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
 */
export const route53: SwitchKind<Entry> = {
  opaque: false,
  decidedWithinMs: SIGNED_REQUEST_LIVES_MS + SHOWS_WITHIN_MS,
  look,
  async prepare(place, entry) {
    const aws = awsOf(place.deps, place.ref);
    let record = await requireRecord(aws, place, entry);
    const isDone = () => cnameOf(record) === canonical(place.to.address);
    return {
      what: whatIs(entry),
      from: place.from.address,
      to: place.to.address,
      done: isDone(),
      async lookAgain(inTime) {
        record = await requireRecord(aws, place, entry, inTime);
      },
      async apply(deciding) {
        if (!isDone()) await change(aws, place, entry, record, deciding);
        if ((await pointsAtNow(aws, place, entry)) === 'to') return;
        throw ApplicationFailure.retryable(`${whatIs(entry)} does not read back as written`, SWITCH_UNCONFIRMED);
      },
    };
  },
};

/** @throws ApplicationFailure TrafficRefused when the record names neither side */
async function requireRecord(
  aws: Aws,
  { from, to }: ReadySwitchPlace,
  entry: Entry,
  options: object = {},
): Promise<ResourceRecordSet> {
  const { record } = await readRecord(aws, entry, options);
  const named = record && cnameOf(record);
  if (record && (named === canonical(from.address) || named === canonical(to.address))) return record;
  throw finalFailure(
    'TrafficRefused',
    `${whatIs(entry)} names neither ${from.address} nor ${to.address}: somebody changed it. Let it name ${from.address} again, then send retry.`,
  );
}

async function pointsAtNow(aws: Aws, { from, to }: ReadySwitchPlace, entry: Entry): Promise<PointsAt> {
  const { record } = await readRecord(aws, entry);
  const named = record && cnameOf(record);
  if (named === canonical(to.address)) return 'to';
  return named === canonical(from.address) ? 'from' : 'neither';
}

const whatIs = ({ name, setIdentifier }: Entry): string =>
  `CNAME record ${name}${setIdentifier === undefined ? '' : ` (${setIdentifier})`}`;

/** One spelling of a name: small letters, no dot at its end, `*` as Route 53 gives it back. */
const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, '').replaceAll('*', '\\052');

const cnameOf = ({ Type, ResourceRecords }: ResourceRecordSet): string | undefined =>
  Type === 'CNAME' && ResourceRecords?.length === 1 ? canonical(ResourceRecords[0]?.Value ?? '') : undefined;

interface Records {
  /** The record of the plan. */
  readonly record?: ResourceRecordSet;
  /** All records of its name, of whatever type. */
  readonly all: readonly ResourceRecordSet[];
}

async function readRecord(
  { route53: dns }: Aws,
  { hostedZoneId, name, setIdentifier }: Entry,
  options: object = {},
): Promise<Records> {
  const all: ResourceRecordSet[] = [];
  const command = { HostedZoneId: hostedZoneId, StartRecordName: name };
  for (let from = {}; ;) {
    const page = await dns.send(new ListResourceRecordSetsCommand({ ...command, ...from }), options);
    const sets = page.ResourceRecordSets ?? [];
    all.push(...sets.filter((set) => canonical(set.Name ?? '') === canonical(name)));
    const isLast = !page.IsTruncated || canonical(page.NextRecordName ?? '') !== canonical(name);
    if (isLast) break;
    from = { StartRecordType: page.NextRecordType, StartRecordIdentifier: page.NextRecordIdentifier };
  }
  const record = all.find((set) => set.Type === 'CNAME' && set.SetIdentifier === setIdentifier);
  return { all, ...(record ? { record } : {}) };
}

async function look({ deps, ref, from, to }: SwitchPlace, entry: Entry): Promise<SwitchLook> {
  const what = whatIs(entry);
  const nothing = (message: string): SwitchLook => ({ what, pointsAt: 'neither', findings: [], red: [message] });
  let records: Records;
  try {
    records = await readRecord(awsOf(deps, ref), entry);
  } catch (error) {
    if (!isAwsError(error, 'NoSuchHostedZone')) throw error;
    return nothing(`There is no hosted zone ${entry.hostedZoneId}: correct hostedZoneId of the switch.`);
  }
  const { record, all } = records;
  if (!record) return nothing(whyNoRecord(entry, all));
  const named = cnameOf(record);
  const pointsAt =
    named === canonical(from.address) ? 'from' : to && named === canonical(to.address) ? 'to' : 'neither';
  const red: string[] = [];
  if (pointsAt !== 'from') {
    red.push(`${what} does not name ${from.address}, but ${named ?? 'something else'}: let it name that endpoint.`);
  }
  if (to && to.port !== from.port) {
    red.push(`${what}: DNS has no ports, but ${endpointText(to)} listens on another port than ${endpointText(from)}.`);
  }
  const ttl = record.TTL ?? 0;
  if (ttl > entry.maxTtlSeconds) red.push(tooLong(entry, all, ttl));
  const others = all.filter((one) => one !== record && cnameOf(one) === canonical(from.address) && one.Weight !== 0);
  const left = others.filter((one) => !isPlanned(entry, ref.plan.cutover.traffic, one));
  if (left.length > 0) {
    const names = left.map(({ SetIdentifier }) => SetIdentifier ?? '').join(', ');
    red.push(`${what}: ${names} of the same name would still name ${from.address}: make each a switch of its own.`);
  }
  const becomes = to ? `${from.address} becomes ${to.address}` : `names ${from.address}`;
  const weight = record.Weight === undefined ? '' : `, weight ${record.Weight}`;
  return { what, pointsAt, findings: [`${what}: ${becomes}, TTL ${ttl} s${weight}`], red };
}

const isPlanned = (entry: Entry, switches: readonly TrafficSwitch[], { SetIdentifier }: ResourceRecordSet): boolean =>
  switches.some(
    (one) =>
      one.type === 'route53' &&
      one.hostedZoneId === entry.hostedZoneId &&
      canonical(one.name) === canonical(entry.name) &&
      one.setIdentifier === SetIdentifier,
  );

function whyNoRecord(entry: Entry, all: readonly ResourceRecordSet[]): string {
  const cnames = all.filter(({ Type }) => Type === 'CNAME');
  const where = `in hosted zone ${entry.hostedZoneId}`;
  if (cnames.length > 0) {
    const known = cnames.map(({ SetIdentifier }) => SetIdentifier ?? '(none)').join(', ');
    return `${entry.name} ${where} has records with these set identifiers: ${known}. Name one as setIdentifier of the switch.`;
  }
  if (all.length > 0) {
    return `${entry.name} ${where} is no CNAME but ${all.map(({ Type }) => Type).join(', ')}: an instance has a name, no fixed address.`;
  }
  return `There is no record ${entry.name} ${where}: correct name of the switch, or create the CNAME.`;
}

/** Weighted records of one name have one TTL, so all of them are changed together. */
function tooLong(entry: Entry, all: readonly ResourceRecordSet[], ttl: number): string {
  const batch = JSON.stringify({
    Changes: all
      .filter(({ Type }) => Type === 'CNAME')
      .map((set) => ({ Action: 'UPSERT', ResourceRecordSet: { ...set, TTL: entry.maxTtlSeconds } })),
  });
  return `${whatIs(entry)} has a TTL of ${ttl} s, the plan allows ${entry.maxTtlSeconds} s: applications would go to the old address for so long. Lower it, and wait ${ttl} s: aws route53 change-resource-record-sets --hosted-zone-id ${entry.hostedZoneId} --change-batch '${batch}'`;
}

/** Everything of the record but its value stays: TTL, weight, set identifier, health check. */
async function change(
  aws: Aws,
  place: ReadySwitchPlace,
  entry: Entry,
  record: ResourceRecordSet,
  deciding: Deciding | undefined,
): Promise<void> {
  const input = {
    HostedZoneId: entry.hostedZoneId,
    ChangeBatch: {
      Comment: 'Keyshift moves the database',
      Changes: [
        {
          Action: 'UPSERT' as const,
          ResourceRecordSet: { ...record, ResourceRecords: [{ Value: place.to.address }] },
        },
      ],
    },
  };
  let taken: ChangeInfo | undefined;
  const write = async () => {
    const answer = await aws.route53.send(once(new ChangeResourceRecordSetsCommand(input)), answerInTime());
    taken = answer.ChangeInfo;
  };
  const { decidedWithinMs } = route53;
  await decide(
    { what: whatIs(entry), decidedWithinMs, write, fateOf, look: () => pointsAtNow(aws, place, entry) },
    deciding,
  );
  // Where the answer got lost the change has no name that could be asked for.
  if (taken) await untilInSync(aws, entry, taken);
}

async function untilInSync({ route53: dns }: Aws, entry: Entry, { Id, Status }: ChangeInfo): Promise<void> {
  const giveUpAt = Date.now() + IN_SYNC_MS;
  for (let status: string | undefined = Status; status !== 'INSYNC';) {
    if (Date.now() > giveUpAt) {
      const message = `${whatIs(entry)} is changed, but not on all servers of Route 53 after ${IN_SYNC_MS / 1_000} s`;
      throw ApplicationFailure.retryable(message, SWITCH_UNCONFIRMED);
    }
    await sleep(LOOK_AGAIN_MS);
    // It is on its way whatever this says; a throttled look is looked again.
    const now = await dns.send(new GetChangeCommand({ Id })).catch(() => undefined);
    status = now?.ChangeInfo?.Status;
  }
}

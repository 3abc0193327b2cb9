import { AwsError } from '../errors';
import type { HostedZoneRecord, RecordSet } from './model';
import { compareSets } from './names';
import { faultOfValues, type Change } from './record-sets';

/**
 * The record sets of a zone after a batch: all of its changes, or none and `InvalidChangeBatch` with everything that is wrong. Whether sets
 * go together is asked of the result, so that a batch may take away what stands in the way of what it makes.
 * @see https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
 */
export function applyBatch(zone: HostedZoneRecord, changes: readonly Change[]): RecordSet[] {
  const faults = doubled(changes);
  let records = zone.records;
  for (const change of changes) {
    const fault = faultOfChange(zone, records, change);
    if (fault !== undefined) {
      faults.push(fault);
      continue;
    }
    const others = records.filter((one) => compareSets(one, change.set) !== 0);
    records = change.action === 'DELETE' ? others : [...others, change.set];
  }
  if (faults.length === 0) faults.push(...faultsOfZone(zone, records, changes));
  if (faults.length > 0) throw new AwsError('InvalidChangeBatch', `[${[...new Set(faults)].join(', ')}]`);
  return [...records].sort(compareSets);
}

/** A set may be made or replaced once in a batch. */
function doubled(changes: readonly Change[]): string[] {
  const made = changes.filter(({ action }) => action !== 'DELETE').map(({ set }) => set);
  return made
    .filter((set, index) => made.findIndex((one) => compareSets(one, set) === 0) !== index)
    .map(
      ({ name, type }) => `The request contains an invalid set of changes for a resource record set '${type} ${name}'`,
    );
}

function faultOfChange(
  zone: HostedZoneRecord,
  records: readonly RecordSet[],
  { action, set }: Change,
): string | undefined {
  const { name, type } = set;
  if (name !== zone.name && !name.endsWith(`.${zone.name}`)) {
    return `RRSet with DNS name ${name} is not permitted in zone ${zone.name}`;
  }
  if (type === 'CNAME' && name === zone.name && action !== 'DELETE') {
    return `RRSet of type CNAME with DNS name ${name} is not permitted at apex in zone ${zone.name}`;
  }
  const current = records.find((one) => compareSets(one, set) === 0);
  const identifier = set.setIdentifier === undefined ? '' : `, set-identifier='${set.setIdentifier}'`;
  const named = `resource record set [name='${name}', type='${type}'${identifier}]`;
  if (action === 'CREATE' && current) return `Tried to create ${named} but it already exists`;
  if (action === 'DELETE') {
    if (!current) return `Tried to delete ${named} but it was not found`;
    return same(current, set)
      ? undefined
      : `Tried to delete ${named} but the values provided do not match the current values`;
  }
  return faultOfValues(set);
}

/** Whether two sets say the same; the order of values means nothing. */
function same(left: RecordSet, right: RecordSet): boolean {
  const text = ({ values, ...rest }: RecordSet) =>
    JSON.stringify(
      [...Object.entries(rest), ['values', values && [...values].sort()]].sort(([a], [b]) =>
        String(a) < String(b) ? -1 : 1,
      ),
    );
  return text(left) === text(right);
}

/** What doesn't go together at the names that a batch touches. */
function faultsOfZone(zone: HostedZoneRecord, records: readonly RecordSet[], changes: readonly Change[]): string[] {
  const faults: string[] = [];
  for (const { action, set } of changes) {
    if (action === 'DELETE') continue;
    const { name, type } = set;
    const others = records.filter((one) => one.name === name && compareSets(one, set) !== 0);
    if (type === 'CNAME' && others.some((one) => one.type !== 'CNAME')) {
      faults.push(
        `RRSet of type CNAME with DNS name ${name} is not permitted as it conflicts with other records with the same DNS name in zone ${zone.name}`,
      );
    } else if (type !== 'CNAME' && others.some((one) => one.type === 'CNAME')) {
      faults.push(
        `RRSet of type ${type} with DNS name ${name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone ${zone.name}`,
      );
    }
    faults.push(
      ...faultOfRouting(
        set,
        others.filter((one) => one.type === type),
      ),
    );
  }
  if (!records.some(({ name, type }) => type === 'SOA' && name === zone.name)) {
    faults.push('A HostedZone must contain exactly one SOA record.');
  }
  if (!records.some(({ name, type }) => type === 'NS' && name === zone.name)) {
    faults.push('A HostedZone must contain at least one NS record for the zone itself.');
  }
  return faults;
}

/** Sets of one name and type have the same routing policy, and weighted ones the same TTL. */
function faultOfRouting(set: RecordSet, others: readonly RecordSet[]): string[] {
  const { name, type, setIdentifier, weight } = set;
  if (others.length === 0) return [];
  if (setIdentifier === undefined) {
    return [
      `RRSet with DNS name ${name}, type ${type} cannot be created as other RRSets exist with the same name and type.`,
    ];
  }
  const subject = `RRSet with DNS name ${name}, type ${type}, SetIdentifier ${setIdentifier} cannot be created as`;
  const kind = weight === undefined ? set.policy?.name.toLowerCase() : 'weighted';
  if (
    others.some((one) => (one.weight === undefined) !== (weight === undefined) || one.policy?.name !== set.policy?.name)
  ) {
    return [`${subject} a non-${kind} set exists with the same name and type.`];
  }
  return weight !== undefined && others.some(({ ttl }) => ttl !== set.ttl)
    ? [`${subject} weighted sets must contain the same TTL.`]
    : [];
}

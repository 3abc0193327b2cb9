import { AwsError } from './errors';
import type { QueryParameters } from './query-protocol';

/** A page of a `Describe*` answer of RDS. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly marker: string | undefined;
}

/**
 * Cuts the page that the request asks for by `Marker` and `MaxRecords` (20 to 100, 100 if not given). The marker holds the key of the last
 * item of the page before, so that what comes and goes between two calls moves no page.
 */
export function paginate<Item>(
  parameters: QueryParameters,
  items: readonly Item[],
  keyOf: (item: Item) => string,
): Page<Item> {
  const size = parameters.integer('MaxRecords') ?? 100;
  if (size < 20 || size > 100) {
    throw new AwsError('InvalidParameterValue', `Invalid value ${size} for MaxRecords. Must be between 20 and 100`);
  }
  const marker = parameters.text('Marker');
  const last = marker === undefined || marker === '' ? undefined : decodeMarker(marker);
  const sorted = [...items].sort((left, right) => compare(keyOf(left), keyOf(right)));
  const rest = last === undefined ? sorted : sorted.filter((item) => compare(keyOf(item), last) > 0);
  const page = rest.slice(0, size);
  const end = page.at(-1);
  return { items: page, marker: end !== undefined && rest.length > size ? encodeMarker(keyOf(end)) : undefined };
}

/** Filters of a `Describe*` call: name to wanted values. A name that the operation doesn't know is an error, as on AWS. */
export function readFilters(
  parameters: QueryParameters,
  known: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const filters = new Map<string, readonly string[]>();
  for (const filter of parameters.structures('Filters') ?? []) {
    const name = filter.required('Name');
    if (!known.includes(name)) throw new AwsError('InvalidParameterValue', `Unrecognized filter name: ${name}`);
    filters.set(name, filter.texts('Values') ?? []);
  }
  return filters;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

const MARKER_PREFIX = 'keyshift:';

function encodeMarker(key: string): string {
  return Buffer.from(MARKER_PREFIX + key).toString('base64');
}

function decodeMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64').toString();
  if (!text.startsWith(MARKER_PREFIX))
    throw new AwsError('InvalidParameterValue', `Invalid value for Marker: ${marker}`);
  return text.slice(MARKER_PREFIX.length);
}

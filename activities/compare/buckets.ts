import type { ComparedTable } from './list-tables';
import type { Reader } from './reader';
import { column, fromOnly, hashOf, keyText, rowHash } from './row-sql';

/** More are of no use: what differs is narrowed down in steps anyway, and the totals have to fit into a heartbeat. */
export const MOST_BUCKETS = 512;
/** Rows that are worth a bucket. */
const ROWS_PER_BUCKET = 2_000;

/** How the rows of a table are spread over buckets, so that only those that differ have to be looked at again. */
export type Bucketing =
  /** Ranges of the first column of the key, of `2^shift` values each: an index finds the rows again. */
  | { readonly kind: 'range'; readonly shift: number }
  /** By hash of the key, or of the row where there is none. */
  | { readonly kind: 'hash'; readonly mask: number }
  /** All in one. */
  | { readonly kind: 'one' };

/** Buckets for about so many rows. */
export const wantedBuckets = (rows: number): number =>
  Math.min(MOST_BUCKETS, 2 ** Math.ceil(Math.log2(Math.max(1, rows / ROWS_PER_BUCKET))));

/** Chooses by the kind of the key; asks the index for its ends. `rows`: an estimate. */
export async function chooseBuckets(reader: Reader, table: ComparedTable, rows: number): Promise<Bucketing> {
  const wanted = wantedBuckets(rows);
  if (wanted <= 1) return { kind: 'one' };
  const first = table.key[0];
  if (!first?.isInteger) return { kind: 'hash', mask: wanted - 1 };
  const [ends] = await reader.rows<{ low: string | null; high: string | null }>(
    `SELECT min(${column(first.name)})::text AS low, max(${column(first.name)})::text AS high FROM ${fromOnly(table, reader.side)}`,
  );
  if (!ends || ends.low === null || ends.high === null) return { kind: 'one' };
  const { low, high } = ends;
  let shift = 0;
  while ((BigInt(high) >> BigInt(shift)) - (BigInt(low) >> BigInt(shift)) >= BigInt(wanted)) shift += 1;
  return { kind: 'range', shift };
}

/** SQL of a row's bucket. Shifting can't overflow, whatever keys the other side has. */
export function bucketOf(table: ComparedTable, bucketing: Bucketing): string {
  const [first] = table.key;
  if (bucketing.kind === 'range' && first) return `(${column(first.name)} >> ${bucketing.shift})::int8`;
  if (bucketing.kind === 'hash') return `(${keyHash(table, 1)} & ${bucketing.mask})`;
  return '0::int8';
}

/** Hash by which rows are spread. Seed 0 is that of the row: a table whose key is the whole row shall not be sorted by it. */
function keyHash(table: ComparedTable, seed: 1 | 2): string {
  const [first, second] = table.key;
  if (!first) return `(${rowHash(table)} >> ${seed * 16})`;
  // One column's text costs less than a row's.
  return hashOf(second ? keyText(table) : `${column(first.name)}::text`, seed);
}

/** Part of a table: a condition that selects its rows, and about how many they are. */
export interface Region {
  readonly where: string;
  readonly rows: number;
}

const INT8_MAX = 2n ** 63n - 1n;

/** Conditions for some buckets: ranges that lie side by side become one, buckets by hash are found in one scan. */
export function regionsOf(
  table: ComparedTable,
  bucketing: Bucketing,
  buckets: ReadonlyMap<string, number>,
): readonly Region[] {
  const total = [...buckets.values()].reduce((sum, rows) => sum + rows, 0);
  const [first] = table.key;
  if (bucketing.kind === 'hash') {
    const where = `${bucketOf(table, bucketing)} = ANY ('{${[...buckets.keys()].join(',')}}'::int8[])`;
    return [{ where, rows: total }];
  }
  if (bucketing.kind !== 'range' || !first) return [{ where: 'true', rows: total }];
  const shift = BigInt(bucketing.shift);
  const sorted = [...buckets].map(([bucket, rows]) => ({ bucket: BigInt(bucket), rows }));
  sorted.sort((a, b) => (a.bucket < b.bucket ? -1 : 1));
  const regions: { from: bigint; to: bigint; rows: number }[] = [];
  for (const { bucket, rows } of sorted) {
    const last = regions.at(-1);
    if (last && last.to === bucket && last.rows + rows <= LARGEST_REGION) {
      last.to = bucket + 1n;
      last.rows += rows;
    } else {
      regions.push({ from: bucket, to: bucket + 1n, rows });
    }
  }
  return regions.map(({ from, to, rows }) => {
    const [low, end] = [from << shift, to << shift];
    const below = end > INT8_MAX ? '' : ` AND ${column(first.name)} < '${end}'::int8`;
    return { rows, where: `${column(first.name)} >= '${low}'::int8${below}` };
  });
}

const LARGEST_REGION = 1_000_000;

/** Finer buckets inside a region; there are never more than so many at a time in memory. */
export const subBucketOf = (table: ComparedTable, mask: number): string => `(${keyHash(table, 2)} & ${mask})`;

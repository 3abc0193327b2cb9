import { type Bucketing, type Region, regionsOf, subBucketOf } from './buckets';
import type { ComparedTable } from './list-tables';
import type { Reader, ReaderPair } from './reader';
import { type Disagreements, disagreementsOf, fingerprintsWhere } from './row-fingerprints';
import { fromOnly, rowHash } from './row-sql';
import { Totals } from './totals';

/** So many rows of a side are in memory at a time. */
const ROWS_AT_ONCE = 20_000;
const ROWS_PER_SUB_BUCKET = 256;
const MOST_SUB_BUCKETS = 16_384;

/**
 * Narrows buckets that differ down to rows. Gives the rows that disagree in batches, so that a table in which
 * everything differs doesn't end up in memory. Both sides are read at the same time.
 */
export async function* narrow(
  pair: ReaderPair,
  table: ComparedTable,
  bucketing: Bucketing,
  differing: ReadonlyMap<string, number>,
): AsyncGenerator<Disagreements> {
  for (const region of regionsOf(table, bucketing, differing)) yield* narrowRegion(pair, table, region);
}

async function* narrowRegion(pair: ReaderPair, table: ComparedTable, region: Region): AsyncGenerator<Disagreements> {
  if (region.rows <= ROWS_AT_ONCE) {
    const found = await compareRows(pair, table, region.where);
    if (found.size > 0) yield found;
    return;
  }
  const subBuckets = Math.min(MOST_SUB_BUCKETS, 2 ** Math.ceil(Math.log2(region.rows / ROWS_PER_SUB_BUCKET)));
  const bucket = subBucketOf(table, subBuckets - 1);
  const [there, here] = await both(pair, (reader) => totalsBy(reader, table, bucket, region.where));
  let [batch, rows] = [[] as string[], 0];
  const flush = async (): Promise<Disagreements> => {
    const where = `${region.where} AND ${bucket} = ANY ('{${batch.join(',')}}'::int8[])`;
    [batch, rows] = [[], 0];
    return compareRows(pair, table, where);
  };
  for (const [id, count] of there.differing(here)) {
    if (batch.length > 0 && rows + count > ROWS_AT_ONCE) yield await flush();
    batch.push(id);
    rows += count;
  }
  if (batch.length > 0) yield await flush();
}

async function compareRows(pair: ReaderPair, table: ComparedTable, where: string): Promise<Disagreements> {
  const [there, here] = await both(pair, (reader) => fingerprintsWhere(reader, table, where));
  return disagreementsOf(there, here);
}

async function totalsBy(reader: Reader, table: ComparedTable, bucket: string, where: string): Promise<Totals> {
  const rows = await reader.rows<{ bucket: string; rows: string; sum: string }>(
    `SELECT (${bucket})::text AS bucket, count(*)::text AS rows, sum(${rowHash(table)})::text AS sum
       FROM ${fromOnly(table, reader.side)} WHERE ${where} GROUP BY ${bucket}`,
  );
  const totals = new Totals();
  for (const row of rows) totals.add(row.bucket, { rows: Number(row.rows), sum: BigInt(row.sum) });
  return totals;
}

/** The same on both sides at the same time. */
export function both<T>({ source, target }: ReaderPair, look: (reader: Reader) => Promise<T>): Promise<[T, T]> {
  return Promise.all([look(source), look(target)]);
}

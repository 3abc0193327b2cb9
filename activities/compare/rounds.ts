import { MOST_BUCKETS, wantedBuckets } from './buckets';
import type { TablePair } from './differences';

/** A table that is no larger, TOAST included, is read in one go, many in one round trip. */
export const SMALL_BLOCKS = 256;
/** Tables up to so many pages in all (4 GiB) are read under one snapshot of a live side. */
const ROUND_BLOCKS = 524_288;
const ROUND_TABLES = 2_000;
/**
 * So many buckets at most are open at a time. Their totals on both sides are in every heartbeat: about 50 bytes each, so
 * that they take 400 KiB of the 2 MiB that Temporal takes.
 */
export const ROUND_BUCKETS = 4_096;
/** For the choice of buckets only: a guess does. */
const ROWS_PER_BLOCK = 50;

/** Pages of the larger side, TOAST included. */
export const largerOf = ({ source, target }: TablePair): number => Math.max(source.allBlocks, target.allBlocks);

export const estimatedRows = ({ source }: TablePair): number => source.allBlocks * ROWS_PER_BLOCK;

const bucketsOf = (pair: TablePair): number =>
  largerOf(pair) <= SMALL_BLOCKS ? 0 : Math.min(MOST_BUCKETS, wantedBuckets(estimatedRows(pair)) + 1);

/** Tables that are read together, in their order. */
export function* roundsOf(tables: readonly TablePair[]): Generator<TablePair[]> {
  let [round, blocks, buckets] = [[] as TablePair[], 0, 0];
  for (const table of tables) {
    if (round.length > 0 && buckets + bucketsOf(table) > ROUND_BUCKETS) {
      yield round;
      [round, blocks, buckets] = [[], 0, 0];
    }
    round.push(table);
    blocks += largerOf(table);
    buckets += bucketsOf(table);
    if (blocks < ROUND_BLOCKS && round.length < ROUND_TABLES) continue;
    yield round;
    [round, blocks, buckets] = [[], 0, 0];
  }
  if (round.length > 0) yield round;
}

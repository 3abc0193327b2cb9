import { throwIfCancelled } from '../wait';
import { type Bucketing, bucketOf } from './buckets';
import type { ComparedTable } from './list-tables';
import type { Reader } from './reader';
import { fromOnly, rowHash } from './row-sql';
import { TableMap } from './table-name';
import { Totals } from './totals';

/** Pages from the first up to, not including, the second; of the last range of a table the end is open. */
export type BlockRange = readonly [number, number];

/** A chunk shall take about this long: short enough to lose little with a worker, and to pause soon. */
const CHUNK_MS = 1_000;
const FIRST_CHUNK_BLOCKS = 1_024;
const SMALLEST_CHUNK_BLOCKS = 16;
const LARGEST_CHUNK_BLOCKS = 262_144;

/**
 * One side of one table while it is read: what was read so far, what is left. Chunks are ranges of pages, so that each
 * side is read once, in the order in which it lies on disk, whatever its keys are like; what makes the sides
 * comparable are the totals by bucket over all chunks.
 */
export class SideScan {
  readonly totals: Totals;
  readonly #inFlight = new Set<BlockRange>();
  readonly #left: BlockRange[];
  #chunkBlocks = FIRST_CHUNK_BLOCKS;

  constructor(
    readonly table: ComparedTable,
    readonly bucketing: Bucketing,
    private readonly blocks: number,
    saved?: SavedSide,
  ) {
    this.totals = saved ? Totals.decode(saved.totals) : new Totals();
    this.#left = saved ? [...saved.left] : [[0, Math.max(1, blocks)]];
  }

  /**
   * Takes the next chunk; undefined: all are taken. Chunks become smaller towards the end, so that no reader waits for
   * another. `whole`: the server can't read a range of pages.
   */
  take(whole: boolean, readers: number): BlockRange | undefined {
    const range = this.#left.shift();
    if (!range) return undefined;
    const [from, to] = range;
    const share = Math.max(SMALLEST_CHUNK_BLOCKS, Math.ceil((to - from) / (2 * readers)));
    const end = whole ? to : Math.min(to, from + Math.min(this.#chunkBlocks, share));
    if (end < to) this.#left.unshift([end, to]);
    const taken: BlockRange = [from, end];
    this.#inFlight.add(taken);
    return taken;
  }

  /** Reads a chunk and adds it to the totals. */
  async read(reader: Reader, chunk: BlockRange): Promise<void> {
    const startedAt = Date.now();
    const rows = await reader.rows<{ bucket: string; rows: string; sum: string }>(this.sqlOf(chunk, reader));
    const tookMs = Math.max(1, Date.now() - startedAt);
    for (const row of rows) this.totals.add(row.bucket, { rows: Number(row.rows), sum: BigInt(row.sum) });
    this.#inFlight.delete(chunk);
    const fitting = ((chunk[1] - chunk[0]) * CHUNK_MS) / tookMs;
    const next = Math.min(this.#chunkBlocks * 4, Math.max(this.#chunkBlocks / 4, fitting));
    this.#chunkBlocks = Math.round(Math.min(LARGEST_CHUNK_BLOCKS, Math.max(SMALLEST_CHUNK_BLOCKS, next)));
  }

  /** Pages that are done, and all. */
  get progress(): { done: number; of: number } {
    const left = [...this.#left, ...this.#inFlight].reduce((sum, [from, to]) => sum + to - from, 0);
    return { done: Math.max(0, this.blocks - left), of: this.blocks };
  }

  /** For a heartbeat: chunks that are being read count as not read. */
  save(): SavedSide {
    return { left: [...this.#inFlight, ...this.#left], totals: this.totals.encode(), blocks: this.blocks };
  }

  private sqlOf([from, to]: BlockRange, reader: Reader): string {
    const { table, bucketing } = this;
    const conditions = [
      ...(from > 0 ? [`t.ctid >= '(${from},0)'`] : []),
      // Pages that came since the table was measured belong to the last chunk.
      ...(to < this.blocks ? [`t.ctid < '(${to},0)'`] : []),
    ];
    const rows = `${fromOnly(table, reader.side)}${conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''}`;
    if (table.key.length === 0 && bucketing.kind === 'hash') {
      // The row's hash is its bucket as well: OFFSET keeps it from being worked out twice.
      return `SELECT ((h >> 16) & ${bucketing.mask})::text AS bucket, count(*)::text AS rows, sum(h)::text AS sum
                FROM (SELECT ${rowHash(table)} AS h FROM ${rows} OFFSET 0) AS q GROUP BY ((h >> 16) & ${bucketing.mask})`;
    }
    const bucket = bucketOf(table, bucketing);
    if (bucketing.kind === 'one') {
      return `SELECT '0' AS bucket, count(*)::text AS rows, coalesce(sum(${rowHash(table)}), 0)::text AS sum FROM ${rows}`;
    }
    return `SELECT (${bucket})::text AS bucket, count(*)::text AS rows, sum(${rowHash(table)})::text AS sum
              FROM ${rows} GROUP BY ${bucket}`;
  }
}

/** What a heartbeat keeps of one side of a table. */
export interface SavedSide {
  readonly left: readonly BlockRange[];
  readonly totals: string;
  readonly blocks: number;
}

/** Totals of many small tables in one round trip. */
export async function scanSmall(reader: Reader, tables: readonly ComparedTable[]): Promise<TableMap<Totals>> {
  const found = new TableMap<Totals>();
  if (tables.length === 0) return found;
  const rows = await reader.rows<{ i: number; rows: string; sum: string }>(
    tables
      .map(
        (table, i) =>
          `SELECT ${i} AS i, count(*)::text AS rows, coalesce(sum(${rowHash(table)}), 0)::text AS sum FROM ${fromOnly(table, reader.side)}`,
      )
      .join(' UNION ALL '),
  );
  for (const { i, rows: count, sum } of rows) {
    const table = tables[i];
    if (!table) continue;
    const totals = new Totals();
    totals.add('0', { rows: Number(count), sum: BigInt(sum) });
    found.set(table, totals);
  }
  return found;
}

/** Lets every reader of a side take jobs until there are none, or one has failed on either side. */
export async function drainJobs(
  readers: readonly Reader[],
  halt: { failed: boolean },
  next: () => ((reader: Reader) => Promise<void>) | undefined,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    readers.map(async (reader) => {
      for (;;) {
        await throwIfCancelled();
        if (halt.failed) return;
        const job = next();
        if (!job) return;
        try {
          await job(reader);
        } catch (error) {
          halt.failed = true;
          throw error;
        }
      }
    }),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

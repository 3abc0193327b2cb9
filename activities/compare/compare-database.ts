import { type Bucketing, chooseBuckets } from './buckets';
import { differenceOf, pairTables } from './differences';
import { type ComparedTable, compareText, labelOf, listTables, readSizes, type TableSize } from './list-tables';
import { narrow } from './narrow';
import type { ComparisonProgress } from './progress';
import type { Reader, ReaderPair } from './reader';
import type { Disagreements } from './row-fingerprints';
import { drainJobs, scanSmall, SideScan } from './scan';
import type { Session } from '../postgres/session';
import type { Totals } from './totals';

/** A table that is no larger, TOAST included, is read in one go, many in one round trip. */
const SMALL_BLOCKS = 256;
const SMALL_AT_ONCE = 50;
/** Tables up to so many pages in all (4 GiB) are read under one snapshot of a live side. */
const ROUND_BLOCKS = 524_288;
const ROUND_TABLES = 2_000;
/** After so many differing rows the rest of a table isn't narrowed down any more. */
const ENOUGH_DIFFERENCES = 1_000;
/** Before this version a range of pages can't be read without reading all. */
const TID_RANGE_SCAN_SINCE = 140_000;

/** Snapshots that a reader reads under; undefined: each query has its own. */
export interface SnapshotNames {
  readonly source: string | undefined;
  readonly target: string | undefined;
}

/** What the live comparison and the proof do differently. */
export interface Comparing {
  readonly migration: string;
  readonly showValues: boolean;
  readonly progress: ComparisonProgress;
  /** Readers of each side, at least one. */
  readonly source: readonly Reader[];
  readonly target: readonly Reader[];
  /** Sessions for looks into the catalogs. */
  readonly catalogs: { readonly source: Session; readonly target: Session };
  /** The snapshots to read under now. */
  snapshots(): Promise<SnapshotNames>;
  /** Called when the tables of a round are read: a live side lets go of its snapshots. Returns what rows are looked at under. */
  roundRead(): Promise<SnapshotNames>;
  /** Rows that disagree were found: which of them are different for good? `pair` reads as the proof of it needs. */
  decide(pair: ReaderPair, table: ComparedTable, found: Disagreements): Promise<Decided>;
}

export interface Decided {
  readonly different: Disagreements;
  readonly undecided?: number;
  readonly changedSince?: number;
  readonly goneSince?: number;
}

/**
 * Compares one database: the whole contents of all tables, each side read once, in chunks, by several sessions. What
 * differs is narrowed down to rows. Goes on where `progress` stands.
 */
export async function compareDatabase(comparing: Comparing, database: string): Promise<void> {
  const { catalogs, progress, migration } = comparing;
  progress.doing = `${database}: listing tables`;
  const [there, here] = await Promise.all([
    listTables(catalogs.source, migration),
    listTables(catalogs.target, migration),
  ]);
  const { both: tables, differences } = pairTables(database, there, here);
  const sizes = await Promise.all([readSizes(catalogs.source), readSizes(catalogs.target)]);
  const { upTo } = progress;
  if (upTo === undefined) progress.differences.push(...differences);
  const left = tables.filter((table) => upTo === undefined || compareText(labelOf(table), upTo) > 0);
  for (const round of roundsOf(left, sizes)) await compareRound(comparing, database, round, sizes);
  progress.databaseDone(database);
}

type Sizes = readonly [Map<string, TableSize>, Map<string, TableSize>];

const NOTHING: TableSize = { blocks: 0, allBlocks: 0 };
const largerOf = (table: ComparedTable, [there, here]: Sizes): number =>
  Math.max((there.get(labelOf(table)) ?? NOTHING).allBlocks, (here.get(labelOf(table)) ?? NOTHING).allBlocks);

function* roundsOf(tables: readonly ComparedTable[], sizes: Sizes): Generator<ComparedTable[]> {
  let [round, blocks] = [[] as ComparedTable[], 0];
  for (const table of tables) {
    round.push(table);
    blocks += largerOf(table, sizes);
    if (blocks < ROUND_BLOCKS && round.length < ROUND_TABLES) continue;
    yield round;
    [round, blocks] = [[], 0];
  }
  if (round.length > 0) yield round;
}

/** What was read of a table. */
interface Read {
  readonly bucketing: Bucketing;
  readonly source: Totals;
  readonly target: Totals;
}

async function compareRound(
  comparing: Comparing,
  database: string,
  round: readonly ComparedTable[],
  sizes: Sizes,
): Promise<void> {
  const { progress } = comparing;
  progress.doing = `${database}: ${labelOf(round[0] as ComparedTable)}${round.length > 1 ? ` and ${round.length - 1} more tables` : ''}`;
  const read = await readRound(comparing, round, sizes);
  const names = await comparing.roundRead();
  const pair = {
    source: firstOf(comparing.source).under(names.source),
    target: firstOf(comparing.target).under(names.target),
  };
  for (const table of round) {
    const label = labelOf(table);
    const found = read.get(label);
    if (!found) throw new Error(`${label} was not read`);
    await compareTotals(comparing, pair, database, table, found);
    progress.tables += 1;
    progress.rows += found.source.rows;
    progress.upTo = label;
    progress.open.delete(label);
    progress.saved.delete(label);
  }
}

async function readRound(
  comparing: Comparing,
  round: readonly ComparedTable[],
  sizes: Sizes,
): Promise<Map<string, Read>> {
  const { progress } = comparing;
  const isSmall = (table: ComparedTable) =>
    largerOf(table, sizes) <= SMALL_BLOCKS && !progress.saved.has(labelOf(table));
  const small = round.filter(isSmall);
  for (const table of round.filter((one) => !isSmall(one))) {
    progress.open.set(labelOf(table), await openTable(comparing, table, sizes));
  }
  const open = [...progress.open.values()];
  const halt = { failed: false };
  const [there, here] = await Promise.all(
    (['source', 'target'] as const).map((side) =>
      readSide(
        comparing,
        side,
        small,
        open.map((one) => one[side]),
        halt,
      ),
    ),
  );
  const read = new Map<string, Read>();
  for (const [label, { source, target }] of progress.open) {
    read.set(label, { bucketing: source.bucketing, source: source.totals, target: target.totals });
  }
  for (const table of small) {
    const label = labelOf(table);
    const [source, target] = [there?.get(label), here?.get(label)];
    if (source && target) read.set(label, { bucketing: { kind: 'one' }, source, target });
  }
  return read;
}

async function openTable(comparing: Comparing, table: ComparedTable, [there, here]: Sizes) {
  const label = labelOf(table);
  const saved = comparing.progress.saved.get(label);
  const [source, target] = [there.get(label) ?? NOTHING, here.get(label) ?? NOTHING];
  const names = await comparing.snapshots();
  const reader = firstOf(comparing.source).under(names.source);
  const bucketing = saved?.bucketing ?? (await chooseBuckets(reader, table, source.allBlocks * ROWS_PER_BLOCK));
  return {
    source: new SideScan(table, bucketing, saved?.source.blocks ?? source.blocks, saved?.source),
    target: new SideScan(table, bucketing, saved?.target.blocks ?? target.blocks, saved?.target),
  };
}

/** For the choice of buckets only: a guess does. */
const ROWS_PER_BLOCK = 50;

/** Reads one side of a round with all of its readers. Returns the totals of the small tables. */
async function readSide(
  comparing: Comparing,
  side: 'source' | 'target',
  small: readonly ComparedTable[],
  scans: readonly SideScan[],
  halt: { failed: boolean },
): Promise<Map<string, Totals>> {
  const found = new Map<string, Totals>();
  const whole = await cannotReadRanges(comparing.catalogs[side]);
  const groups: ComparedTable[][] = [];
  for (let at = 0; at < small.length; at += SMALL_AT_ONCE) groups.push(small.slice(at, at + SMALL_AT_ONCE));
  const now = async (reader: Reader) => reader.under((await comparing.snapshots())[side]);
  await drainJobs(comparing[side], halt, () => {
    const group = groups.shift();
    if (group) {
      return async (reader) => {
        for (const [label, totals] of await scanSmall(await now(reader), group)) found.set(label, totals);
      };
    }
    for (const scan of scans) {
      const chunk = scan.take(whole, comparing[side].length);
      if (chunk) return async (reader) => scan.read(await now(reader), chunk);
    }
    return undefined;
  });
  return found;
}

async function cannotReadRanges(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  return (rows[0]?.version ?? 0) < TID_RANGE_SCAN_SINCE;
}

async function compareTotals(
  comparing: Comparing,
  pair: ReaderPair,
  database: string,
  table: ComparedTable,
  read: Read,
): Promise<void> {
  const differing = read.source.differing(read.target);
  if (differing.size === 0) return;
  const { progress } = comparing;
  progress.doing = `${database}: ${labelOf(table)}, rows that differ`;
  const different: Disagreements = new Map();
  let atLeast = false;
  for await (const batch of narrow(pair, table, read.bucketing, differing)) {
    const decided = await comparing.decide(pair, table, batch);
    progress.undecided += decided.undecided ?? 0;
    progress.changedSince += decided.changedSince ?? 0;
    progress.goneSince += decided.goneSince ?? 0;
    for (const [key, sides] of decided.different) different.set(key, sides);
    atLeast = different.size >= ENOUGH_DIFFERENCES;
    if (atLeast) break;
  }
  if (different.size === 0) return;
  const difference = await differenceOf(pair, database, table, different, comparing.showValues);
  progress.differences.push(atLeast ? { ...difference, atLeast } : difference);
}

function firstOf(readers: readonly Reader[]): Reader {
  const [first] = readers;
  if (!first) throw new Error('a comparison needs a session on each side');
  return first;
}

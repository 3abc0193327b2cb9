import type { EqualRows } from '../../plan/report';
import { isSqlState } from '../classify-error';
import type { Session, Side } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { comparable, countRelations } from './coverage';
import { differenceOf, pairTables, type Paired, type TablePair } from './differences';
import { incomplete } from './incomplete';
import { type ComparedTable, inOwnHashes, type ListedTable, listTables } from './list-tables';
import { narrow } from './narrow';
import type { Placed } from './placed';
import { type ComparisonProgress, emptyTally, inDatabase, type Tally } from './progress';
import { isTooLong, orFailed, type Read, readRound } from './read-round';
import type { Reader, ReaderPair } from './reader';
import { roundsOf } from './rounds';
import { type Disagreements, rowsOf } from './row-fingerprints';
import { labelOf, TableMap } from './table-name';

/** After so many differing rows the rest of a table isn't narrowed down any more. */
const ENOUGH_DIFFERENCES = 1_000;
/** A table whose definition changes while it is read is read again, so many times. */
const MOST_READS = 5;
const SIDES = ['source', 'target'] as const;

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
  /** Sessions for looks into the catalogs, as their snapshots see them. */
  readonly catalogs: { readonly source: Session; readonly target: Session };
  /** Which table is which; default: by name. */
  pair?(database: string, source: readonly ListedTable[], target: readonly ListedTable[]): Promise<Paired>;
  /** How tables can be read now, where that isn't as they were listed. Asked before and after they are read. */
  placed?(tables: readonly TablePair[]): Promise<TableMap<Placed>>;
  /** The snapshots to read under now. */
  snapshots(): Promise<SnapshotNames>;
  /** Called when the tables of a round are read: a live side lets go of its snapshots. Returns what rows are looked at under. */
  roundRead(): Promise<SnapshotNames>;
  /** Rows that disagree were found: which of them are different for good? `pair` reads as the proof of it needs. */
  decide(pair: ReaderPair, table: ComparedTable, found: Disagreements): Promise<Decided>;
  /** Rows that are different for good: whether they are equal all the same, and how many. Undefined: some are different. */
  equal(pair: ReaderPair, table: ComparedTable, found: Differing): Promise<Pick<EqualRows, 'rows'> | undefined>;
  /** `progress` was begun by another method. */
  readonly otherMethod?: boolean;
  /** How many rows of a table were left out of what is read. */
  leftOut?(tables: readonly TablePair[]): Promise<TableMap<LeftOut>>;
}

/** Rows of a table that differ. */
export interface Differing {
  /** For good. */
  readonly different: Disagreements;
  /** All that disagreed, those included that may only be gone since. */
  readonly disagreed: Disagreements;
  readonly goneSince: number;
}

export type LeftOut = Pick<Tally, 'changedSince' | 'sourceChangedSince'>;

export interface Decided {
  readonly different: Disagreements;
  readonly undecided?: number;
  readonly goneSince?: number;
  /** Rows of the source that are neither equal nor different: they weren't compared. */
  readonly notCompared?: number;
}

/**
 * Compares one database: the whole contents of all tables, each side read once, in chunks, by several sessions. What
 * differs is narrowed down to rows. Goes on where `progress` stands.
 * @throws ApplicationFailure ProofIncomplete when these aren't all the tables that the catalog counts
 */
export async function compareDatabase(comparing: Comparing, database: string): Promise<void> {
  const { progress } = comparing;
  progress.doing = `${database}: listing tables`;
  const { paired, counted } = await listBoth(comparing, database);
  const isDone = progress.isDone(paired.both.map(({ table }) => table));
  const noted = progress.notes(database, comparing.otherMethod === true);
  for (const one of paired.notProven ?? []) {
    // What can't be compared by the second method may have been compared by the first.
    const isNew = noted === 'what is left' && !isDone({ schema: one.schema, name: one.table });
    if (noted === 'all' || isNew) progress.cannotProve(one);
  }
  if (noted === 'all') {
    for (const difference of paired.differences) progress.differs(difference);
    for (const text of paired.since ?? []) progress.changedBy(`${database}: ${text}`);
    progress.count(counted);
  }
  const left = paired.both.filter(({ table }) => !isDone(table));
  let done = paired.both.length - left.length;
  for (const round of roundsOf(left)) {
    await compareRound(comparing, database, round);
    done += round.length;
  }
  if (done !== paired.both.length) throw incomplete(database, 'source', counted, done);
  progress.databaseDone(database);
}

/** The tables of both sides, and a count of the catalog's own: one that got lost would be missing from the proof without a word. */
async function listBoth(comparing: Comparing, database: string) {
  const { catalogs, migration } = comparing;
  const list = async (side: Side) => {
    const tables = await listTables(catalogs[side], migration);
    return { tables, counted: await countRelations(catalogs[side], migration) };
  };
  const [there, here] = await Promise.all([list('source'), list('target')]);
  const paired = comparing.pair
    ? await comparing.pair(database, there.tables, here.tables)
    : pairTables(database, there.tables, here.tables);
  for (const [side, { counted }] of [['source', there] as const, ['target', here] as const]) {
    const known = paired.both.length + paired.unpaired[side];
    // On a live pair, tables come and go between the two looks.
    if (comparing.placed && known !== comparable(counted)) throw incomplete(database, side, counted, known);
  }
  return { paired, counted: there.counted };
}

/** Compares some tables; what this finds counts when all of them are done. */
async function compareRound(comparing: Comparing, database: string, round: readonly TablePair[]): Promise<void> {
  const { progress } = comparing;
  const [first] = round;
  const last = round.at(-1);
  if (!first || !last) return;
  progress.doing = `${inDatabase(database, first.table)}${round.length > 1 ? ` and ${round.length - 1} more tables` : ''}`;
  const result = { tally: emptyTally(), after: [] as (() => void)[] };
  let left = round.map((pair) => (progress.savedOf(pair.table)?.isLong ? byOwnHashes(pair) : pair));
  for (let reads = 1; left.length > 0; reads += 1) {
    const again = await compareOnce(comparing, database, left, result);
    for (const { table } of left) progress.forget(table);
    if (again.size > 0 && reads === MOST_READS) {
      const [[table, error] = []] = again.entries();
      throw error instanceof Error
        ? error
        : new Error(`${table ? labelOf(table) : ''} changed ${reads} times while it was read`);
    }
    left = left.flatMap((pair) => {
      if (!again.has(pair.table)) return [];
      const error = again.get(pair.table);
      if (!isTooLong(error)) return [pair];
      if (!pair.table.isLong) return [byOwnHashes(pair)];
      // That of lack of memory may be another's fault.
      if (isSqlState(error, SQLSTATE.outOfMemory)) throw error;
      const { schema, name } = pair.table;
      result.after.push(() => progress.cannotProve({ database, schema, table: name, why: tooLong(error) }));
      return [];
    });
  }
  for (const found of result.after) found();
  progress.roundDone(result.tally, last.table);
}

/** Every long value by a hash of its own. */
const byOwnHashes = (pair: TablePair): TablePair => ({ ...pair, table: inOwnHashes(pair.table) });

const tooLong = (error: unknown): string =>
  `a value is too long to be compared: ${error instanceof Error ? error.message : String(error)}; compare it by other means`;

interface RoundResult {
  readonly tally: Tally;
  /** What goes into the progress when the round is done. */
  readonly after: (() => void)[];
}

/** Returns the tables that have to be read again, since their definition changed meanwhile. */
async function compareOnce(
  comparing: Comparing,
  database: string,
  round: readonly TablePair[],
  { tally, after }: RoundResult,
): Promise<TableMap<unknown>> {
  const { progress } = comparing;
  const before = await comparing.placed?.(round);
  const there = round.map((pair) => withPlace(pair, before?.get(pair.table)));
  const { read, failed: again } = await readRound(
    comparing,
    there.filter(({ table }) => before?.get(table)?.unreadable === undefined),
  );
  const names = await comparing.roundRead();
  const readers = {
    source: firstOf(comparing.source).under(names.source),
    target: firstOf(comparing.target).under(names.target),
  };
  const leftOut = await orFailed(comparing, again, there, async () => comparing.leftOut?.(there));
  const found = new TableMap<Found>();
  for (const { table } of there) {
    const one = read.get(table);
    if (!one || again.has(table)) continue;
    const compared = await orFailed(comparing, again, [{ table }], () =>
      compareTotals(comparing, readers, database, table, one),
    );
    if (compared) found.set(table, compared);
    progress.inRound += 1;
  }
  const now = await comparing.placed?.(round);
  for (const pair of there) {
    const { table } = pair;
    const [was, is] = [before?.get(table), now?.get(table)];
    if (was?.signature !== is?.signature || again.has(table)) {
      if (!again.has(table)) again.set(table, undefined);
      continue;
    }
    for (const text of is?.since ?? []) after.push(() => progress.changedBy(`${inDatabase(database, table)}: ${text}`));
    const one = found.get(table);
    const unproven = is?.unreadable ?? (one && rewrittenAway(is, one));
    const name = { database, schema: table.schema, table: table.name };
    if (unproven !== undefined || !one) {
      if (unproven === undefined) throw new Error(`${labelOf(table)} was not read`);
      after.push(() => progress.cannotProve({ ...name, why: unproven }));
      continue;
    }
    if (is && is.lost.size > 0) {
      const [columns, why] = [[...is.lost.keys()], [...new Set(is.lost.values())].join('; ')];
      after.push(() => progress.cannotProve({ ...name, columns: columns.slice(0, MOST_COLUMNS), why }));
    }
    add(tally, pair, one, leftOut?.get(table));
    const { difference, equal } = one;
    if (difference) after.push(() => progress.differs(difference));
    if (equal) after.push(() => progress.isEqual(equal));
  }
  return again;
}

/** Columns of a table that are named. */
const MOST_COLUMNS = 20;

/** The table as it can be read now, without the columns that can't be. */
function withPlace(pair: TablePair, placed: Placed | undefined): TablePair {
  if (!placed) return pair;
  const isLeft = (name: string) => !placed.lost.has(name);
  const { table } = pair;
  const key = table.key.every(({ name }) => isLeft(name)) ? table.key : [];
  const columns = table.columns.filter(isLeft);
  return {
    ...pair,
    table: {
      ...table,
      key,
      columns,
      wide: table.wide.filter(isLeft),
      long: (table.long ?? []).filter(isLeft),
      from: placed.from,
      whole: placed.whole,
    },
  };
}

/**
 * TRUNCATE and an ALTER TABLE that writes a table anew leave nothing of it for an older snapshot: it looks empty. (VACUUM
 * FULL and CLUSTER take the old rows along.)
 * @see https://www.postgresql.org/docs/current/mvcc-caveats.html
 */
function rewrittenAway(placed: Placed | undefined, { read }: Found): string | undefined {
  const sides = SIDES.filter((side) => placed?.rewritten.includes(side) && read[side].rows === 0);
  if (sides.length === 0) return undefined;
  return `it was emptied or written anew on the ${sides.join(' and the ')} since, by TRUNCATE or ALTER TABLE: its rows as of then can't be read any more`;
}

/** What comparing one table came to. */
interface Found {
  readonly read: Read;
  readonly decided: Required<Omit<Decided, 'different'>>;
  readonly difference?: ReturnType<typeof differenceOf> extends Promise<infer Difference> ? Difference : never;
  readonly equal?: EqualRows;
}

function add(tally: Tally, { source }: TablePair, { read, decided }: Found, leftOut: LeftOut | undefined): void {
  tally.tables += 1;
  tally.partitions += source.isPartition ? 1 : 0;
  tally.rows += read.source.rows - decided.notCompared;
  tally.undecided += decided.undecided;
  tally.goneSince += decided.goneSince;
  tally.changedSince += leftOut?.changedSince ?? 0;
  tally.sourceChangedSince += leftOut?.sourceChangedSince ?? 0;
}

async function compareTotals(
  comparing: Comparing,
  pair: ReaderPair,
  database: string,
  table: ComparedTable,
  read: Read,
): Promise<Found> {
  const decided = { undecided: 0, goneSince: 0, notCompared: 0 };
  const differing = read.source.differing(read.target);
  if (differing.size === 0) return { read, decided };
  comparing.progress.doing = `${inDatabase(database, table)}, rows that differ`;
  const different: Disagreements = new Map();
  const disagreed: Disagreements = new Map();
  let atLeast = false;
  for await (const batch of narrow(pair, table, read.bucketing, differing)) {
    const one = await comparing.decide(pair, table, batch);
    decided.undecided += one.undecided ?? 0;
    decided.goneSince += one.goneSince ?? 0;
    decided.notCompared += one.notCompared ?? 0;
    for (const [key, sides] of one.different) different.set(key, sides);
    if (disagreed.size < ENOUGH_DIFFERENCES) for (const [key, sides] of batch) disagreed.set(key, sides);
    atLeast = different.size >= ENOUGH_DIFFERENCES;
    if (atLeast) break;
  }
  if (different.size === 0) return { read, decided };
  if (!atLeast && disagreed.size < ENOUGH_DIFFERENCES) {
    const equal = await comparing.equal(pair, table, { different, disagreed, goneSince: decided.goneSince });
    if (equal)
      return { read, decided: withEqual(decided, equal.rows), equal: { database, table: labelOf(table), ...equal } };
  }
  for (const { source } of different.values()) decided.notCompared += rowsOf(source);
  const difference = await differenceOf(pair, database, table, different, comparing.showValues);
  return { read, decided, difference: atLeast ? { ...difference, atLeast } : difference };
}

/** Rows of the source that seemed to be gone, and that the target has in another text. */
function withEqual(decided: Found['decided'], rows: number): Found['decided'] {
  const found = Math.min(rows, decided.goneSince);
  return { ...decided, goneSince: decided.goneSince - found, notCompared: decided.notCompared - found };
}

function firstOf(readers: readonly Reader[]): Reader {
  const [first] = readers;
  if (!first) throw new Error('a comparison needs a session on each side');
  return first;
}

import { isSqlState } from '../classify-error';
import { SQLSTATE } from '../postgres/sqlstates';
import type { Session, Side } from '../postgres/session';
import { type Bucketing, chooseBuckets } from './buckets';
import type { Comparing } from './compare-database';
import type { TablePair } from './differences';
import type { OpenTable } from './progress';
import type { Reader } from './reader';
import { estimatedRows, largerOf, SMALL_BLOCKS } from './rounds';
import { drainJobs, scanSmall, SideScan } from './scan';
import { TableMap } from './table-name';
import type { Totals } from './totals';

const SMALL_AT_ONCE = 50;
/** Before this version a range of pages can't be read without reading all. */
const TID_RANGE_SCAN_SINCE = 140_000;

/** What was read of a table. */
export interface Read {
  readonly bucketing: Bucketing;
  readonly source: Totals;
  readonly target: Totals;
}

export interface RoundRead {
  readonly read: TableMap<Read>;
  /** Tables whose definition changed while they were read, each with the error. */
  readonly failed: TableMap<unknown>;
}

/** Reads the tables of a round on both sides at the same time, each side with all of its readers. */
export async function readRound(comparing: Comparing, round: readonly TablePair[]): Promise<RoundRead> {
  const { progress } = comparing;
  const isSmall = (pair: TablePair) => largerOf(pair) <= SMALL_BLOCKS && !progress.savedOf(pair.table);
  const failed = new TableMap<unknown>();
  const small = round.filter(isSmall);
  const open: OpenTable[] = [];
  for (const pair of round.filter((one) => !isSmall(one))) {
    const opened = await orFailed(comparing, failed, [pair], () => openTable(comparing, pair));
    if (!opened) continue;
    progress.open.set(pair.table, opened);
    open.push(opened);
  }
  const halt = { failed: false };
  const [there, here] = await Promise.all(
    (['source', 'target'] as const).map((side) => readSide(comparing, side, { small, open, failed }, halt)),
  );
  const read = new TableMap<Read>();
  for (const { source, target } of open) {
    read.set(source.table, { bucketing: source.bucketing, source: source.totals, target: target.totals });
  }
  for (const { table } of small) {
    const [source, target] = [there?.get(table), here?.get(table)];
    if (source && target) read.set(table, { bucketing: { kind: 'one' }, source, target });
  }
  return { read, failed };
}

async function openTable(comparing: Comparing, pair: TablePair): Promise<OpenTable> {
  const { table } = pair;
  const saved = comparing.progress.savedOf(table);
  const names = await comparing.snapshots();
  const [first] = comparing.source;
  if (!first) throw new Error('a comparison needs a session on each side');
  const bucketing = saved?.bucketing ?? (await chooseBuckets(first.under(names.source), table, estimatedRows(pair)));
  return {
    source: new SideScan(table, bucketing, saved?.source.blocks ?? pair.source.blocks, saved?.source),
    target: new SideScan(table, bucketing, saved?.target.blocks ?? pair.target.blocks, saved?.target),
  };
}

/** Reads one side. Returns the totals of the small tables. */
async function readSide(
  comparing: Comparing,
  side: Side,
  tables: { small: readonly TablePair[]; open: readonly OpenTable[]; failed: TableMap<unknown> },
  halt: { failed: boolean },
): Promise<TableMap<Totals>> {
  const { small, open, failed } = tables;
  const found = new TableMap<Totals>();
  const whole = await cannotReadRanges(comparing.catalogs[side]);
  const groups: TablePair[][] = [];
  for (let at = 0; at < small.length; at += SMALL_AT_ONCE) groups.push(small.slice(at, at + SMALL_AT_ONCE));
  const now = async (reader: Reader) => reader.under((await comparing.snapshots())[side]);
  const readSmall = async (reader: Reader, group: readonly TablePair[]) => {
    const those = group.map(({ table }) => table);
    for (const [table, totals] of (await scanSmall(await now(reader), those)).entries()) found.set(table, totals);
  };
  await drainJobs(comparing[side], halt, () => {
    const group = groups.shift();
    if (group) {
      return async (reader) => {
        const failures = new TableMap<unknown>();
        await orFailed(comparing, failures, group, () => readSmall(reader, group));
        // One of them spoils the statement: then each for itself.
        if (failures.size === 0) return;
        for (const pair of group) await orFailed(comparing, failed, [pair], () => readSmall(reader, [pair]));
      };
    }
    for (const table of open) {
      const scan = table[side];
      if (failed.has(scan.table)) continue;
      const chunk = scan.take(whole, comparing[side].length);
      if (!chunk) continue;
      return async (reader) => {
        await orFailed(comparing, failed, [scan], async () => scan.read(await now(reader), chunk));
      };
    }
    return undefined;
  });
  return found;
}

/**
 * What `work` gives; undefined, and the tables noted, where their definition changed meanwhile and the comparison can bear that, or where a
 * value is too long for it.
 */
export async function orFailed<T>(
  comparing: Comparing,
  failed: TableMap<unknown>,
  tables: readonly { readonly table: TablePair['table'] }[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(comparing.placed && isByDefinition(error)) && !isTooLong(error)) throw error;
    for (const { table } of tables) failed.set(table, error);
    return undefined;
  }
}

/** A text, or what is needed on the way to it, would be longer than PostgreSQL makes it, or than the server has memory for. */
export function isTooLong(error: unknown): boolean {
  if (isSqlState(error, SQLSTATE.programLimitExceeded, SQLSTATE.outOfMemory)) return true;
  return isSqlState(error, SQLSTATE.internalError) && /invalid memory alloc request size/.test(String(error));
}

/** Another name, or none any more; or DDL that keeps a lock for longer than a reader waits. */
function isByDefinition(error: unknown): boolean {
  const { undefinedTable, undefinedColumn, undefinedSchema, lockNotAvailable, deadlockDetected } = SQLSTATE;
  if (isSqlState(error, undefinedTable, undefinedColumn, undefinedSchema, lockNotAvailable, deadlockDetected))
    return true;
  // Dropped between its name was looked up and it was opened: an internal error of the server.
  return isSqlState(error, 'XX000') && /could not open relation with OID|cache lookup failed/.test(String(error));
}

async function cannotReadRanges(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  return (rows[0]?.version ?? 0) < TID_RANGE_SCAN_SINCE;
}

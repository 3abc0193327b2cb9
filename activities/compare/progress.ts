import { jsonBytes } from '../../plan/fit-report';
import type { EqualRows, NotProven, TableDifference } from '../../plan/report';
import type { Bucketing } from './buckets';
import type { Counted } from './coverage';
import type { SavedSide, SideScan } from './scan';
import { compareNames, compareText, labelOf, TableMap, type TableName } from './table-name';

/** A table that is being read. */
export interface OpenTable {
  readonly source: SideScan;
  readonly target: SideScan;
}

/** What a heartbeat keeps of a table that is being read. */
export interface SavedTable {
  readonly bucketing: Bucketing;
  readonly source: SavedSide;
  readonly target: SavedSide;
  /** By hashes of its long values. */
  readonly isLong?: true;
}

/** The database whose lists of tables were noted, and whether the second method's were, too. */
interface Listed {
  readonly database: string;
  readonly otherMethod: boolean;
}

/** How far a comparison has come: plain JSON, in every heartbeat, and bounded. */
export interface SavedComparison {
  /** Databases that are done. */
  readonly databases: readonly string[];
  /** In the database after those: tables up to this one, by schema and name, are done. */
  readonly after?: TableName;
  /** The same as earlier versions wrote it: tables whose `schema.name` does not come after this. */
  readonly upTo?: string;
  readonly tables: number;
  /** Of `tables`, those that are partitions. */
  readonly partitions?: number;
  readonly rows: number;
  readonly undecided: number;
  readonly changedSince: number;
  readonly goneSince: number;
  readonly sourceChangedSince?: number;
  readonly differences: readonly TableDifference[];
  /** Tables that differ, where `differences` hasn't room for all. */
  readonly differentTables?: number;
  readonly equalRows?: readonly EqualRows[];
  readonly equalTables?: number;
  readonly notProven?: readonly NotProven[];
  readonly notProvenTables?: number;
  readonly since?: readonly string[];
  readonly changes?: number;
  readonly counted?: Counted;
  /** The database whose lists of tables are in the counts and differences above, though none of its tables may be done. */
  readonly listed?: Listed;
  /** Tables of which only a part is read; earlier versions wrote an object by `schema.name`. */
  readonly open: readonly (SavedTable & { readonly table: TableName })[] | Readonly<Record<string, SavedTable>>;
}

/** Counts that come to those of a comparison when a round of tables is done. */
export interface Tally {
  tables: number;
  partitions: number;
  rows: number;
  undecided: number;
  changedSince: number;
  goneSince: number;
  sourceChangedSince: number;
}

export const emptyTally = (): Tally => ({
  tables: 0,
  partitions: 0,
  rows: 0,
  undecided: 0,
  changedSince: 0,
  goneSince: 0,
  sourceChangedSince: 0,
});

/** So many tables that differ are named; all are counted. */
const MOST_DIFFERENT = 1_000;
/** The same of tables that can't be proven, and of changes since. */
const MOST_NAMED = 100;
/** What differences may take, in bytes: rows are named, with values where the plan says so, as long as there is room. */
const MOST_DIFFERENCE_BYTES = 250_000;
/** What a heartbeat may have of tables that are being read, in bytes: Temporal takes 2 MiB, and warns from 512 KiB. */
const MOST_OPEN_BYTES = 450_000;

/** Counts of a comparison, and the place at which another process goes on when this one dies. */
export class ComparisonProgress implements Tally {
  readonly databases: string[];
  #after: TableName | undefined;
  #upTo: string | undefined;
  #listed: Listed | undefined;
  tables: number;
  partitions: number;
  rows: number;
  undecided: number;
  changedSince: number;
  goneSince: number;
  sourceChangedSince: number;
  readonly differences: TableDifference[];
  differentTables: number;
  #differenceBytes: number;
  /** The same rows on both sides, written otherwise. */
  readonly equalRows: EqualRows[];
  equalTables: number;
  readonly notProven: NotProven[];
  notProvenTables: number;
  /** What DDL did since the moment that the comparison is of, for people. */
  readonly since: string[];
  changes: number;
  readonly counted: Record<string, number>;
  readonly open = new TableMap<OpenTable>();
  /** Tables that this round is done with; they count when all of it is. */
  inRound = 0;
  /** For people: what is being done. */
  doing = '';
  readonly #saved = new TableMap<SavedTable>();
  readonly #savedByLabel: Map<string, SavedTable>;

  constructor(before?: SavedComparison) {
    this.databases = [...(before?.databases ?? [])];
    this.#after = before?.after;
    this.#upTo = before?.upTo;
    this.tables = before?.tables ?? 0;
    this.partitions = before?.partitions ?? 0;
    this.rows = before?.rows ?? 0;
    this.undecided = before?.undecided ?? 0;
    this.changedSince = before?.changedSince ?? 0;
    this.goneSince = before?.goneSince ?? 0;
    this.sourceChangedSince = before?.sourceChangedSince ?? 0;
    this.differences = [...(before?.differences ?? [])];
    this.#differenceBytes = jsonBytes(this.differences);
    this.differentTables = before?.differentTables ?? this.differences.length;
    this.equalRows = [...(before?.equalRows ?? [])];
    this.equalTables = before?.equalTables ?? this.equalRows.length;
    this.notProven = [...(before?.notProven ?? [])];
    this.notProvenTables = before?.notProvenTables ?? this.notProven.length;
    this.since = [...(before?.since ?? [])];
    this.changes = before?.changes ?? this.since.length;
    this.counted = { ...before?.counted };
    this.#listed = before?.listed;
    const open = before?.open ?? [];
    if (isList(open)) for (const { table, ...saved } of open) this.#saved.set(table, saved);
    this.#savedByLabel = new Map(isList(open) ? [] : Object.entries(open));
  }

  /**
   * What the lists of tables of a database say by themselves is noted once, over all attempts: all of it, or, when another method goes on where
   * the first one ended, what only that method can't compare. Earlier versions did not write that down; a table that is done says it as well.
   */
  notes(database: string, otherMethod: boolean): 'all' | 'what is left' | 'nothing' {
    const before = this.#listed?.database === database ? this.#listed : undefined;
    const isNoted = before !== undefined || this.#after !== undefined || this.#upTo !== undefined;
    this.#listed = { database, otherMethod: otherMethod || before?.otherMethod === true };
    if (!isNoted) return 'all';
    return otherMethod && before?.otherMethod !== true ? 'what is left' : 'nothing';
  }

  /**
   * Takes over what an attempt before this one wrote, now that the tables are known. What an earlier version wrote by
   * `schema.name` counts only where one table alone reads so.
   */
  isDone(tables: readonly TableName[]): (table: TableName) => boolean {
    const joined = ({ schema, name }: TableName) => `${schema}.${name}`;
    const times = new Map<string, number>();
    for (const table of tables) times.set(joined(table), (times.get(joined(table)) ?? 0) + 1);
    for (const table of tables) {
      const saved = times.get(joined(table)) === 1 && this.#savedByLabel.get(joined(table));
      if (saved) this.#saved.set(table, saved);
    }
    this.#savedByLabel.clear();
    const [after, upTo] = [this.#after, this.#upTo];
    return (table) =>
      (after !== undefined && compareNames(table, after) <= 0) ||
      (upTo !== undefined && compareText(joined(table), upTo) <= 0 && times.get(joined(table)) === 1);
  }

  /** What an attempt before this one had read of a table. */
  savedOf(table: TableName): SavedTable | undefined {
    return this.#saved.get(table);
  }

  forget(table: TableName): void {
    this.open.delete(table);
    this.#saved.delete(table);
  }

  differs(difference: TableDifference): void {
    this.differentTables += 1;
    if (this.differences.length >= MOST_DIFFERENT) return;
    const bytes = jsonBytes(difference);
    const { rows: _rows, ...counts } = difference;
    const hasRoom = this.#differenceBytes + bytes <= MOST_DIFFERENCE_BYTES;
    if (hasRoom) this.#differenceBytes += bytes;
    this.differences.push(hasRoom ? difference : { ...counts, examples: [] });
  }

  isEqual(one: EqualRows): void {
    this.equalTables += 1;
    if (this.equalRows.length < MOST_NAMED) this.equalRows.push(one);
  }

  /** For the result. */
  get equal(): { equalRows?: readonly EqualRows[]; equalTables?: number } {
    const { equalRows, equalTables } = this;
    if (equalTables === 0) return {};
    return { equalRows, ...(equalTables > equalRows.length ? { equalTables } : {}) };
  }

  cannotProve(one: NotProven): void {
    this.notProvenTables += 1;
    if (this.notProven.length < MOST_NAMED) this.notProven.push(one);
  }

  /** @param text what was changed since, for people */
  changedBy(text: string): void {
    this.changes += 1;
    if (this.since.length < MOST_NAMED) this.since.push(text);
  }

  count(counted: Counted): void {
    for (const [kind, count] of Object.entries(counted)) this.counted[kind] = (this.counted[kind] ?? 0) + count;
  }

  /** All tables up to `last`, in the order of names, are done. */
  roundDone(tally: Tally, last: TableName): void {
    for (const key of Object.keys(tally) as (keyof Tally)[]) this[key] += tally[key];
    this.#after = { schema: last.schema, name: last.name };
    this.inRound = 0;
  }

  databaseDone(database: string): void {
    this.databases.push(database);
    this.#after = undefined;
    this.#upTo = undefined;
    this.#listed = undefined;
    this.#saved.clear();
  }

  /** The details of a heartbeat. */
  details(): { waitingFor: string; tables: number; rows: number; resume: SavedComparison } {
    const blocks = [...this.open.entries()].map(([, { source }]) => source.progress);
    const [done, of] = [blocks.reduce((sum, one) => sum + one.done, 0), blocks.reduce((sum, one) => sum + one.of, 0)];
    return {
      waitingFor: `comparing ${this.doing}${of > 0 ? ` (${done} of ${of} blocks)` : ''}`,
      tables: this.tables + this.inRound,
      rows: this.rows,
      resume: {
        databases: this.databases,
        ...(this.#after === undefined ? {} : { after: this.#after }),
        ...(this.#upTo === undefined ? {} : { upTo: this.#upTo }),
        tables: this.tables,
        partitions: this.partitions,
        rows: this.rows,
        undecided: this.undecided,
        changedSince: this.changedSince,
        goneSince: this.goneSince,
        sourceChangedSince: this.sourceChangedSince,
        differences: this.differences,
        differentTables: this.differentTables,
        equalRows: this.equalRows,
        equalTables: this.equalTables,
        notProven: this.notProven,
        notProvenTables: this.notProvenTables,
        since: this.since,
        changes: this.changes,
        counted: this.counted,
        ...(this.#listed === undefined ? {} : { listed: this.#listed }),
        open: this.#openNow(),
      },
    };
  }

  /** What has no room is read again by the next attempt, from the beginning of that table. */
  #openNow(): (SavedTable & { table: TableName })[] {
    const kept: (SavedTable & { table: TableName })[] = [];
    let bytes = 0;
    const keep = (table: TableName, saved: SavedTable): void => {
      const ranges = saved.source.left.length + saved.target.left.length;
      bytes += 500 + ranges * 24 + saved.source.totals.length + saved.target.totals.length;
      if (bytes <= MOST_OPEN_BYTES) kept.push({ table, ...saved });
    };
    for (const [table, { source, target }] of this.open.entries()) {
      const isLong = source.table.isLong ? { isLong: true as const } : {};
      keep(table, { bucketing: source.bucketing, source: source.save(), target: target.save(), ...isLong });
    }
    for (const [table, saved] of this.#saved.entries()) if (!this.open.has(table)) keep(table, saved);
    return kept;
  }
}

/** `table` for a message that names it with its database. */
export const inDatabase = (database: string, table: TableName): string => `${database}: ${labelOf(table)}`;

/** The comparison in the details of a heartbeat of an attempt before; undefined: there is none. */
export function savedIn(details: unknown): SavedComparison | undefined {
  const resume = (details as { resume?: SavedComparison } | null | undefined)?.resume;
  return resume && Array.isArray(resume.databases) ? resume : undefined;
}

type Open = SavedComparison['open'];
/** Workers of an older version kept them by joined names. */
const isList = (open: Open): open is Extract<Open, readonly unknown[]> => Array.isArray(open);

import type { TableDifference } from '../../plan/report';
import type { Bucketing } from './buckets';
import type { SavedSide, SideScan } from './scan';

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
}

/** How far a comparison has come: plain JSON, in every heartbeat. */
export interface SavedComparison {
  /** Databases that are done. */
  readonly databases: readonly string[];
  /** In the database after those: tables up to this one, in order, are done. */
  readonly upTo?: string;
  readonly tables: number;
  readonly rows: number;
  readonly undecided: number;
  readonly changedSince: number;
  readonly goneSince: number;
  readonly differences: readonly TableDifference[];
  /** By label; tables of which only a part is read. */
  readonly open: Readonly<Record<string, SavedTable>>;
}

/** Counts of a comparison, and the place at which another process goes on when this one dies. */
export class ComparisonProgress {
  readonly databases: string[];
  upTo: string | undefined;
  tables: number;
  rows: number;
  undecided: number;
  changedSince: number;
  goneSince: number;
  readonly differences: TableDifference[];
  readonly open = new Map<string, OpenTable>();
  /** For people: what is being done. */
  doing = '';
  /** What an attempt before this one had read of tables. */
  readonly saved: Map<string, SavedTable>;

  constructor(before?: SavedComparison) {
    this.databases = [...(before?.databases ?? [])];
    this.upTo = before?.upTo;
    this.tables = before?.tables ?? 0;
    this.rows = before?.rows ?? 0;
    this.undecided = before?.undecided ?? 0;
    this.changedSince = before?.changedSince ?? 0;
    this.goneSince = before?.goneSince ?? 0;
    this.differences = [...(before?.differences ?? [])];
    this.saved = new Map(Object.entries(before?.open ?? {}));
  }

  databaseDone(database: string): void {
    this.databases.push(database);
    this.upTo = undefined;
  }

  /** The details of a heartbeat. */
  details(): { waitingFor: string; tables: number; rows: number; resume: SavedComparison } {
    const open = [...this.open].map(([label, { source, target }]): [string, SavedTable] => [
      label,
      { bucketing: source.bucketing, source: source.save(), target: target.save() },
    ]);
    const blocks = [...this.open.values()].map(({ source }) => source.progress);
    const [done, of] = [blocks.reduce((sum, one) => sum + one.done, 0), blocks.reduce((sum, one) => sum + one.of, 0)];
    return {
      waitingFor: `comparing ${this.doing}${of > 0 ? ` (${done} of ${of} blocks)` : ''}`,
      tables: this.tables,
      rows: this.rows,
      resume: {
        databases: this.databases,
        ...(this.upTo === undefined ? {} : { upTo: this.upTo }),
        tables: this.tables,
        rows: this.rows,
        undecided: this.undecided,
        changedSince: this.changedSince,
        goneSince: this.goneSince,
        differences: this.differences,
        open: Object.fromEntries([...this.saved, ...open]),
      },
    };
  }
}

/** The comparison in the details of a heartbeat of an attempt before; undefined: there is none. */
export function savedIn(details: unknown): SavedComparison | undefined {
  const resume = (details as { resume?: SavedComparison } | null | undefined)?.resume;
  return resume && Array.isArray(resume.databases) ? resume : undefined;
}

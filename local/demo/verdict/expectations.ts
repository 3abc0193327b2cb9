import type { Note } from '../../app/notes';

/** A row as it may be: gone, or there with a version. */
export type RowState = 'absent' | number;

/** What the application's notes say about one row. */
export interface Expectation {
  /** Its state after the last acknowledged write; undefined if no write of it was acknowledged. */
  acknowledged: RowState | undefined;
  /** States that it may have as well, since a commit was neither acknowledged nor refused. */
  readonly possible: Set<RowState>;
  /** Whether any write of it went to another server than the source. */
  afterCutover: boolean;
}

export interface NotesSummary {
  /** By `database.table`, by uid. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, Expectation>>;
  /** Transactions. */
  readonly acknowledged: number;
  readonly failed: number;
  readonly unknown: number;
  /** When each commit was acknowledged, ascending, in milliseconds since the epoch. */
  readonly acknowledgedAt: readonly number[];
  /** Unique constraints that a write after the cutover ran into: numbers that were handed out twice. */
  readonly violated: ReadonlySet<string>;
}

const UNIQUE_VIOLATION = '23505';

/** Reads all notes; `source` is the `host:port` that was written to before the cutover. */
export async function summarise(notes: AsyncIterable<Note>, source: string): Promise<NotesSummary> {
  const rows = new Map<string, Map<string, Expectation>>();
  const counts = { acknowledged: 0, failed: 0, unknown: 0 };
  const acknowledgedAt: number[] = [];
  const violated = new Set<string>();
  for await (const note of notes) {
    counts[note.outcome] += 1;
    const afterCutover = note.endpoint !== source;
    if (note.outcome === 'failed') {
      if (afterCutover && note.code === UNIQUE_VIOLATION) violated.add(note.constraint ?? 'unknown constraint');
      continue;
    }
    if (note.outcome === 'acknowledged') acknowledgedAt.push(note.at);
    for (const [table, what, uid, version] of note.writes) {
      const expectation = expectationOf(rows, `${note.database}.${table}`, uid);
      const after: RowState = what === 'delete' ? 'absent' : version;
      if (note.outcome === 'acknowledged') expectation.acknowledged = after;
      else {
        const before: RowState = what === 'insert' ? 'absent' : what === 'update' ? version - 1 : version;
        expectation.possible.add(before).add(after);
      }
      expectation.afterCutover ||= afterCutover;
    }
  }
  return { rows, ...counts, acknowledgedAt: acknowledgedAt.sort((a, b) => a - b), violated };
}

function expectationOf(rows: Map<string, Map<string, Expectation>>, table: string, uid: string): Expectation {
  let ofTable = rows.get(table);
  if (!ofTable) rows.set(table, (ofTable = new Map<string, Expectation>()));
  let expectation = ofTable.get(uid);
  if (!expectation) {
    expectation = { acknowledged: undefined, possible: new Set(), afterCutover: false };
    ofTable.set(uid, expectation);
  }
  return expectation;
}

import type { Note } from '../../app/notes';

/** A row as it may be: gone, or there with a version. */
export type RowState = 'absent' | number;

/** What the application's notes say about one row. */
export interface Expectation {
  /** Its state after the last acknowledged write; undefined if no write of it was acknowledged. */
  acknowledged: RowState | undefined;
  /** States that it may have as well, since a commit was neither acknowledged nor refused. */
  readonly possible: Set<RowState>;
  /** Whether any write of it came after the last move of traffic: then the side that was left knows nothing of it. */
  afterCutover: boolean;
}

export interface NotesSummary {
  /** By `database.table`, by uid. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, Expectation>>;
  /** Transactions. */
  readonly acknowledged: number;
  readonly failed: number;
  readonly unknown: number;
  /** When each failure was seen: transactions failed or unknown, connections refused or lost; ascending, in milliseconds since the epoch. */
  readonly errorsAt: readonly number[];
  /** When each commit was acknowledged, ascending, in milliseconds since the epoch. */
  readonly acknowledgedAt: readonly number[];
  /** Unique constraints that a write after the cutover ran into: numbers that were handed out twice. */
  readonly violated: ReadonlySet<string>;
}

const UNIQUE_VIOLATION = '23505';

/** Reads all notes; `isAfter` says which writes came after the last move of traffic. */
export async function summarise(
  notes: AsyncIterable<Note>,
  isAfter: (note: Pick<Note, 'endpoint' | 'at'>) => boolean,
): Promise<NotesSummary> {
  const rows = new Map<string, Map<string, Expectation>>();
  const counts = { acknowledged: 0, failed: 0, unknown: 0, refused: 0, lost: 0 };
  const acknowledgedAt: number[] = [];
  const errorsAt: number[] = [];
  const violated = new Set<string>();
  for await (const note of notes) {
    counts[note.outcome] += 1;
    const afterCutover = isAfter(note);
    if (note.outcome !== 'acknowledged') errorsAt.push(note.at);
    if (note.outcome === 'refused' || note.outcome === 'lost') continue;
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
  const { acknowledged, failed, unknown } = counts;
  const ascending = (times: number[]): number[] => times.sort((a, b) => a - b);
  return {
    rows,
    acknowledged,
    failed,
    unknown,
    acknowledgedAt: ascending(acknowledgedAt),
    errorsAt: ascending(errorsAt),
    violated,
  };
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

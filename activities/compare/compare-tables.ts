import type { TableDifference } from '../../plan/report';
import type { Session } from '../postgres/session';
import { fingerprintBuckets, fingerprintRows, fingerprintTable, type RowFingerprints } from './fingerprints';
import { type ComparedTable, labelOf } from './list-tables';

const EXAMPLES = 5;

/** Source and target session of one database. */
export interface Pair {
  readonly source: Session;
  readonly target: Session;
}

/** Keys of a table that do not agree, each with what the two sides have. */
export type Disagreements = Map<string, { source?: string; target?: string }>;

/** Rows of a table on the source, and the keys that do not agree. */
export interface TableComparison {
  readonly rows: number;
  readonly disagreements: Disagreements;
}

/**
 * Compares one table: fingerprints of the whole; if they differ, of buckets; of those that differ, row by row. Both sides
 * work at the same time.
 */
export async function compareTable({ source, target }: Pair, table: ComparedTable): Promise<TableComparison> {
  const [there, here] = await Promise.all([fingerprintTable(source, table), fingerprintTable(target, table)]);
  if (there.rows === here.rows && there.sum === here.sum) return { rows: there.rows, disagreements: new Map() };
  const [bucketsThere, bucketsHere] = await Promise.all([
    fingerprintBuckets(source, table),
    fingerprintBuckets(target, table),
  ]);
  const differing = [...new Set([...bucketsThere.keys(), ...bucketsHere.keys()])].filter(
    (bucket) => bucketsThere.get(bucket) !== bucketsHere.get(bucket),
  );
  const [rowsThere, rowsHere] = await Promise.all([
    fingerprintRows(source, table, differing),
    fingerprintRows(target, table, differing),
  ]);
  return { rows: there.rows, disagreements: disagreementsOf(rowsThere, rowsHere) };
}

export function disagreementsOf(source: RowFingerprints, target: RowFingerprints): Disagreements {
  const found: Disagreements = new Map();
  for (const key of new Set([...source.keys(), ...target.keys()])) {
    const there = source.get(key);
    const here = target.get(key);
    if (there !== here) found.set(key, { ...(there ? { source: there } : {}), ...(here ? { target: here } : {}) });
  }
  return found;
}

/** What the report says of a table whose rows differ. */
export function differenceOf(database: string, table: ComparedTable, disagreements: Disagreements): TableDifference {
  const all = [...disagreements.values()];
  return {
    database,
    table: labelOf(table),
    onlyOnSource: all.filter(({ target }) => target === undefined).length,
    onlyOnTarget: all.filter(({ source }) => source === undefined).length,
    different: all.filter(({ source, target }) => source !== undefined && target !== undefined).length,
    examples: [...disagreements.keys()].slice(0, EXAMPLES),
  };
}

/** Tables of both sides; one that only one side has is a difference by itself. */
export function pairTables(
  database: string,
  source: readonly ComparedTable[],
  target: readonly ComparedTable[],
): { both: ComparedTable[]; differences: TableDifference[] } {
  const there = new Map(source.map((table) => [labelOf(table), table]));
  const here = new Map(target.map((table) => [labelOf(table), table]));
  const missing = (table: string, onlyOnSource: number, onlyOnTarget: number): TableDifference => ({
    database,
    table,
    onlyOnSource,
    onlyOnTarget,
    different: 0,
    examples: ['(the whole table)'],
  });
  return {
    both: source.filter((table) => here.has(labelOf(table))),
    differences: [
      ...source.filter((table) => !here.has(labelOf(table))).map((table) => missing(labelOf(table), 1, 0)),
      ...target.filter((table) => !there.has(labelOf(table))).map((table) => missing(labelOf(table), 0, 1)),
    ],
  };
}

import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { finalFailure } from '../../plan/failures';
import type { Comparison, TableDifference } from '../../plan/report';
import type { Dependencies, MigrationRef } from '../dependencies';
import { readMark, writeMark } from '../postgres/fence-table';
import { accessTo, openSession } from '../postgres/session';
import { reportProgress } from '../heartbeat';
import { throwIfCancelled } from '../wait';
import {
  compareTable,
  type Disagreements,
  differenceOf,
  disagreementsOf,
  type Pair,
  pairTables,
} from './compare-tables';
import { fingerprintKeys } from './fingerprints';
import { type ComparedTable, listTables } from './list-tables';

const STATEMENT_TIMEOUT_MS = 6 * 3_600_000;
/** A row that differs while the source's did not change, this many times in a row, is different for good. */
const CONFIRMATIONS = 3;
/** Rows that are written all the time are given up as undecided after this many looks; the proof decides them. */
const MAX_LOOKS = 20;
const MARK_TIMEOUT_MS = 120_000;

export interface VerifyInput extends MigrationRef {
  readonly databases: readonly string[];
}

/**
 * Compares the contents of both sides while applications write to the source. Rows in flight are looked at again behind
 * a mark that has to arrive on the target first, until they agree or are proven different.
 * @throws ApplicationFailure ContentsDiffer with the tables and some keys
 */
export async function verifyContents(deps: Dependencies, input: VerifyInput): Promise<Comparison> {
  const startedAt = Date.now();
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  let tables = 0;
  let rows = 0;
  let undecided = 0;
  let current = '';
  const differences: TableDifference[] = [];
  reportProgress(() => ({ waitingFor: `comparing ${current}`, tables, rows }));
  for (const database of input.databases) {
    const options = { step: 'verify', database, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
    const pair = { source: await openSession(source, options), target: await openSession(target, options) };
    try {
      const lists = await Promise.all([listTables(pair.source, input.id), listTables(pair.target, input.id)]);
      const { both, differences: missing } = pairTables(database, ...lists);
      differences.push(...missing);
      for (const table of both) {
        await throwIfCancelled();
        current = `${database} ${table.schema}.${table.name}`;
        const compared = await compareTable(pair, table);
        const settled = await settle(pair, input.id, table, compared.disagreements);
        tables += 1;
        rows += compared.rows;
        undecided += settled.undecided;
        if (settled.different.size > 0) differences.push(differenceOf(database, table, settled.different));
      }
    } finally {
      await Promise.allSettled([pair.source.end(), pair.target.end()]);
    }
  }
  if (differences.length > 0) throw contentsDiffer(differences);
  return { tables, rows, undecided, differences, durationMs: Date.now() - startedAt };
}

export function contentsDiffer(differences: readonly TableDifference[]) {
  const lines = differences
    .slice(0, 20)
    .map(
      (one) =>
        `  ${one.database} ${one.table}: ${one.onlyOnSource} only on the source, ${one.onlyOnTarget} only on the target, ${one.different} different; for example ${one.examples.join(', ')}`,
    );
  return finalFailure(
    'ContentsDiffer',
    `Source and target differ in ${differences.length} table${differences.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
    { tables: differences.length, first: differences.slice(0, 20).map(({ examples: _keys, ...counts }) => counts) },
  );
}

/** Looks again at rows that disagreed, until they agree, are proven different, or never hold still. */
async function settle(
  pair: Pair,
  migration: string,
  table: ComparedTable,
  disagreements: Disagreements,
): Promise<{ different: Disagreements; undecided: number }> {
  let open = new Map([...disagreements.keys()].map((key) => [key, 0]));
  const different: Disagreements = new Map();
  for (let look = 0; open.size > 0 && look < MAX_LOOKS; look++) {
    const keys = [...open.keys()];
    const before = await fingerprintKeys(pair.source, table, keys);
    await waitForMark(pair, migration);
    const here = await fingerprintKeys(pair.target, table, keys);
    const after = await fingerprintKeys(pair.source, table, keys);
    const still = disagreementsOf(after, here);
    const next = new Map<string, number>();
    for (const [key, sides] of still) {
      const confirmed = before.get(key) === after.get(key) ? (open.get(key) ?? 0) + 1 : 0;
      if (confirmed >= CONFIRMATIONS) different.set(key, sides);
      else next.set(key, confirmed);
    }
    open = next;
  }
  return { different, undecided: open.size };
}

/** Waits until everything that the source had committed before now is applied on the target. */
async function waitForMark(pair: Pair, migration: string): Promise<void> {
  const mark = randomUUID();
  await writeMark(pair.source, migration, 'verify', mark);
  const giveUpAt = Date.now() + MARK_TIMEOUT_MS;
  while ((await readMark(pair.target, migration, 'verify')) !== mark) {
    if (Date.now() > giveUpAt)
      throw new Error(`the target did not apply a mark of the source within ${MARK_TIMEOUT_MS} ms`);
    await Context.current().sleep(20);
  }
}

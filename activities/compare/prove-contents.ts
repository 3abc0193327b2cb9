import type { Proof, TableDifference } from '../../plan/report';
import { applicationName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { type Access, accessTo, openSession, withSession } from '../postgres/session';
import { reportProgress } from '../heartbeat';
import { compareTable, type Disagreements, differenceOf, type Pair, pairTables } from './compare-tables';
import { keysWrittenSince } from './fingerprints';
import { type ComparedTable, listTables } from './list-tables';
import { contentsDiffer } from './verify-contents';

const STATEMENT_TIMEOUT_MS = 24 * 3_600_000;

export interface ProveInput extends MigrationRef {
  readonly databases: readonly string[];
  /** Per database, `pg_current_snapshot()` of the target inside the pause. */
  readonly targetSnapshots: Readonly<Record<string, string>>;
}

/**
 * Compares everything as of the cutover, while applications already write to the target. Under the snapshots of the
 * pause where this process holds them: exact. Otherwise the source, which is still fenced, against those row versions of
 * the target that were there at the cutover.
 * @throws ApplicationFailure ContentsDiffer
 */
export async function proveContents(deps: Dependencies, input: ProveInput): Promise<Proof> {
  try {
    return await compareAsOfCutover(deps, input);
  } finally {
    // A snapshot whose session failed once is of no use to the next attempt.
    await deps.snapshots.release(input.id);
  }
}

async function compareAsOfCutover(deps: Dependencies, input: ProveInput): Promise<Proof> {
  const startedAt = Date.now();
  const held = deps.snapshots.get(input.id);
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  if (!held) await endLostSnapshots(input.id, [source, target]);
  const total = { tables: 0, rows: 0, changedSince: 0, goneSince: 0, current: '' };
  const differences: TableDifference[] = [];
  reportProgress(() => ({ waitingFor: `comparing ${total.current}`, tables: total.tables, rows: total.rows }));
  for (const database of input.databases) {
    const pair = held?.get(database) ?? (await openPair(source, target, database));
    const since = held?.has(database) ? undefined : input.targetSnapshots[database];
    try {
      const lists = await Promise.all([listTables(pair.source, input.id), listTables(pair.target, input.id)]);
      const { both, differences: missing } = pairTables(database, ...lists);
      differences.push(...missing);
      for (const table of both) {
        total.current = `${database} ${table.schema}.${table.name}`;
        const { rows, disagreements } = await compareTable(pair, table);
        const explained = since ? await explainBySince(pair, table, disagreements, since) : { written: 0, gone: 0 };
        total.tables += 1;
        total.rows += rows;
        total.changedSince += explained.written;
        total.goneSince += explained.gone;
        if (disagreements.size > 0) differences.push(differenceOf(database, table, disagreements));
      }
    } finally {
      if (!held?.has(database)) await Promise.allSettled([pair.source.end(), pair.target.end()]);
    }
  }
  if (differences.length > 0) throw contentsDiffer(differences);
  return {
    method: held ? 'snapshot' : 'row-versions',
    tables: total.tables,
    rows: total.rows,
    differences,
    undecided: 0,
    changedSince: total.changedSince,
    goneSince: total.goneSince,
    durationMs: Date.now() - startedAt,
  };
}

/** Ends the sessions of a process that held the snapshots and can't use them any more: they would hold back vacuum. */
async function endLostSnapshots(migration: string, sides: readonly Access[]): Promise<void> {
  for (const access of sides) {
    await withSession(access, { step: 'end-snapshots', database: 'postgres' }, (session) =>
      session.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
        applicationName(migration, 'proof'),
      ]),
    );
  }
}

async function openPair(source: Access, target: Access, database: string): Promise<Pair> {
  const options = { step: 'proof', database, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  const pair = {
    source: await openSession(source, { ...options, readOnly: true }),
    target: await openSession(target, { ...options, readOnly: true }),
  };
  // One snapshot for all tables of a side, so that the passes over a table see the same rows.
  await Promise.all(
    [pair.source, pair.target].map((session) => session.query('BEGIN ISOLATION LEVEL REPEATABLE READ')),
  );
  return pair;
}

/**
 * Removes from `disagreements` what applications did on the target after the cutover: rows written since, and rows of
 * the source that are gone. Without the snapshots, a row that was deleted since can't be told from one that never came:
 * the report says how many there were (`goneSince`).
 */
async function explainBySince(
  pair: Pair,
  table: ComparedTable,
  disagreements: Disagreements,
  snapshot: string,
): Promise<{ written: number; gone: number }> {
  const explained = { written: 0, gone: 0 };
  if (disagreements.size === 0) return explained;
  const written = await keysWrittenSince(pair.target, table, [...disagreements.keys()], snapshot);
  for (const [key, { target }] of [...disagreements]) {
    if (target === undefined) explained.gone += 1;
    else if (written.has(key)) explained.written += 1;
    else continue;
    disagreements.delete(key);
  }
  return explained;
}

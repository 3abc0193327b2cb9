import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { InventoryCount, Proof } from '../../plan/report';
import { isSqlState } from '../classify-error';
import type { Dependencies, MigrationRef } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { endSessionsFor } from '../postgres/ours';
import { type Access, accessTo, withSession } from '../postgres/session';
import { compareDatabase, type Decided, type SnapshotNames } from './compare-database';
import { contentsDiffer } from './differences';
import { exportSnapshot } from './exported-snapshot';
import { addCounts, countObjects, rewrittenSince, sequencesBehind } from './inventory';
import type { ComparedTable } from './list-tables';
import { openSessions } from './open-sessions';
import { ComparisonProgress, type SavedComparison, savedIn } from './progress';
import { Reader, type ReaderPair } from './reader';
import { type Disagreements, keysWrittenSince } from './row-fingerprints';
import type { HeldPair } from './snapshot-holder';

/** `invalid_parameter_value`: the snapshot to import isn't there any more. */
const NO_SUCH_SNAPSHOT = ['22023', '42704'];

export interface ProveInput extends MigrationRef {
  readonly databases: readonly string[];
  /** Per database, `pg_current_snapshot()` of the target inside the pause. */
  readonly targetSnapshots: Readonly<Record<string, string>>;
  /** What had been proven under the snapshots when these were lost: the rest is to be proven by row versions. */
  readonly bySnapshot?: SavedComparison;
}

/**
 * Compares everything as of the cutover, while applications already write to the target. Under the snapshots of the
 * pause where this process holds them: exact. Otherwise the source, which is still fenced, against those row versions of
 * the target that were there at the cutover.
 * @throws ApplicationFailure ContentsDiffer; SnapshotsLost (to be tried by another process) with how far it had come
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
  const before = savedIn(Context.current().info.heartbeatDetails) ?? input.bySnapshot;
  const progress = new ComparisonProgress(held ? undefined : before && withoutOpen(before));
  reportProgress(() => progress.details());
  progress.doing = 'objects and sequences';
  const { inventory, behind } = await takeInventory(input, [source, target], held);
  for (const database of input.databases) {
    const pair = held?.get(database);
    if (progress.databases.includes(database)) continue;
    const proving = { input, database, progress, source, target };
    try {
      await (pair ? proveUnder(proving, pair) : proveByRowVersions(proving));
    } catch (error) {
      if (!held || error instanceof ApplicationFailure || Context.current().cancellationSignal.aborted) throw error;
      const lost = isSqlState(error, ...NO_SUCH_SNAPSHOT) ? 'its snapshots are gone' : String(error);
      throw ApplicationFailure.retryable(
        `The proof under the snapshots of the pause ended after ${progress.tables} tables: ${lost}`,
        'SnapshotsLost',
        progress.details(),
      );
    }
  }
  if (progress.differences.length > 0) throw contentsDiffer(progress.differences);
  const { tables, rows, changedSince, goneSince, differences } = progress;
  return {
    method: held ? 'snapshot' : 'row-versions',
    tables,
    rows,
    differences,
    undecided: 0,
    changedSince,
    goneSince,
    ...(held ? {} : { tablesBySnapshot: input.bySnapshot?.tables ?? 0 }),
    inventory,
    sequencesBehind: behind,
    durationMs: Date.now() - startedAt,
    provenAt: new Date().toISOString(),
  };
}

/** Counts as of the snapshots where these are held; sequences know no snapshots, and may only be ahead. */
async function takeInventory(
  { id, databases }: ProveInput,
  [source, target]: readonly [Access, Access],
  held: ReadonlyMap<string, HeldPair> | undefined,
): Promise<{ inventory: Record<string, InventoryCount>; behind: string[] }> {
  const inventory: Record<string, InventoryCount> = {};
  const behind: string[] = [];
  for (const database of databases) {
    const options = { step: 'proof-inventory', database, readOnly: true };
    await withSession(source, options, (there) =>
      withSession(target, options, async (here) => {
        const pair = held?.get(database) ?? { source: there, target: here };
        addCounts(inventory, await countObjects(pair.source, id), await countObjects(pair.target, id));
        behind.push(...(await sequencesBehind(there, here, database, id)));
      }),
    );
  }
  return { inventory, behind };
}

/** Parts of tables were read under snapshots that are gone. */
const withoutOpen = (saved: SavedComparison): SavedComparison => ({ ...saved, open: {} });

interface Proving {
  readonly input: ProveInput;
  readonly database: string;
  readonly progress: ComparisonProgress;
  readonly source: Access;
  readonly target: Access;
}

/** Several sessions read under the snapshots that the pair holds. */
function proveUnder(proving: Proving, held: HeldPair): Promise<void> {
  return prove(proving, held.exported, async (_pair, table, found) => {
    // To an older snapshot a table that was rewritten looks empty: nothing can be said of it any more.
    const rewritten = await Promise.all([held.source, held.target].map((keeper) => rewrittenSince(keeper, table)));
    return rewritten.includes(true) ? { different: new Map(), changedSince: found.size } : { different: found };
  });
}

/** The same, under snapshots of now; what differs by what applications did since is taken out. */
async function proveByRowVersions(proving: Proving): Promise<void> {
  const { source, target, database, input } = proving;
  const since = input.targetSnapshots[database];
  if (since === undefined) throw new Error(`no snapshot of the target is known for ${database}`);
  const keepers = await openSessions([
    { access: source, count: 1, step: 'proof-now', database, readOnly: true },
    { access: target, count: 1, step: 'proof-now', database, readOnly: true },
  ]);
  try {
    const [[there], [here]] = keepers.sessions;
    if (!there || !here) throw new Error('a proof needs a session on each side');
    const exported = { source: (await exportSnapshot(there)).name, target: (await exportSnapshot(here)).name };
    await prove(proving, exported, (pair, table, found) => explainBySince(pair, table, found, since));
  } finally {
    await keepers.end();
  }
}

async function prove(
  { input, database, progress, source, target }: Proving,
  names: SnapshotNames,
  decide: (pair: ReaderPair, table: ComparedTable, found: Disagreements) => Promise<Decided>,
): Promise<void> {
  const { workers, showValues } = input.plan.verify;
  const opened = await openSessions([
    { access: source, count: workers + 1, step: 'proof-reader', database, readOnly: true },
    { access: target, count: workers + 1, step: 'proof-reader', database, readOnly: true },
  ]);
  try {
    const [there, here] = opened.sessions;
    const [thereNow, hereNow] = [there[0], here[0]];
    if (!thereNow || !hereNow) throw new Error('a proof needs a session on each side');
    await compareDatabase(
      {
        migration: input.id,
        showValues,
        progress,
        source: there.slice(1).map((session) => new Reader(session, undefined)),
        target: here.slice(1).map((session) => new Reader(session, undefined)),
        catalogs: { source: thereNow, target: hereNow },
        snapshots: () => Promise.resolve(names),
        roundRead: () => Promise.resolve(names),
        decide,
      },
      database,
    );
  } finally {
    await opened.end();
  }
}

/** Ends the sessions of a process that held the snapshots and can't use them any more: they would hold back vacuum. */
async function endLostSnapshots(migration: string, sides: readonly Access[]): Promise<void> {
  for (const access of sides) {
    await withSession(access, { step: 'end-snapshots', database: 'postgres' }, (session) =>
      endSessionsFor(session, migration, ['proof', 'proof-reader', 'proof-now']),
    );
  }
}

/**
 * Removes from `disagreements` what applications did on the target after the cutover: rows written since, and rows of
 * the source that are gone. Without the snapshots, a row that was deleted since can't be told from one that never came:
 * the report says how many there were (`goneSince`).
 */
async function explainBySince(
  pair: ReaderPair,
  table: ComparedTable,
  disagreements: Disagreements,
  snapshot: string,
): Promise<Decided> {
  const written = await keysWrittenSince(pair.target, table, disagreements, snapshot);
  const different: Disagreements = new Map();
  let [changedSince, goneSince] = [0, 0];
  for (const [key, sides] of disagreements) {
    if (sides.target === undefined) goneSince += 1;
    else if (written.has(key)) changedSince += 1;
    else different.set(key, sides);
  }
  return { different, changedSince, goneSince };
}

import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { InventoryCount, Proof } from '../../plan/report';
import { isSqlState } from '../classify-error';
import type { Dependencies, MigrationRef } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { endSessionsFor } from '../postgres/ours';
import { type Access, accessTo, type Session, type Side, withSession } from '../postgres/session';
import { ByRowVersions } from './by-row-versions';
import { compareDatabase, type Comparing, type SnapshotNames } from './compare-database';
import { coverageOf } from './coverage';
import { contentsDiffer } from './differences';
import { findEqualRows } from './equal-rows';
import { exportSnapshot } from './exported-snapshot';
import { addCounts, countObjects, sequencesBehind } from './inventory';
import { openSessions } from './open-sessions';
import { ComparisonProgress, type SavedComparison, savedIn } from './progress';
import { Reader } from './reader';
import type { HeldPair } from './snapshot-holder';
import { labelOf } from './table-name';
import { AsOf, underSnapshots } from './under-snapshots';

/** `invalid_parameter_value`: the snapshot to import isn't there any more. */
const NO_SUCH_SNAPSHOT = ['22023', '42704'];
/** So many sequences are named. */
const MOST_SEQUENCES = 100;

export interface ProveInput extends MigrationRef {
  readonly databases: readonly string[];
  /** Per database, `pg_current_snapshot()` of the target inside the pause. */
  readonly targetSnapshots: Readonly<Record<string, string>>;
  /** The same of the source; absent where a version that didn't note them made the pause. */
  readonly sourceSnapshots?: Readonly<Record<string, string>>;
  /** What had been proven under the snapshots when these were lost: the rest is to be proven by row versions. */
  readonly bySnapshot?: SavedComparison;
}

/**
 * Compares everything as of the cutover, while applications already write to the target. Under the snapshots of the
 * pause where this process holds them: exact. Otherwise those row versions of both sides that were there at the cutover: of the rest
 * it says how much it is.
 * @throws ApplicationFailure ContentsDiffer; ProofIncomplete; SnapshotsLost (to be tried by another process) with how far it had come
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
  const ownBefore = savedIn(Context.current().info.heartbeatDetails);
  const before = ownBefore ?? input.bySnapshot;
  const progress = new ComparisonProgress(held ? undefined : before && withoutOpen(before));
  reportProgress(() => progress.details());
  progress.doing = 'objects and sequences';
  const { inventory, behind } = await takeInventory(input, [source, target], held);
  for (const database of input.databases) {
    const pair = held?.get(database);
    if (progress.databases.includes(database)) continue;
    const proving = { input, database, progress, source, target, otherMethod: ownBefore === undefined };
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
  if (progress.differences.length > 0) throw contentsDiffer(progress.differences, progress.differentTables);
  return {
    method: held ? 'snapshot' : 'row-versions',
    ...foundBy(progress),
    ...(held ? {} : ofRowVersions(input, progress)),
    inventory,
    sequencesBehind: behind.slice(0, MOST_SEQUENCES),
    ...(behind.length > MOST_SEQUENCES ? { sequencesBehindCount: behind.length } : {}),
    durationMs: Date.now() - startedAt,
    provenAt: new Date().toISOString(),
  };
}

function foundBy(progress: ComparisonProgress) {
  const { tables, partitions, rows, changedSince, goneSince, differences, counted } = progress;
  const { notProven, notProvenTables, since, changes } = progress;
  return {
    tables,
    rows,
    differences,
    undecided: 0,
    changedSince,
    goneSince,
    ...progress.equal,
    // A proof that an older version began has not counted from the beginning.
    ...(Object.keys(counted).length > 0 ? { coverage: coverageOf(counted, { tables, partitions }) } : {}),
    ...(notProvenTables > 0 ? { notProven, notProvenTables } : {}),
    ...(changes > 0 ? { ddlSince: since, ddlChanges: changes } : {}),
  };
}

const ofRowVersions = ({ bySnapshot, sourceSnapshots }: ProveInput, { sourceChangedSince }: ComparisonProgress) => ({
  tablesBySnapshot: bySnapshot?.tables ?? 0,
  ...(sourceSnapshots ? { sourceChangedSince } : {}),
});

/** Counts as of the snapshots where these are held; sequences know no snapshots, and may only be ahead. */
async function takeInventory(
  input: ProveInput,
  [source, target]: readonly [Access, Access],
  held: ReadonlyMap<string, HeldPair> | undefined,
): Promise<{ inventory: Record<string, InventoryCount>; behind: string[] }> {
  const { id, databases } = input;
  const inventory: Record<string, InventoryCount> = {};
  const behind: string[] = [];
  for (const database of databases) {
    const options = { step: 'proof-inventory', database, readOnly: true };
    await withSession(source, options, (there) =>
      withSession(target, options, async (here) => {
        const now = { source: there, target: here };
        const pair = held?.get(database) ?? now;
        addCounts(inventory, await countObjects(pair.source, input), await countObjects(pair.target, input));
        const names = await sequencesBehind(pair, now, id);
        behind.push(...names.map((name) => `${database} ${labelOf(name)}`));
      }),
    );
  }
  return { inventory, behind };
}

/** Parts of tables were read under snapshots that are gone. */
const withoutOpen = (saved: SavedComparison): SavedComparison => ({ ...saved, open: [] });

interface Proving {
  readonly input: ProveInput;
  readonly database: string;
  readonly progress: ComparisonProgress;
  readonly source: Access;
  readonly target: Access;
  /** `progress` was begun under the snapshots. */
  readonly otherMethod: boolean;
}

/** Several sessions read under the snapshots that the pair holds. */
function proveUnder(proving: Proving, held: HeldPair): Promise<void> {
  return prove(proving, held, held.exported, ({ now }) => underSnapshots(new AsOf(held, now)));
}

/** Under snapshots of now, row versions that came since the pause are left out. */
async function proveByRowVersions(proving: Proving): Promise<void> {
  const { source, target, database, input, otherMethod } = proving;
  const snapshotOfTarget = input.targetSnapshots[database];
  const snapshotOfSource = input.sourceSnapshots?.[database];
  if (snapshotOfTarget === undefined) throw new Error(`no snapshot of the target is known for ${database}`);
  const snapshots = {
    target: snapshotOfTarget,
    ...(snapshotOfSource === undefined ? {} : { source: snapshotOfSource }),
  };
  const keepers = await openSessions([
    { access: source, count: 1, step: 'proof-now', database, readOnly: true },
    { access: target, count: 1, step: 'proof-now', database, readOnly: true },
  ]);
  try {
    const [[there], [here]] = keepers.sessions;
    if (!there || !here) throw new Error('a proof needs a session on each side');
    // The source's first: what the way back has brought there, the target's snapshot has as well.
    const exported = { source: (await exportSnapshot(there)).name, target: (await exportSnapshot(here)).name };
    await prove(proving, { source: there, target: here }, exported, ({ now, readers }) => {
      // What the types of the target were at the pause, only the source still knows.
      const asOf = new AsOf({ source: there, target: here }, now, { source: there, target: there });
      const by = new ByRowVersions(asOf, here, readers, snapshots);
      return {
        pair: (name, ...tables) => by.pair(name, ...tables),
        placed: (tables) => by.placed(tables),
        decide: (...of) => by.decide(...of),
        leftOut: (tables) => by.leftOut(tables),
        otherMethod,
      };
    });
  } finally {
    await keepers.end();
  }
}

type Way = Pick<Comparing, 'pair' | 'placed' | 'decide' | 'leftOut' | 'otherMethod'>;

/** @param then sessions whose snapshots the tables are listed under */
async function prove(
  { input, database, progress, source, target }: Proving,
  then: Readonly<Record<Side, Session>>,
  names: SnapshotNames,
  way: (found: { now: Record<Side, Session>; readers: Record<Side, Reader> }) => Way,
): Promise<void> {
  const { workers, showValues } = input.plan.verify;
  const opened = await openSessions([
    { access: source, count: workers + 1, step: 'proof-reader', database, readOnly: true },
    { access: target, count: workers + 1, step: 'proof-reader', database, readOnly: true },
  ]);
  try {
    const [[thereNow, ...there], [hereNow, ...here]] = opened.sessions;
    const readers = {
      source: there.map((session) => new Reader('source', session, undefined)),
      target: here.map((session) => new Reader('target', session, undefined)),
    };
    const [first, second] = [readers.source[0], readers.target[0]];
    if (!thereNow || !hereNow || !first || !second) throw new Error('a proof needs a session on each side');
    const found = {
      now: { source: thereNow, target: hereNow },
      readers: { source: first.under(names.source), target: second.under(names.target) },
    };
    await compareDatabase(
      {
        migration: input.id,
        showValues,
        progress,
        ...readers,
        catalogs: then,
        snapshots: () => Promise.resolve(names),
        roundRead: () => Promise.resolve(names),
        equal: (pair, table, { disagreed, goneSince }) => findEqualRows(pair, table, disagreed, goneSince > 0),
        ...way(found),
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

import { Context } from '@temporalio/activity';
import type { Comparison } from '../../plan/report';
import type { Dependencies, MigrationRef } from '../dependencies';
import { refuseFailingApply } from '../follow/refuse-failing-apply';
import { sourceIsUnderPressure } from '../guard/pressure';
import { reportProgress } from '../heartbeat';
import { accessTo } from '../postgres/session';
import { compareDatabase, type SnapshotNames } from './compare-database';
import { contentsDiffer } from './differences';
import { findEqualRows } from './equal-rows';
import { LiveSnapshots, type LiveSessions, waitForMark } from './live-sides';
import { openSessions } from './open-sessions';
import { pacedBy } from './pace';
import { ComparisonProgress, savedIn } from './progress';
import { Reader } from './reader';
import { settle } from './settle';

const NO_SNAPSHOT: SnapshotNames = { source: undefined, target: undefined };

export interface VerifyInput extends MigrationRef {
  readonly databases: readonly string[];
}

/**
 * Compares the contents of both sides while applications write to the source. Rows in flight are looked at again behind
 * a mark that has to arrive on the target first, until they agree or are proven different. Rows that are equal, but not identical, are counted.
 * An attempt goes on at the chunk at which the one before it died.
 * @throws ApplicationFailure ContentsDiffer with the tables and some keys; SubscriptionFailed when apply fails meanwhile
 */
export async function verifyContents(deps: Dependencies, input: VerifyInput): Promise<Comparison> {
  const startedAt = Date.now();
  const progress = new ComparisonProgress(savedIn(Context.current().info.heartbeatDetails));
  reportProgress(() => progress.details());
  for (const database of input.databases) {
    if (!progress.databases.includes(database)) await verifyDatabase(deps, input, database, progress);
  }
  if (progress.differences.length > 0) throw contentsDiffer(progress.differences, progress.differentTables);
  const { tables, rows, undecided, differences, notProven, notProvenTables } = progress;
  return {
    tables,
    rows,
    undecided,
    differences,
    ...progress.equal,
    ...(notProvenTables > 0 ? { notProven, notProvenTables } : {}),
    durationMs: Date.now() - startedAt,
  };
}

async function verifyDatabase(
  deps: Dependencies,
  input: VerifyInput,
  database: string,
  progress: ComparisonProgress,
): Promise<void> {
  const { workers, dutyPercent, showValues } = input.plan.verify;
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const opened = await openSessions([
    { access: source, count: workers + 2, step: 'verify', database },
    { access: target, count: workers + 2, step: 'verify', database },
  ] as const);
  try {
    const [there, here] = opened.sessions;
    const sessions = {
      source: there[0],
      target: here[0],
      sourceKeeper: there[1],
      targetKeeper: here[1],
    } as LiveSessions;
    const whileWaiting = () => refuseFailingApply(deps, input);
    const snapshots = new LiveSnapshots(sessions, input.id, whileWaiting);
    const doing = { before: '', paused: false };
    const pace = pacedBy({
      dutyPercent,
      session: sessions.source,
      pressure: () => sourceIsUnderPressure(deps, input),
      async paused(reason) {
        if (reason === undefined) {
          if (doing.paused) progress.doing = doing.before;
          doing.paused = false;
          return;
        }
        // A snapshot that waits holds back vacuum for nothing.
        if (!doing.paused) await snapshots.drop();
        if (!doing.paused) doing.before = progress.doing;
        doing.paused = true;
        progress.doing = `nothing, paused: ${reason}`;
      },
    });
    await compareDatabase(
      {
        migration: input.id,
        showValues,
        progress,
        source: there.slice(2).map((session) => new Reader('source', session, undefined, pace)),
        target: here.slice(2).map((session) => new Reader('target', session, undefined)),
        catalogs: sessions,
        snapshots: () => snapshots.current(),
        async roundRead() {
          await snapshots.drop();
          return NO_SNAPSHOT;
        },
        decide: (pair, table, found) => settle(pair, table, found, () => waitForMark(sessions, input.id, whileWaiting)),
        equal: (pair, table, { different }) => findEqualRows(pair, table, different),
      },
      database,
    );
  } finally {
    await opened.end();
  }
}

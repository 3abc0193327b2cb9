import { subscriptionName } from '../../plan/names';
import type { Plan } from '../../plan/plan';
import { exportSnapshot } from '../compare/exported-snapshot';
import type { HeldPair } from '../compare/snapshot-holder';
import type { Dependencies, MigrationRef } from '../dependencies';
import {
  type Access,
  accessTo,
  type Endpoint,
  openSession,
  pidOf,
  type Session,
  type SessionOptions,
  withSession,
  cutSession,
  endSession,
} from '../postgres/session';
import { closedDatabases } from '../quarantine/read-only';
import type { QuarantineRecord } from '../quarantine/records';
import { endSessionsFor, identify, type OurSessions } from '../postgres/ours';
import { originOf, requireSubscription } from '../postgres/subscriptions';
import { type NeighbourPlan, planNeighbours } from './neighbours';
import { listSequences, type SequenceName } from './sequences';

/** Sessions of one database, open before writes stop. */
export interface DatabasePair {
  readonly source: Session;
  readonly target: Session;
  readonly sequences: readonly SequenceName[];
  /** The replication origin, on the target, of what comes from the source. */
  readonly origin: string;
  /** Of the proof, which begins with the snapshots; until then sequences are copied in them while the others wait for the drain. */
  readonly proof: { readonly source: Session; readonly target: Session };
  /** Sessions for what is copied inside the pause, where the plan has anything copied. */
  readonly carry?: { readonly source: Session; readonly target: Session };
}

/** Sessions of both sides in the first database, where roles are changed and the cutover is noted. */
export type FirstPair = Pick<DatabasePair, 'source' | 'target'>;

/** Where both sides listen. */
export interface Endpoints {
  readonly sourceEndpoint: Endpoint;
  readonly targetEndpoint: Endpoint;
}

/** Everything that the pause needs and that takes a connection to have. */
export interface PauseSessions extends Endpoints {
  readonly pairs: ReadonlyMap<string, DatabasePair>;
  /** The first database's pair: where roles are changed and the cutover is noted. */
  readonly first: DatabasePair;
  /** On the source, idle until the pause is given up: then nothing has to be connected any more. */
  readonly spare: Session;
  /** All of them, as server processes: whoever else has our name is not ours. */
  readonly ours: OurSessions;
  /** What writes on the source by itself and has to be stopped, if there is any. */
  readonly neighbours?: NeighbourPlan;
  /** Databases of the target that the quarantine closed for writes. */
  readonly closed: readonly QuarantineRecord[];
  /** Ends the transactions of the proof: what is written in its sessions before the next call needs others. */
  dropSnapshots(): Promise<void>;
  /** Begins the transactions of the proof, anew at every call. Returns the snapshots of both sides, per database. */
  takeSnapshots(): Promise<{ source: Record<string, string>; target: Record<string, string> }>;
  /** Hands the sessions of the proof to the holder. */
  holdSnapshots(deps: Dependencies, migration: string): Promise<void>;
  /** Cuts all of them off but the spare one, both sides: nothing of this attempt can act any more. */
  cut(): void;
  close(how: { keepSnapshots: boolean }): Promise<void>;
}

/** Whether the plan has anything copied while writes are stopped. */
export const copiesInPause = ({ carry }: Plan): boolean =>
  carry.largeObjects === 'copy' || carry.unloggedTables === 'copy';

/** So long the statement that takes the fence down may take, and every one behind it. */
export const GIVE_UP_TIMEOUT_MS = 2_000;
/** A statement in the pause that takes longer than this is given up. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** The proof reads whole tables in the same sessions. */
const PROOF_STATEMENT_TIMEOUT_MS = 24 * 3_600_000;

export async function openPauseSessions(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
  signal: AbortSignal,
): Promise<PauseSessions> {
  const opened: Session[] = [];
  try {
    return await openAll(deps, input, signal, opened);
  } catch (error) {
    await Promise.allSettled(opened.map(endSession));
    throw error;
  }
}

async function openAll(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
  signal: AbortSignal,
  opened: Session[],
): Promise<PauseSessions> {
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const pairs = new Map<string, DatabasePair>();
  const held = new Map<string, HeldPair>();
  const pids = { source: [] as number[], target: [] as number[] };
  const open: typeof openSession = async (...options) => {
    // Whoever comes late must not end sessions of the pause behind this one, nor open any.
    signal.throwIfAborted();
    const session = await openSession(...options);
    opened.push(session);
    pids[options[0] === source ? 'source' : 'target'].push(pidOf(session));
    return session;
  };
  const openPair = async (options: SessionOptions) => ({
    source: await open(source, options),
    target: await open(target, options),
  });
  signal.throwIfAborted();
  await endEarlierAttempt(input.id, [source, target]);
  for (const database of input.databases) {
    const pair = await openPair({ step: 'pause', database, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
    const carry = copiesInPause(input.plan)
      ? // One statement copies a whole table; the budget is its limit.
        await openPair({ step: 'pause', database, statementTimeoutMs: input.plan.cutover.pauseBudgetMs })
      : undefined;
    pairs.set(database, {
      ...pair,
      proof: await openPair({ step: 'proof', database, statementTimeoutMs: PROOF_STATEMENT_TIMEOUT_MS }),
      sequences: await listSequences(pair.source, input.id),
      origin: originOf(await requireSubscription(pair.target, subscriptionName(input, database))),
      ...(carry ? { carry } : {}),
    });
  }
  const [[database, first] = []] = pairs;
  if (!first || database === undefined) throw new Error('no database to cut over');
  const spare = await open(source, { step: 'pause', database, statementTimeoutMs: GIVE_UP_TIMEOUT_MS });
  const neighbours = await planNeighbours(input, pairs);
  const closed = await closedDatabases(first.target, input.id);
  return {
    closed,
    ...(neighbours ? { neighbours } : {}),
    sourceEndpoint: source.endpoint,
    targetEndpoint: target.endpoint,
    pairs,
    first,
    spare,
    ours: { source: await identify(spare, pids.source), target: await identify(first.target, pids.target) },
    async dropSnapshots() {
      await Promise.all(
        [...pairs.values()]
          .flatMap(({ proof }) => [proof.source, proof.target])
          .map((session) => session.query('ROLLBACK')),
      );
    },
    async takeSnapshots() {
      const snapshots = await Promise.all(
        [...pairs].map(async ([database, { proof }]) => {
          const [there, here] = await Promise.all([exportSnapshot(proof.source), exportSnapshot(proof.target)]);
          held.set(database, { ...proof, exported: { source: there.name, target: here.name } });
          return [database, there.snapshot, here.snapshot] as const;
        }),
      );
      return {
        source: Object.fromEntries(snapshots.map(([database, there]) => [database, there])),
        target: Object.fromEntries(snapshots.map(([database, , here]) => [database, here])),
      };
    },
    holdSnapshots: (dependencies, migration) => dependencies.snapshots.hold(migration, held),
    cut() {
      for (const session of opened) if (session !== spare) cutSession(session);
    },
    async close({ keepSnapshots }) {
      if (!keepSnapshots) await deps.snapshots.release(input.id, held);
      const kept = new Set(keepSnapshots ? [...held.values()].flatMap((pair) => [pair.source, pair.target]) : []);
      await Promise.allSettled(opened.filter((session) => !kept.has(session)).map(endSession));
    },
  };
}

/**
 * Ends the sessions of an attempt before this one that may still run: a worker that lost its connection to Temporal, or
 * stood still, is taken for dead and does not know it. Without its sessions it can neither take down the fence nor record
 * a cutover, so it can't switch either.
 */
export async function endEarlierAttempt(migration: string, sides: readonly Access[]): Promise<void> {
  for (const access of sides) {
    await withSession(access, { step: 'take-over', database: 'postgres' }, (session) =>
      endSessionsFor(session, migration, ['pause', 'proof']),
    );
  }
}

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareLsn, type Lsn } from '../../plan/lsn';
import type { Carried } from '../../plan/report';
import { syncLargeObjects } from '../carry/large-objects';
import { copyUnloggedTables } from '../carry/unlogged-tables';
import { readMark, writeMark } from '../postgres/fence-table';
import { queryOne, type Session } from '../postgres/session';
import { originsProgress } from '../postgres/subscriptions';
import { foreignAppliers } from './appliers';
import { type CutOverInput, orSay, PauseGivenUp } from './cut-over-input';
import { type ForeignSession, foreignSessions, rolesLeftOpen, type Spared, terminateForeignSessions } from './fence';
import { untilLoginsAreDecided } from './late-logins';
import { preparedTransactions } from './open-transactions';
import { openTarget } from './open-target';
import { markPurpose } from './pause-mark';
import type { DatabasePair, PauseSessions } from './pause-sessions';
import { copySequences } from './sequences';
import type { Timeline } from './timeline';

/** Between two looks inside the pause, in milliseconds: every one of them is downtime. */
const LOOK_EVERY_MS = 2;
/** So long a session that can't be ended may take to end by itself, in milliseconds. */
const ENDS_BY_ITSELF_MS = 1_000;

/**
 * Ends sessions in batches until none is left.
 * @throws PauseGivenUp with those that can't be ended and don't end by themselves: nothing in the pause would change that
 */
export async function endForeignSessions(source: Session, spared: Spared, mayGoOn: () => void): Promise<void> {
  let unendableSince: number | undefined;
  for (;;) {
    const there = await terminateForeignSessions(source, spared);
    if (there.length === 0) return;
    const unendable = there.filter((one) => one.unendable);
    unendableSince = unendable.length > 0 ? (unendableSince ?? Date.now()) : undefined;
    if (unendableSince !== undefined && Date.now() - unendableSince > ENDS_BY_ITSELF_MS)
      throw new PauseGivenUp(
        `sessions that only a superuser can end: ${unendable.map(describe).join(', ')}. Who does not write can be named in cutover.spareRoles`,
      );
    await orSay(mayGoOn, () => [`sessions kept coming back after the fence: ${there.map(describe).join(', ')}`]);
    await sleep(LOOK_EVERY_MS);
  }
}

/**
 * A role that could log in after the switch would write where nobody reads any more, and so would a subscription of somebody else.
 * @throws PauseGivenUp when there is one: the next board has it
 */
async function refuseOpenWays(input: CutOverInput, { source }: DatabasePair): Promise<void> {
  const { id, plan } = input;
  const appliers = await foreignAppliers(source, input);
  if (appliers.length > 0) throw new PauseGivenUp(appliers.join('; '));
  const open = await rolesLeftOpen(source, id, plan.cutover.spareRoles);
  if (open.length === 0) return;
  throw new PauseGivenUp(
    `${open.join(', ')} can log in on the source in spite of the fence: made, or given LOGIN, since the board was read`,
  );
}

const describe = ({ user, application, client }: ForeignSession): string =>
  `${user} (${application || 'unnamed'}, from ${client ?? 'local'})`;

export interface Drained {
  readonly fenceLsn: Lsn;
  readonly sequences: number;
  readonly targetSnapshots: Record<string, string>;
  readonly sourceSnapshots: Record<string, string>;
  readonly carried?: Carried;
  /** Where the way back begins. */
  readonly wayBackFrom: Lsn;
}

/**
 * Drains, copies the sequences and takes the snapshots, and begins again if anything else was committed on the source
 * meanwhile, by whatever role and whatever way it came: every transaction that writes takes a transaction id. No id may be
 * in progress before the marks (a prepared transaction counts as in progress), and the id that the last look takes is the next behind
 * those of the marks: nobody has taken another, whether it is over or in progress. (Autovacuum takes ids, too: that costs a round of a
 * few milliseconds.)
 */
export async function drainUntilStill(
  input: CutOverInput,
  sessions: PauseSessions,
  timeline: Timeline,
  mayGoOn: () => void,
): Promise<Drained> {
  const { first, pairs, ours } = sessions;
  const spared = { migration: input.id, roles: input.plan.cutover.spareRoles, ours: ours.source };
  await refuseOpenWays(input, first);
  await untilLoginsAreDecided(first.source, mayGoOn);
  for (let mayHaveCome = true; ;) {
    if (mayHaveCome) {
      await endForeignSessions(first.source, spared, mayGoOn);
      timeline.done('sessions ended');
    }
    const before = await nextXidWhenIdle(first);
    if (before === undefined) {
      mayHaveCome = true;
      await orSay(mayGoOn, () => preparedTransactions(first.source));
      await sleep(LOOK_EVERY_MS);
      continue;
    }
    const [fenceLsn, sequences] = await Promise.all([
      drain(input, pairs, mayGoOn).finally(() => timeline.done('drain')),
      copyAllSequences(input, sessions),
    ]);
    timeline.done('sequences');
    const carried = await carry(input, pairs, timeline, mayGoOn);
    const [{ source: sourceSnapshots, target: targetSnapshots }, wayBackFrom] = await Promise.all([
      sessions.takeSnapshots(),
      positionThenOpen(input, sessions),
    ]);
    timeline.done('snapshots');
    const foreign = await foreignSessions(first.source, spared);
    const after = await takeXid(first);
    // Until its sessions were ended, a role with CREATEROLE could make another.
    await refuseOpenWays(input, first);
    timeline.done('fence verified');
    if (foreign.length === 0 && after === before + BigInt(pairs.size)) {
      return { fenceLsn, wayBackFrom, targetSnapshots, sourceSnapshots, sequences, ...(carried ? { carried } : {}) };
    }
    mayHaveCome = foreign.length > 0;
    mayGoOn();
  }
}

/** Copies what no publication has, as the plan says; one database after the other, since each side has one disk. */
async function carry(
  input: CutOverInput,
  pairs: ReadonlyMap<string, DatabasePair>,
  timeline: Timeline,
  mayGoOn: () => void,
): Promise<Carried | undefined> {
  const { largeObjects, unloggedTables } = input.plan.carry;
  const done = { objects: 0, moved: 0, removed: 0, tables: 0, rows: 0 };
  for (const { carry: sessions } of pairs.values()) {
    if (!sessions || largeObjects !== 'copy') continue;
    const { objects, moved, removed } = await syncLargeObjects(sessions.source, sessions.target, input.id, mayGoOn);
    Object.assign(done, {
      objects: done.objects + objects,
      moved: done.moved + moved,
      removed: done.removed + removed,
    });
  }
  if (largeObjects === 'copy') timeline.done('large objects');
  for (const { carry: sessions } of pairs.values()) {
    if (!sessions || unloggedTables !== 'copy') continue;
    const { tables, rows } = await copyUnloggedTables(sessions.source, sessions.target, input.id, mayGoOn);
    Object.assign(done, { tables: done.tables + tables, rows: done.rows + rows });
  }
  if (unloggedTables === 'copy') timeline.done('unlogged tables');
  const { objects, moved, removed, tables, rows } = done;
  if (largeObjects !== 'copy' && unloggedTables !== 'copy') return undefined;
  return {
    ...(largeObjects === 'copy' ? { largeObjects: { objects, moved, removed } } : {}),
    ...(unloggedTables === 'copy' ? { unloggedTables: { tables, rows } } : {}),
  };
}

/** The position comes first: what applications write is behind it. */
async function positionThenOpen(input: CutOverInput, sessions: PauseSessions): Promise<Lsn> {
  const position = await insertPosition(sessions.first.target);
  await openTarget(input, sessions);
  return position;
}

/** The end of the target's WAL. Everything that replication brought is before it, everything that applications write behind. */
async function insertPosition(target: Session): Promise<Lsn> {
  return (await queryOne<{ lsn: Lsn }>(target, 'SELECT pg_current_wal_insert_lsn()::text AS lsn')).lsn;
}

/** The id behind the latest transaction that is over; undefined while one before it is in progress. */
async function nextXidWhenIdle({ source }: DatabasePair): Promise<bigint | undefined> {
  const { xmin, xmax } = await queryOne<{ xmin: string; xmax: string }>(
    source,
    `SELECT pg_snapshot_xmin(s)::text AS xmin, pg_snapshot_xmax(s)::text AS xmax FROM pg_current_snapshot() AS s`,
  );
  return xmin === xmax ? BigInt(xmax) : undefined;
}

/** Takes the next transaction id of the source. */
async function takeXid({ source }: DatabasePair): Promise<bigint> {
  const { xid } = await queryOne<{ xid: string }>(source, 'SELECT pg_current_xact_id()::text AS xid');
  return BigInt(xid);
}

/**
 * Exactly: the fence is up, and applications are not on the target yet. In the sessions of the proof, which have the snapshots of the round before, if there
 * was one. Returns how many there are.
 */
async function copyAllSequences({ plan }: CutOverInput, sessions: PauseSessions): Promise<number> {
  await sessions.dropSnapshots();
  const counts = await Promise.all(
    [...sessions.pairs.values()].map(({ proof, sequences }) =>
      copySequences(proof.source, proof.target, sequences, plan.carry.sequenceMargin, 'exactly'),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * Writes a mark behind everything that was committed on the source and waits until it is on the target. Proven there, by
 * the row itself and by the origin of the subscription, never by the sender's word.
 */
async function drain(input: CutOverInput, pairs: ReadonlyMap<string, DatabasePair>, mayGoOn: () => void): Promise<Lsn> {
  const mark = randomUUID();
  const all = [...pairs.values()];
  const positions = await Promise.all(all.map(({ source }) => writeMark(source, input.id, markPurpose(input), mark)));
  const origins = all.map(({ origin }) => origin);
  const isBehind = async () => {
    // One look for all databases: where there are many, looks of each would take the time from what is looked at.
    const [anyTarget] = all;
    const progress = anyTarget ? await originsProgress(anyTarget.target, origins) : new Map<string, Lsn>();
    if (origins.some((origin, index) => compareLsn(progress.get(origin) ?? '0/0', positions[index] ?? '0/0') < 0))
      return true;
    const marks = await Promise.all(all.map(({ target }) => readMark(target, input.id, markPurpose(input))));
    return marks.some((found) => found !== mark);
  };
  while (await isBehind()) {
    mayGoOn();
    await sleep(LOOK_EVERY_MS);
  }
  return positions.sort(compareLsn).at(-1) ?? '0/0';
}

import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { readMark, writeMark } from '../postgres/fence-table';
import type { Session } from '../postgres/session';
import type { SnapshotNames } from './compare-database';
import { exportSnapshot } from './exported-snapshot';

const MARK_TIMEOUT_MS = 120_000;
const MARK_POLL_MS = 5;
/** Whoever waits longer asks whether it will ever come. */
const ASK_EVERY_MS = 5_000;
/**
 * A snapshot holds back vacuum on the source. After this the next chunk is read under a new one, and rows that were
 * written in between are looked at one by one.
 */
const OLDEST_SNAPSHOT_MS = 3_600_000;

/** Sessions of the live comparison that read no tables. */
export interface LiveSessions {
  /** Writes marks on the source, and reads its catalogs. */
  readonly source: Session;
  /** Reads marks on the target, and its catalogs. */
  readonly target: Session;
  /** Each holds the snapshot of its side. */
  readonly sourceKeeper: Session;
  readonly targetKeeper: Session;
}

/**
 * Waits until everything that the source had committed before now is applied on the target.
 * @param whileWaiting is called now and then, and throws when there is nothing to wait for
 */
export async function waitForMark(
  { source, target }: Pick<LiveSessions, 'source' | 'target'>,
  migration: string,
  whileWaiting: () => Promise<void> = () => Promise.resolve(),
) {
  const mark = randomUUID();
  await writeMark(source, migration, 'verify', mark);
  const begunAt = Date.now();
  let askedAt = begunAt;
  while ((await readMark(target, migration, 'verify')) !== mark) {
    if (Date.now() - begunAt > MARK_TIMEOUT_MS)
      throw new Error(`the target did not apply a mark of the source within ${MARK_TIMEOUT_MS} ms`);
    if (Date.now() - askedAt > ASK_EVERY_MS) {
      await whileWaiting();
      askedAt = Date.now();
    }
    await Context.current().sleep(MARK_POLL_MS);
  }
}

/**
 * A snapshot on each side of the live pair, the target's taken as soon as it has everything that the source's sees: however
 * large the lag, only rows that are written in the few milliseconds between differ without being different.
 */
export class LiveSnapshots {
  #taken: Promise<SnapshotNames> | undefined;
  #takenAt = 0;

  constructor(
    private readonly sessions: LiveSessions,
    private readonly migration: string,
    private readonly whileWaiting?: () => Promise<void>,
  ) {}

  current(): Promise<SnapshotNames> {
    if (this.#taken && Date.now() - this.#takenAt < OLDEST_SNAPSHOT_MS) return this.#taken;
    this.#takenAt = Date.now();
    this.#taken = this.#take();
    return this.#taken;
  }

  /** Lets vacuum go on, on both sides. */
  async drop(): Promise<void> {
    this.#taken = undefined;
    const { sourceKeeper, targetKeeper } = this.sessions;
    await Promise.all([sourceKeeper.query('ROLLBACK'), targetKeeper.query('ROLLBACK')]);
  }

  async #take(): Promise<SnapshotNames> {
    const source = await exportSnapshot(this.sessions.sourceKeeper);
    await waitForMark(this.sessions, this.migration, this.whileWaiting);
    const target = await exportSnapshot(this.sessions.targetKeeper);
    return { source: source.name, target: target.name };
  }
}

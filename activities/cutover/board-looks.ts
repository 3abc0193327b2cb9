import { type BoardLine, red } from '../../plan/board';
import { duration } from '../../plan/format';
import type { EachDatabase, LookOptions } from '../each-database';
import { eachOf } from '../each-of';
import { reportProgress } from '../heartbeat';
import { throwIfCancelled } from '../wait';

/** Databases that are looked at at the same time: enough to hide the round trips, few enough not to be noticed by the source. */
const AT_ONCE = 4;
/** So long one database may take for one part of the board, in milliseconds: a hundred thousand tables on a busy server. */
const LOOK_MS = 180_000;
/** All looks together end within this, so that the board is there before its activity times out. */
const BOARD_MS = 420_000;

/** The looks of one board: a few databases at a time, each for a bounded time. Says how far it is. */
export class BoardLooks {
  readonly #endsAt: number;
  readonly #late: string[] = [];
  #doing = 'what is not in a database';

  constructor(
    private readonly lookMs = LOOK_MS,
    boardMs = BOARD_MS,
  ) {
    this.#endsAt = Date.now() + boardMs;
    this.#say();
  }

  readonly each: EachDatabase = async (what, databases, work) => {
    let done = 0;
    const now = new Set<string>();
    const say = () => {
      this.#doing = `${what}, ${done} of ${databases.length} databases, now ${[...now].join(', ')}`;
      this.#say();
    };
    const found = await eachOf(databases, AT_ONCE, async (database) => {
      now.add(database);
      say();
      const look = await this.#inTime(what, database, work);
      now.delete(database);
      done += 1;
      return look;
    });
    this.#doing = `${what} is looked at`;
    this.#say();
    return found.flatMap((look) => ('found' in look ? [look.found] : []));
  };

  /** A red line for what was not looked at in time. */
  lines(): BoardLine[] {
    return red('not-looked', ...this.#late);
  }

  /** Other looks report what they do, too; what is not in a database has nothing to say. */
  #say(): void {
    reportProgress(() => ({ waitingFor: `the board: ${this.#doing}` }));
  }

  async #inTime<T>(
    what: string,
    database: string,
    work: (database: string, options: LookOptions) => Promise<T>,
  ): Promise<{ readonly found: T } | { readonly late: true }> {
    await throwIfCancelled();
    const leftMs = Math.min(this.lookMs, this.#endsAt - Date.now());
    const late = () => {
      const text = `${what} of database ${database}: not looked at, it would have taken longer than ${duration(Math.max(0, leftMs))}. It is looked at again by itself; see what keeps the servers busy.`;
      this.#late.push(text);
      return { late: true } as const;
    };
    if (leftMs <= 0) return late();
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), leftMs);
    try {
      return { found: await work(database, { signal: timeout.signal }) };
    } catch (error) {
      // Its sessions were ended under it.
      if (timeout.signal.aborted) return late();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

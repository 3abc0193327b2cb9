import { DatabaseError } from 'pg';
import { finalAfter, fingerprintOf, statementRefused } from './final-statement';

/** One kind of failure of a statement, and how often it came. */
interface Repeated {
  readonly key: string;
  readonly times: number;
  /** When it came last, in milliseconds since 1970. */
  readonly at: number;
}

/** What the heartbeats of an activity keep of its attempts that failed. */
export interface SavedFailures {
  /** When the first of them failed, in milliseconds since 1970; absent: it goes on by now. */
  readonly since?: number;
  readonly repeated: readonly Repeated[];
  /** How often the workflow was told of it. */
  readonly told: number;
}

/** So many kinds are told apart. Several sessions fail at several tables, in any order. */
const MOST_KINDS = 8;
/** What failed longer ago than this is another story: an activity may last for weeks. */
const FORGOTTEN_MS = 24 * 3_600_000;

/** The failed attempts of one activity. They are in its heartbeats, so that they outlive the worker. */
export class FailedBefore {
  #since: number | undefined;
  #repeated: readonly Repeated[];
  told: number;

  private constructor(saved: SavedFailures | undefined) {
    this.#since = saved?.since;
    this.#repeated = saved?.repeated ?? [];
    this.told = saved?.told ?? 0;
  }

  /** @param heartbeatDetails of the attempt before */
  static in(heartbeatDetails: unknown): FailedBefore {
    const { failed } = (heartbeatDetails ?? {}) as { failed?: SavedFailures };
    return new FailedBefore(failed && Array.isArray(failed.repeated) ? failed : undefined);
  }

  /** When the first attempt failed, in milliseconds since 1970; undefined: none did, or it goes on by now. */
  get since(): number | undefined {
    return this.#since;
  }

  /** For a heartbeat; undefined: nothing failed. */
  save(): SavedFailures | undefined {
    const [since, repeated, told] = [this.#since, this.#repeated, this.told];
    if (since === undefined && repeated.length === 0) return undefined;
    return { ...(since === undefined ? {} : { since }), repeated, told };
  }

  /** It goes on. What a statement was refused for still counts: the activity may be on its way there again. */
  over(): void {
    this.#since = undefined;
    this.told = 0;
  }

  /**
   * Another attempt has failed.
   * @returns the final failure where the same statement has failed in the same way so often that no retry helps; else undefined
   */
  add(error: unknown, activity: string): Error | undefined {
    const now = Date.now();
    this.#since ??= now;
    const print = fingerprintOf(error);
    const limit = print && finalAfter(print.sqlState);
    if (!print || limit === undefined || !(error instanceof DatabaseError)) return undefined;
    const { key } = print;
    const fresh = this.#repeated.filter(({ at }) => now - at < FORGOTTEN_MS);
    const times = 1 + (fresh.find((one) => one.key === key)?.times ?? 0);
    this.#repeated = [{ key, times, at: now }, ...fresh.filter((one) => one.key !== key)].slice(0, MOST_KINDS);
    return times >= limit ? statementRefused(error, activity, times) : undefined;
  }
}

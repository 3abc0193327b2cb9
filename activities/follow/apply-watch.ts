import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { subscriptionName } from '../../plan/names';
import { type Access, accessTo, queryOne, queryRows, type Session, withSession } from '../postgres/session';
import { subscriptionCatalog } from '../postgres/subscription-catalog';
import { whyApplyFails } from './apply-error';
import { isOfConnection } from './parse-apply-log';

/** So many failures at the same place are no accident: apply starts anew every five seconds (wal_retrieve_retry_interval). */
const FAILING = 3;
/** A worker that is gone counts as failed once in this time, in milliseconds. */
const RESTART_MS = 4_000;
/** Copies that have not failed for so long do well, in milliseconds. */
const COPIES_WELL_MS = 60_000;
/** A look serves whoever asks within this, in milliseconds. */
const FRESH_MS = 2_000;
/** An error of the log is quoted again for so long, in milliseconds. */
const QUOTE_MS = 30_000;
/** `pg_stat_subscription_stats` came with this version. */
const COUNTED_SINCE = 150_000;

type Input = MigrationRef & { readonly databases: readonly string[] };

/** A subscription of ours at one look. */
export interface ApplyState {
  readonly database: string;
  readonly subscription: string;
  /** There is none of that name. */
  readonly isGone: boolean;
  readonly isEnabled: boolean;
  readonly hasWorker: boolean;
  /** Set when apply fails again and again and gets no further. */
  readonly trouble?: ApplyTrouble;
}

export interface ApplyTrouble {
  /** Failed tries at the same place, as far as they were seen. */
  readonly failures: number;
  /** Why, by the server's log; a sentence. */
  readonly why: string;
  /** It comes of the connection, and goes when that is there again. */
  readonly isOfConnection: boolean;
}

interface Row {
  readonly name: string;
  readonly origin: string;
  readonly enabled: boolean;
  readonly pid: number | null;
  readonly applied: string | null;
  readonly errors: string | null;
  readonly copyErrors: string | null;
}

/** What was seen of a subscription since it got any further. */
interface Seen {
  readonly applied: string | null;
  /** Errors that the server had counted then. */
  readonly errors: number;
  readonly pid: number | null;
  /** Starts of a worker since, and when the last was counted. */
  readonly restarts: number;
  readonly countedAt: number;
}

/** Errors of the workers that copy new tables: apply goes on meanwhile, so that its origin says nothing of them. */
interface Copying {
  /** Errors when they began to come, and at the last look. */
  readonly before: number;
  readonly now: number;
  /** When the last one was seen. */
  readonly at: number;
}

const watches = new WeakMap<Dependencies, Map<string, ApplyWatch>>();

/** The watch of a migration: one in a process, so that what the guard has seen the board knows. */
export function applyWatch(deps: Dependencies, { id, direction }: MigrationRef): ApplyWatch {
  const known = watches.get(deps) ?? new Map<string, ApplyWatch>();
  watches.set(deps, known);
  const key = JSON.stringify([id, direction]);
  const watch = known.get(key) ?? new ApplyWatch();
  known.set(key, watch);
  return watch;
}

/**
 * Looks whether apply goes on, again and again. Apply retries an error for ever; that it gets no further shows by its origin, which stands still,
 * and by workers that come and go. The server counts its errors from 15 on.
 */
export class ApplyWatch {
  readonly #seen = new Map<string, Seen>();
  readonly #copying = new Map<string, Copying>();
  readonly #quotes = new Map<string, { readonly at: number; readonly why: ReturnType<typeof whyApplyFails> }>();
  #last: { readonly at: number; readonly states: Promise<ApplyState[]> } | undefined;

  /** Every database of the input, on the side that changes go to. */
  look(deps: Dependencies, input: Input, access?: Access): Promise<ApplyState[]> {
    if (this.#last && Date.now() - this.#last.at < FRESH_MS) return this.#last.states;
    const states = this.#look(deps, input, access);
    this.#last = { at: Date.now(), states };
    states.catch(() => (this.#last = undefined));
    return states;
  }

  async #look(deps: Dependencies, input: Input, access?: Access): Promise<ApplyState[]> {
    const target = access ?? (await accessTo(deps, input, 'target'));
    const names = input.databases.map((database) => subscriptionName(input, database));
    const rows = await withSession(target, { step: 'apply', database: 'postgres', readOnly: true }, (session) =>
      readSubscriptions(session, names),
    );
    const states: ApplyState[] = [];
    for (const database of input.databases) {
      const name = subscriptionName(input, database);
      const row = rows.find((one) => one.name === name);
      const failures = row?.enabled ? Math.max(this.#failuresOf(row), this.#failedCopies(row)) : 0;
      states.push({
        database,
        subscription: name,
        isGone: row === undefined,
        isEnabled: row?.enabled ?? false,
        hasWorker: row !== undefined && row.pid !== null,
        ...(row && failures >= FAILING ? { trouble: await this.#trouble(deps, input, row, failures) } : {}),
      });
    }
    return states;
  }

  #failuresOf(row: Row): number {
    const errors = Number(row.errors ?? 0);
    const before = this.#seen.get(row.name);
    const now = Date.now();
    if (!before || before.applied !== row.applied || errors < before.errors) {
      this.#seen.set(row.name, { applied: row.applied, errors, pid: row.pid, restarts: 0, countedAt: now });
      this.#quotes.delete(row.name);
      return 0;
    }
    const isRestart = (row.pid === null || row.pid !== before.pid) && now - before.countedAt >= RESTART_MS;
    const restarts = before.restarts + (isRestart ? 1 : 0);
    this.#seen.set(row.name, { ...before, pid: row.pid, restarts, ...(isRestart ? { countedAt: now } : {}) });
    // A worker that stays is none that fails.
    const stays = row.pid !== null && row.pid === before.pid && now - before.countedAt >= 2 * RESTART_MS;
    if (stays && errors === before.errors) {
      this.#seen.set(row.name, { ...before, pid: row.pid, restarts: 0, countedAt: now });
      return 0;
    }
    return Math.max(errors - before.errors, restarts);
  }

  #failedCopies({ name, copyErrors }: Row): number {
    const errors = Number(copyErrors ?? 0);
    const now = Date.now();
    const known = this.#copying.get(name) ?? { before: errors, now: errors, at: now };
    const isOver = errors < known.now || (errors === known.now && now - known.at > COPIES_WELL_MS);
    const copying = isOver ? { before: errors, now: errors, at: now } : { ...known, now: errors };
    this.#copying.set(name, errors > known.now ? { ...copying, at: now } : copying);
    return errors - copying.before;
  }

  async #trouble(deps: Dependencies, input: Input, row: Row, failures: number): Promise<ApplyTrouble> {
    const known = this.#quotes.get(row.name);
    const quote =
      known && Date.now() - known.at < QUOTE_MS ? known : { at: Date.now(), why: whyApplyFails(deps, input, row) };
    this.#quotes.set(row.name, quote);
    const { text, found } = await quote.why;
    return { failures, why: text, isOfConnection: found !== undefined && isOfConnection(found) };
  }
}

async function readSubscriptions(session: Session, names: readonly string[]): Promise<Row[]> {
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const counted = (what: string) =>
    version >= COUNTED_SINCE
      ? `(SELECT ${what}::text FROM pg_stat_subscription_stats t WHERE t.subid = s.oid)`
      : 'NULL::text';
  // `leader_pid`, which parallel workers have, came with 16.
  return queryRows<Row>(
    session,
    `SELECT s.subname AS name, 'pg_' || s.oid AS origin, s.subenabled AS enabled,
            ${counted('t.apply_error_count')} AS errors, ${counted('t.sync_error_count')} AS "copyErrors",
            (SELECT min(w.pid) FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.relid IS NULL AND to_jsonb(w) ->> 'leader_pid' IS NULL) AS pid,
            (SELECT pg_replication_origin_progress(o.roname, false)::text FROM pg_replication_origin o WHERE o.roname = 'pg_' || s.oid) AS applied
       FROM ${await subscriptionCatalog(session)} s WHERE s.subname = ANY ($1::text[])`,
    [names],
  );
}

/** As a sentence: where apply fails, how often, and why. */
export const troubleText = (ref: MigrationRef, database: string, { failures, why }: ApplyTrouble): string =>
  `apply in database ${database} of ${instanceOf(ref, 'target')} has failed ${failures} times at the same place and gets no further. ${why}`;

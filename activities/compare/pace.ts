import { Context } from '@temporalio/activity';
import { ourSession } from '../postgres/ours';
import { queryOne, type Session } from '../postgres/session';
import type { Pace } from './reader';

const LOOK_EVERY_MS = 2_000;
const PRESSURE_LOOK_MS = 5_000;
/** Sessions of others that are at work beyond twice the usual, and these: the source is loaded. */
const MORE_BUSY = 4;
/** Waits grow up to so many times what the duty cycle asks for. */
const MOST_SLOWED = 16;

export interface PaceOptions {
  /** Share of the time in which a session works, in percent. */
  readonly dutyPercent: number;
  /** For looks at the load of the source. */
  readonly session: Session;
  /** Why to wait, for as long as there is a reason. */
  pressure(): Promise<string | undefined>;
  /** Told when work pauses for such a reason, and when it goes on. */
  paused(reason: string | undefined): Promise<void>;
}

/**
 * Paces work on the source. After each piece a session rests, so that it works for its share of the time. When
 * more sessions of applications are busy than usual, rests are doubled, again and again. Under pressure nothing is begun.
 */
export function pacedBy(options: PaceOptions): Pace {
  const load = new Load(options.session);
  const rest = (100 - options.dutyPercent) / options.dutyPercent;
  let waiting: Promise<void> | undefined;
  const waitOut = async () => {
    for (let reason = await options.pressure(); reason !== undefined; reason = await options.pressure()) {
      await options.paused(reason);
      await Context.current().sleep(PRESSURE_LOOK_MS);
    }
    await options.paused(undefined);
  };
  return async (work) => {
    waiting ??= waitOut().finally(() => (waiting = undefined));
    await waiting;
    const startedAt = Date.now();
    const result = await work();
    const restMs = (Date.now() - startedAt) * rest * (rest > 0 ? await load.slowedBy() : 1);
    if (restMs >= 1) await Context.current().sleep(restMs);
    return result;
  };
}

/** How busy others are on the source, against what was usual when we began. */
class Load {
  #usual: number | undefined;
  #slowed = 1;
  #lookedAt = 0;

  constructor(private readonly session: Session) {}

  async slowedBy(): Promise<number> {
    if (Date.now() - this.#lookedAt < LOOK_EVERY_MS) return this.#slowed;
    this.#lookedAt = Date.now();
    const { busy } = await queryOne<{ busy: number }>(
      this.session,
      // Running, or waiting for what others are using up.
      `SELECT count(*)::int AS busy FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND state = 'active' AND NOT ${ourSession(`'keyshift/'`)}
          AND (wait_event_type IS NULL OR wait_event_type IN ('IO', 'LWLock', 'BufferPin', 'Lock'))`,
    );
    this.#usual ??= busy;
    const loaded = busy > 2 * this.#usual + MORE_BUSY;
    this.#slowed = loaded ? Math.min(MOST_SLOWED, this.#slowed * 2) : Math.max(1, this.#slowed / 2);
    return this.#slowed;
  }
}

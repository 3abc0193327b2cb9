import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../../../dependencies';
import { openConsole, type PoolerConsole, poolerName } from '../../../poolers/console';
import { endpointOf, requireInstance } from '../../../rds/find-instance';
import { PauseGivenUp } from '../../cut-over-input';
import type { Fence, FenceKind, PauseClock } from '../fence';
import { choose, type PgBouncerEntry } from './chosen';
import { GivenUpElsewhere, hold, lanesFor, letGo } from './hold';
import { lookAtPoolers, type PausedEntries } from './look';
import type { Pooler } from '../../../../plan/plan';

/** One pooler of the plan, for one pause. */
class PausedPooler {
  #console: PoolerConsole | undefined;
  #lanes: PoolerConsole[] = [];

  constructor(
    private readonly deps: Dependencies,
    private readonly ref: MigrationRef,
    private readonly pooler: Pooler,
    private readonly entry: PgBouncerEntry,
    /** The entries that the board showed; undefined: there was no board. */
    private readonly noted: readonly string[] | undefined,
  ) {}

  get name(): string {
    return poolerName(this.pooler);
  }

  /** Connects ahead. What fails is tried again by whoever needs it, and said there. */
  async connect(): Promise<void> {
    const opened = Array.from({ length: 1 + lanesFor(this.noted ?? ['one']) }, () => this.open());
    const [console, ...lanes] = await Promise.allSettled(opened);
    if (console?.status === 'fulfilled') this.#console = console.value;
    this.#lanes = lanes.flatMap((lane) => (lane.status === 'fulfilled' ? [lane.value] : []));
  }

  async hold(mayGoOn: () => void): Promise<void> {
    this.#console ??= await this.open();
    const entries = await this.entries(this.#console);
    const held = { console: this.#console, entries, lanes: this.#lanes, open: () => this.open() };
    await hold(held, mayGoOn);
    for (const lane of this.#lanes.splice(0)) lane.close();
  }

  /** With a new session, if the one that there was is broken: a pooler that was restarted is paused no more, but has to be asked. */
  async letGo(): Promise<void> {
    const console = this.#console;
    if (console) {
      try {
        await letGo(console, await this.entries(console));
        return;
      } catch {
        this.#console = undefined;
        console.close();
      }
    }
    try {
      this.#console = await this.open();
    } catch (error) {
      // Nobody listens there: the process has ended, and what it held with it. A pause is nowhere but in its memory.
      if (isRefused(error)) return;
      throw error;
    }
    await letGo(this.#console, await this.entries(this.#console));
  }

  close(): void {
    for (const console of [this.#console, ...this.#lanes]) console?.close();
    this.#console = undefined;
    this.#lanes = [];
  }

  private open(): Promise<PoolerConsole> {
    return openConsole(this.deps, this.ref, this.pooler);
  }

  private async entries(console: PoolerConsole): Promise<readonly string[]> {
    if (this.noted) return this.noted;
    const source = endpointOf(await requireInstance(awsOf(this.deps, this.ref), instanceOf(this.ref, 'source')));
    return (await choose(console, this.entry, source)).entries.map(({ name }) => name);
  }
}

const isRefused = (error: unknown): boolean =>
  error instanceof Error && (error.cause as { code?: unknown } | undefined)?.code === 'ECONNREFUSED';

/** Runs work on all of them at once and waits for all of them. @throws Error with the messages of those that failed */
async function onEach(poolers: readonly PausedPooler[], work: (pooler: PausedPooler) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(poolers.map(work));
  const failed = results
    .flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    .filter((error) => !(error instanceof GivenUpElsewhere));
  if (failed.length === 0) return;
  const message = failed.map((error) => (error instanceof Error ? error.message : String(error))).join('; ');
  throw failed.some((error) => error instanceof PauseGivenUp) ? new PauseGivenUp(message) : new Error(message);
}

/** When this fence gives up: when its own patience ends, when the pause has to, or when one of the poolers failed. */
function untilGivenUp(waitMs: number, clock: PauseClock): { check: () => void; stop: () => void } {
  const deadline = Date.now() + Math.min(waitMs, clock.remainingMs());
  let stopped = false;
  return {
    check: () => {
      clock.mayGoOn();
      if (stopped) throw new GivenUpElsewhere();
      if (Date.now() > deadline) throw new PauseGivenUp(`PAUSE took longer than ${waitMs} ms`);
    },
    stop: () => {
      stopped = true;
    },
  };
}

/**
 * PAUSE on every pooler of the plan: no new transaction begins, clients wait instead of failing. On given up or switched, RESUME.
 * A pooler that other applications use, too, goes on with their entries.
 */
export const pgbouncer: FenceKind<PgBouncerEntry> = {
  look: lookAtPoolers,
  async open(deps, ref, entry, was): Promise<Fence> {
    const noted = (was as PausedEntries | undefined)?.poolers;
    const poolers = ref.plan.cutover.poolers.map((pooler) => {
      const entries = noted?.find((one) => one.pooler === poolerName(pooler))?.entries;
      return new PausedPooler(deps, ref, pooler, entry, entries);
    });
    await Promise.all(poolers.map((pooler) => pooler.connect()));
    const letAllGo = () => onEach(poolers, (pooler) => pooler.letGo());
    return {
      name: 'pgbouncer',
      staysUp: false,
      async raise(clock) {
        const { check, stop } = untilGivenUp(entry.waitMs, clock);
        await onEach(poolers, (pooler) =>
          pooler.hold(check).catch((error: unknown) => {
            stop();
            throw error;
          }),
        );
      },
      lower: letAllGo,
      release: letAllGo,
      close: async () => poolers.forEach((pooler) => pooler.close()),
    };
  },
};

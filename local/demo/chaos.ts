import { randomNumbers } from '../tools/random-numbers';
import { messageOf, type Report } from '../tools/report';

/** About how long a migration of the demo takes while a worker is up; kills are spread over it. */
const EXPECTED_MS = 30_000;
/** One kill in so many comes before the new worker is ready. */
const EARLY = 5;
/** The pause goes on for about this long after the application was turned out. */
const PAUSE_MS = 120;

/** What chaos is done to. */
export interface Victim {
  /** SIGKILL, and a new one at once. */
  killAndReplace(): Promise<void>;
  /** The same, with the watchdogs that it started, as when its host fails. */
  loseHostAndReplace(): Promise<void>;
  /** The new one works. */
  ready(): Promise<void>;
}

/**
 * Kills the worker a given number of times at random moments of the migration. One kill is kept for the pause, and one, if there are
 * two, for the end. The watchdog ends a pause whose worker was killed before the switch, so there is another one: of three kills or more, one
 * is kept for that, and takes the watchdog along.
 */
export class Chaos {
  private left: number;
  private pauses = 0;
  private stopped = false;
  private wake: () => void = () => undefined;
  private wandering: Promise<void> = Promise.resolve();
  private readonly random: () => number;

  constructor(
    private readonly times: number,
    seed: number,
    private readonly victim: Victim,
    private readonly report: Report,
  ) {
    this.left = times;
    this.random = randomNumbers(seed);
    if (times > 0) report(`chaos: the worker will be killed ${times} times, seed ${seed}`);
  }

  /** The migration has started. */
  start(): void {
    const kept = Math.min(3, this.times);
    const averageMs = EXPECTED_MS / Math.max(1, this.times - kept);
    this.wandering = this.wander(kept, averageMs);
  }

  /** The cutover was approved: a kill that was kept for a pause comes as soon as the application is turned out. */
  async cutoverApproved(turnedOut: Promise<void>): Promise<void> {
    await this.stop();
    this.pauses += 1;
    // The last one is kept for the end.
    const isWanted = this.pauses === 1 ? this.left > 0 : this.pauses === 2 && this.left > 1;
    if (!isWanted) return;
    await turnedOut;
    await this.killAfter(this.random() * PAUSE_MS, this.pauses === 1 ? 'worker' : 'host');
  }

  /** The migration waits for its last approval: all kills but one happen before it. */
  async beforeFinish(): Promise<void> {
    while (this.left > 1) await this.killAfter(500 + this.random() * 2_500);
  }

  /** The last approval was given. */
  async finishing(): Promise<void> {
    if (this.left > 0) await this.killAfter(this.random() * 1_000);
  }

  /** No more kills at random moments. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.wake();
    await this.wandering;
  }

  private async wander(kept: number, averageMs: number): Promise<void> {
    while (this.left > kept) {
      if (this.random() * EARLY >= 1) await this.unlessStopped(this.victim.ready());
      const slept = new Promise<void>((resolve) => setTimeout(resolve, this.random() * 2 * averageMs).unref());
      await this.unlessStopped(slept);
      if (this.stopped) return;
      await this.killAfter(0);
    }
  }

  private async unlessStopped(wait: Promise<void>): Promise<void> {
    const stop = new Promise<void>((resolve) => (this.wake = resolve));
    if (!this.stopped) await Promise.race([wait.catch(() => undefined), stop]);
  }

  private async killAfter(ms: number, what: 'worker' | 'host' = 'worker'): Promise<void> {
    this.left -= 1;
    await new Promise((resolve) => setTimeout(resolve, ms));
    const whom = what === 'worker' ? 'the worker' : 'the worker and its watchdog, as when a host fails';
    this.report(`chaos: SIGKILL to ${whom} (${this.times - this.left} of ${this.times})`);
    await (what === 'worker' ? this.victim.killAndReplace() : this.victim.loseHostAndReplace()).catch(
      (error: unknown) => this.report(`chaos: ${messageOf(error)}`),
    );
  }
}

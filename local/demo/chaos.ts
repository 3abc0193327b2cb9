import { messageOf, type Report } from '../tools/report';

/** Numbers from 0 to 1 that depend on the seed only (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** About how long a migration of the demo takes; kills are spread over it. */
const EXPECTED_MS = 40_000;
/** The pause begins about this long after its approval, and is over this long after. */
const PAUSE_MS = [50, 500] as const;

/** Kills the worker a given number of times at random moments; one of them is kept for the pause. */
export class Chaos {
  private left: number;
  private timer: NodeJS.Timeout | undefined;
  private killing: Promise<void> = Promise.resolve();
  private readonly random: () => number;
  private readonly everyMs: number;

  constructor(
    private readonly times: number,
    seed: number,
    private readonly kill: () => Promise<void>,
    private readonly report: Report,
  ) {
    this.left = times;
    this.random = randomNumbers(seed);
    this.everyMs = EXPECTED_MS / Math.max(1, times);
    if (times > 0) report(`chaos: the worker will be killed ${times} times, seed ${seed}`);
  }

  start(): void {
    // One is kept for the pause; another, if there are enough, for the end.
    this.next(() => this.left > Math.min(2, this.times - 1));
  }

  /** The cutover was approved: the kill that was kept comes now, at a random moment around the pause. */
  async cutoverApproved(): Promise<void> {
    if (this.left === 0) return;
    const [from, to] = PAUSE_MS;
    await this.killAfter(from + this.random() * (to - from));
  }

  /** The migration waits for its last approval: all kills but one happen before it. */
  async beforeFinish(): Promise<void> {
    this.stop();
    while (this.left > 1) await this.killAfter(500 + this.random() * 2_500);
  }

  /** The last approval was given. */
  async finishing(): Promise<void> {
    if (this.left > 0) await this.killAfter(this.random() * 1_000);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private next(more: () => boolean): void {
    this.timer = setTimeout(
      () => {
        if (!more()) return;
        void this.killAfter(0).then(() => this.timer && this.next(more));
      },
      this.random() * 2 * this.everyMs,
    );
  }

  private async killAfter(ms: number): Promise<void> {
    this.left -= 1;
    this.killing = this.killing.then(async () => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      this.report(`chaos: SIGKILL to the worker (${this.times - this.left} of ${this.times})`);
      await this.kill().catch((error: unknown) => this.report(`chaos: ${messageOf(error)}`));
    });
    await this.killing;
  }
}

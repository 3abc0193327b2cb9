import { performance } from 'node:perf_hooks';
import type { PauseStep } from '../../plan/report';

/** Steps of the pause, each with the milliseconds since the one before it. */
export class Timeline {
  readonly #startedAt = performance.now();
  #last = this.#startedAt;
  readonly steps: PauseStep[] = [];

  /** Notes that a step is over. */
  done(step: string): void {
    const now = performance.now();
    this.steps.push({ step, ms: Math.round((now - this.#last) * 10) / 10 });
    this.#last = now;
  }

  /** Since the beginning, in milliseconds, steps under way included. */
  get elapsedMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  get totalMs(): number {
    return Math.round(this.#last - this.#startedAt);
  }
}

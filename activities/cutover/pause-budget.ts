import type { Context } from '@temporalio/activity';
import type { PauseStep } from '../../plan/report';
import { PauseGivenUp } from './cut-over-input';
import type { PauseClock } from './fences/fence';

/** What looks at the budget by itself comes first, with a better reason. */
const GRACE_MS = 100;
const HURRY_MS = 300;

/** The budget of a pause; time before this attempt counts. */
export class PauseBudget implements PauseClock {
  /** How long the fence had been up when this attempt came, in milliseconds. */
  alreadyMs = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly context: Context,
    private readonly budgetMs: number,
  ) {}

  begin(alreadyMs: number, onEnd: () => void): void {
    this.stop();
    this.alreadyMs = alreadyMs;
    this.#deadline = Date.now() + this.budgetMs - alreadyMs;
    this.#timer = setTimeout(onEnd, this.remainingMs() + GRACE_MS);
  }

  /** While a pause is given up: what does not answer is waited for until the budget ends, or for a moment where it has. */
  hurry(onEnd: () => void): void {
    this.stop();
    this.#timer = setTimeout(onEnd, Math.max(HURRY_MS, this.remainingMs()));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The budget ended in the midst of a step. */
  ended(steps: readonly PauseStep[]): string {
    const done = steps.map(({ step }) => step).join(', ') || 'nothing';
    return `the budget of ${this.budgetMs} ms ended while something did not answer, or waited for a lock; done were: ${done}`;
  }

  remainingMs(): number {
    return Math.max(0, this.#deadline - Date.now());
  }

  readonly mayGoOn = (): void => {
    // Superseded by another attempt, or its workflow is gone: this one must not switch.
    if (this.context.cancellationSignal.aborted) {
      throw new PauseGivenUp('Temporal does not wait for this attempt any more');
    }
    if (Date.now() > this.#deadline) throw new PauseGivenUp(`the budget of ${this.budgetMs} ms ended`);
  };
}

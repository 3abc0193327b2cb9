import { updateCommand } from './details';

/**
 * Temporal refuses the 10,001st signal of a workflow, whatever it says, and the 2,001st update that was accepted. A refused update is in no
 * history and counts for nothing.
 * @see https://docs.temporal.io/self-hosted-guide/defaults and https://docs.temporal.io/cloud/limits
 */
const MAX_SIGNALS = 10_000;
const MAX_UPDATES = 2_000;

/** From here on a notice warns, at each further thousand again, and a refused signal leaves no notice of its own that would hide it. */
export const WARN_EVERY_SIGNALS = 1_000;

/** What is left of the updates from here on is kept for `abort` and `rollback`, which nothing else can stand in for. */
export const OPEN_UPDATES = 1_900;

/** Counts what came, so that a flood can't take from an operator the means to stop the migration. */
export class MessageCount {
  #signals = 0;
  #updates = 0;

  constructor(
    private readonly migration: string,
    private readonly notice: (text: string) => void,
  ) {}

  /** A signal has come. */
  signal(): void {
    this.#signals += 1;
    if (this.#signals % WARN_EVERY_SIGNALS !== 0) return;
    const command = updateCommand(this.migration, '<name>', '<input>').replaceAll(/\s*\\\n\s*/g, ' ');
    this.notice(
      `${this.#signals} signals have come. Temporal refuses the ${MAX_SIGNALS + 1}st of a workflow, an abort too. Find out who sends them, and send updates, which work all the same: ${command}`,
    );
  }

  /** A signal was refused: says why, unless there are so many that it would hide what matters. */
  refusedSignal(why: string): void {
    if (this.#signals < WARN_EVERY_SIGNALS) this.notice(why);
  }

  /** An update was accepted. */
  update(): void {
    this.#updates += 1;
  }

  /** Why an update can't be taken any more, other than `abort` and `rollback`; undefined: it can. */
  refuseUpdate(name: string): string | undefined {
    if (this.#updates < OPEN_UPDATES) return undefined;
    return `${name} refused: ${this.#updates} updates were taken, and Temporal takes ${MAX_UPDATES} of a workflow. The rest is kept for abort and rollback; send ${name} as a signal`;
  }
}

import { setHandler } from '@temporalio/workflow';
import { oneLine } from '../plan/printable';
import type { Progress, RetryingInput } from '../plan/progress';
import { whenSettled } from './act';
import type { Taking } from './listen';
import { retryingUpdate } from './messages';

/** So often in a life the workflow takes word of it: each costs five events of the history. */
const MOST_TOLD = 8;
const MOST_CHARACTERS = 1_000;

/** Shows the activities that are tried again. A workflow can't see the attempts of its activities, so their workers tell. */
export class Retrying {
  #told = 0;

  constructor(private readonly host: { readonly progress: Progress; show(): void }) {
    whenSettled((activity) => this.#forget(activity));
  }

  /** Workers tell by an update: what its validator refuses is in no history, and an older workflow that doesn't know it refuses it, too. */
  listen(take: Taking): void {
    setHandler(retryingUpdate, (input) => take.update(() => this.#take(input)), {
      validator: (input: RetryingInput | undefined) => take.validate('retrying', this.#refuse(input)),
    });
  }

  #refuse(input: RetryingInput | undefined): string | undefined {
    if (typeof input !== 'object' || input === null || typeof input.activity !== 'string')
      return 'retrying refused: of what?';
    if ('over' in input)
      return this.#shown(input.activity) ? undefined : `retrying refused: ${input.activity} is not shown`;
    return this.#told < MOST_TOLD ? undefined : `retrying refused: ${MOST_TOLD} were taken`;
  }

  #take(input: RetryingInput): void {
    if ('over' in input) return this.#forget(input.activity);
    this.#told += 1;
    const { progress } = this.host;
    const others = (progress.retrying ?? []).filter(({ activity }) => activity !== input.activity);
    const text = (value: unknown): string => oneLine(String(value).slice(0, MOST_CHARACTERS));
    const [activity, since, message] = [text(input.activity), text(input.since), text(input.message)];
    progress.retrying = [...others, { activity, since, message, attempt: Number(input.attempt) || 1 }];
    this.host.show();
  }

  #shown(activity: string): boolean {
    return this.host.progress.retrying?.some((one) => one.activity === activity) ?? false;
  }

  #forget(activity: string): void {
    if (!this.#shown(activity)) return;
    const { progress } = this.host;
    const left = progress.retrying?.filter((one) => one.activity !== activity) ?? [];
    if (left.length > 0) progress.retrying = left;
    else delete progress.retrying;
    this.host.show();
  }
}

import { ActivityFailure, ApplicationFailure, CancellationScope, log } from '@temporalio/workflow';
import type { FailureType } from '../plan/failures';
import type { Progress } from '../plan/progress';

interface Undo {
  readonly name: string;
  /** When it fails, nothing older is undone: that would lose data. */
  readonly critical: boolean;
  /** A rollback leaves it as it is: what somebody will want to look into. */
  readonly keptByRollback: boolean;
  run(): Promise<void>;
}

const IN_USE = 'InUse' satisfies FailureType;
/** Why an undo is parked. */
export type UndoFailure = 'UndoFailed' | typeof IN_USE;

/**
 * What has to be undone on abort. An entry is registered *before* the change that it undoes, so it must do no harm when
 * the change was never made.
 */
export class UndoList {
  readonly #entries: Undo[] = [];

  register(name: string, run: () => Promise<unknown>, { critical = false, keptByRollback = false } = {}): void {
    // A step that is retried registers anew what it registered before.
    const known = this.#entries.findIndex((entry) => entry.name === name);
    this.#entries.splice(known === -1 ? this.#entries.length : known, known === -1 ? 0 : 1, {
      name,
      critical,
      keptByRollback,
      run: async () => void (await run()),
    });
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  has(name: string): boolean {
    return this.#entries.some((entry) => entry.name === name);
  }

  /**
   * Undoes everything, newest first, whatever is cancelled around it. An undo that fails is shown, not hidden. A critical
   * one is parked and tried again until it works, and so is one that found applications on the other side: undoing what is older
   * would take away what they stand on.
   */
  async runAll(
    progress: Progress,
    park: (name: string, message: string, type: UndoFailure) => Promise<void>,
    { afterRollback = false } = {},
  ): Promise<void> {
    await CancellationScope.nonCancellable(async () => {
      for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) {
        if (afterRollback && entry.keptByRollback) continue;
        let { type, ...result } = await undo(entry);
        while (!result.ok && (entry.critical || type === IN_USE)) {
          await park(entry.name, result.message ?? '', type === IN_USE ? IN_USE : 'UndoFailed');
          ({ type, ...result } = await undo(entry));
        }
        progress.undone.push(result);
      }
    });
  }
}

async function undo(entry: Undo): Promise<{ name: string; ok: boolean; message?: string; type?: string }> {
  try {
    await entry.run();
    return { name: entry.name, ok: true };
  } catch (error) {
    const failure = error instanceof ActivityFailure ? error.cause : error;
    const message = failure instanceof Error ? failure.message : String(failure);
    log.error('undo failed', { undo: entry.name, message });
    const type = failure instanceof ApplicationFailure ? (failure.type ?? undefined) : undefined;
    return { name: entry.name, ok: false, message, ...(type === undefined ? {} : { type }) };
  }
}

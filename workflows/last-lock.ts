import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { presentName } from '../plan/instance-names';
import { stopsSource } from '../plan/last-lock';
import { stepOf } from '../plan/progress';
import { act } from './act';
import type { Migration } from './migration';

/** RDS starts a stopped instance after seven days. A look each day leaves it running for one day at most. */
const LOOK_AGAIN = '1 day';

/**
 * The fence `stop-instance`: after the proof the source is stopped, and stays so until the decommission, which needs it to remove what
 * was made on it.
 */
export class LastLock {
  #scope: CancellationScope | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(private readonly migration: Migration) {}

  /** Stops the source, where the plan wants that. */
  async close(): Promise<void> {
    const { migration } = this;
    const { plan, progress, report } = migration;
    if (!stopsSource(plan) || stepOf(progress, 'stop-source').status === 'done') return;
    await migration.step('stop-source', async (note) => {
      await act('stopSource', this.#input);
      const at = new Date().toISOString();
      report.sourceStopped = { at };
      if (progress.soak) progress.soak.stoppedAt = at;
      note(`${presentName(migration.ref, 'source')} is stopped; the SQL fence is up in it`);
    });
    this.#keepClosed();
  }

  /** Starts it again; one that was deleted by an attempt before this needs nothing. */
  async open(): Promise<void> {
    const { migration } = this;
    const { sourceStopped } = migration.report;
    if (!sourceStopped) return;
    this.#scope?.cancel();
    await this.#ended;
    await act('startSource', this.#input);
    sourceStopped.startedAt ??= new Date().toISOString();
  }

  get #input() {
    const { ref, report } = this.migration;
    return { ...ref, resourceId: report.source?.resourceId ?? '' };
  }

  #keepClosed(): void {
    const scope = new CancellationScope();
    this.#scope = scope;
    this.#ended = scope
      .run(() => this.#lookEachDay(scope))
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
  }

  async #lookEachDay(scope: CancellationScope): Promise<void> {
    for (;;) {
      await sleep(LOOK_AGAIN, { summary: 'RDS starts a stopped instance after seven days: look again' });
      try {
        await act('stopSource', this.#input);
      } catch (error) {
        if (isCancellation(error) || scope.consideredCancelled) return;
        const { cause, message } = error as Error;
        // The SQL fence is up all the same; the gate is open, and says what happens to the source.
        this.migration.notice(`the source may not be stopped: ${cause instanceof Error ? cause.message : message}`);
      }
    }
  }
}

import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { GuardReport } from '../plan/progress';
import { withLag } from '../plan/lag-history';
import { act } from './act';
import type { Migration } from './migration';

const FIRST_REPORT_MS = 10_000;
/** Each report costs six events of the history; a month of them has to fit in with the 240 of the migration itself. */
const REPORT_GROWTH = 6;

/**
 * Guards the source for as long as our slots exist, beside the steps. It looks every few seconds but reports to the
 * workflow at growing distances (10 s, 60 s, 6 min ...), so that a month of waiting adds about ten reports to the
 * history; in between, the newest figures are in its heartbeat. After the switch another one guards the target the same way: now
 * it is the one that keeps WAL for us.
 */
export class Guard {
  #scope: CancellationScope | undefined;
  #ended: Promise<void> = Promise.resolve();
  #reportAfterMs = FIRST_REPORT_MS;
  readonly #warned = new Set<string>();

  constructor(
    private readonly migration: Migration,
    private readonly databases: readonly string[],
    /** `back`: the slots of the way back, on the target. What ends a migration before the switch only ends the way back then. */
    private readonly direction?: 'back',
  ) {}

  start(): void {
    const scope = new CancellationScope();
    this.#scope = scope;
    this.#ended = scope
      .run(() => this.#watch(scope))
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
  }

  /** Inside the pause nothing of ours but the pause itself writes on the source. */
  async stop(): Promise<void> {
    this.#scope?.cancel();
    await this.#ended;
  }

  async #watch(scope: CancellationScope): Promise<void> {
    const { migration, databases, direction } = this;
    for (;;) {
      try {
        const report: GuardReport = await act('guardSource', {
          ...migration.ref,
          ...(direction ? { direction } : {}),
          databases,
          reportAfterMs: this.#reportAfterMs,
        });
        const { warnings = [], history = [], ...lag } = report;
        migration.progress.lag = lag;
        if (direction !== 'back') migration.report.lagHistory = withLag(migration.report.lagHistory, [...history, lag]);
        this.#warn(warnings);
        this.#reportAfterMs *= REPORT_GROWTH;
        migration.show();
      } catch (error) {
        // A guard that was told to stop and lost its worker ends as a timeout, not as a cancellation.
        if (isCancellation(error) || scope.consideredCancelled) return;
        if (direction === 'back') return migration.loseWayBack(error);
        migration.raiseAlarm(error);
        await condition(() => migration.alarm === undefined);
      }
    }
  }

  #warn(warnings: NonNullable<GuardReport['warnings']>): void {
    const codes = new Set(warnings.map(({ code }) => code));
    for (const { code, text } of warnings) {
      if (!this.#warned.has(code)) this.migration.notice(`${code}: ${text}`);
      this.#warned.add(code);
    }
    for (const code of this.#warned) {
      if (codes.has(code)) continue;
      this.#warned.delete(code);
      this.migration.notice(`${code}: over`);
    }
  }
}

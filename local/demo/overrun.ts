import type { Aws } from '../app/aws';
import { messageOf, type Report } from '../tools/report';
import { PauseBlocker } from './pause-blocker';
import type { Progress } from './progress';
import { longestGapMs } from './verdict/pause';
import type { AbortedPause } from './verdict/verdict';

/** How long the application goes on on the source before the cutover is approved again. */
const BETWEEN_MS = 2_000;

const givenUp = (notices: Progress['notices']): string | undefined =>
  notices?.findLast(({ text }) => text.startsWith('pause given up'))?.text;

/** A pause that is made to overrun its budget, and what came of it. */
export class Overrun {
  /** When the pause that can't end was approved; milliseconds since the epoch. */
  approvedAt = 0;
  private blocker: PauseBlocker | undefined;
  private reopenedAt: number | undefined;
  private reason: string | null = null;

  constructor(
    private readonly aws: Aws,
    private readonly caBundle: string,
    private readonly report: Report,
  ) {}

  /** Before the cutover is approved: the first time the pause gets something to wait for, the second time it is gone. */
  async gateOpened({ notices }: Progress): Promise<void> {
    if (this.approvedAt === 0) {
      const blocker = await PauseBlocker.prepare(this.aws, this.caBundle);
      this.blocker = blocker;
      this.approvedAt = Date.now();
      void blocker.hold().then(
        () => this.report('a transaction on the target has locked what the pause waits for'),
        (error: unknown) => this.report(`the pause was not held up: ${messageOf(error)}`),
      );
      return;
    }
    if (this.reopenedAt !== undefined) return;
    this.reopenedAt = Date.now();
    this.reason = givenUp(notices) ?? null;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
  }

  /** As long as the lock is held the board is red, and the gate stays closed. */
  async looked({ notices }: Progress): Promise<void> {
    if (!this.blocker || givenUp(notices) === undefined) return;
    await this.end();
    this.report('that transaction is over');
  }

  /** What the application saw of it. The gate that never opened again leaves no reason. */
  judge(acknowledgedAt: readonly number[], budgetMs: number): AbortedPause {
    const until = this.reopenedAt ?? acknowledgedAt.at(-1) ?? this.approvedAt;
    return { budgetMs, writePauseMs: longestGapMs(acknowledgedAt, this.approvedAt, until), reason: this.reason };
  }

  async end(): Promise<void> {
    await this.blocker?.release();
    this.blocker = undefined;
  }
}

import { messageOf, type Report } from '../tools/report';

/** What must be undone at the end, newest first. One that fails is reported and doesn't stop the others. */
export class Releasers {
  private readonly stack: { what: string; release: () => Promise<void> | void }[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly report: Report) {}

  add(what: string, release: () => Promise<void> | void): void {
    this.stack.push({ what, release });
  }

  /** Runs them all, once; whoever asks again waits for the same run. */
  releaseAll(): Promise<void> {
    this.running ??= this.run();
    return this.running;
  }

  private async run(): Promise<void> {
    for (let next = this.stack.pop(); next; next = this.stack.pop()) {
      try {
        await next.release();
      } catch (error) {
        this.report(`while stopping ${next.what}: ${messageOf(error)}`);
      }
    }
  }
}

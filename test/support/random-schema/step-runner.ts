import { DescribeDBLogFilesCommand, DownloadDBLogFilePortionCommand } from '@aws-sdk/client-rds';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../../../activities';
import type { ActivityLab } from '../activity-lab';

/** More than a step of such a small server needs, however busy the machine is. */
const PATIENCE_MS = 150_000;
/** Temporal would try for as long as it takes; what fails so often is no accident. */
const MOST_ATTEMPTS = 4;
const SHOWN_LINES = 6;

/** A step of the migration that did not come to its end. */
export class StepFailed extends Error {
  constructor(
    readonly step: string,
    message: string,
  ) {
    super(`${step}: ${message}`);
  }
}

/** Runs activities as a workflow would, one after the other, and notes how long they took. */
export class StepRunner {
  readonly ms = new Map<string, number>();

  constructor(
    private readonly lab: ActivityLab,
    private readonly target: string,
  ) {}

  /** @throws StepFailed with what the target's log says */
  async run<Name extends keyof Activities>(
    name: Name,
    input: Parameters<Activities[Name]>[0],
  ): Promise<Awaited<ReturnType<Activities[Name]>>> {
    const startedAt = Date.now();
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await this.once(name, input, attempt);
        } catch (error) {
          const final = error instanceof StepFailed || (error instanceof ApplicationFailure && error.nonRetryable);
          if (final || attempt >= MOST_ATTEMPTS) throw await this.failed(name, error as Error);
        }
      }
    } finally {
      this.ms.set(name, (this.ms.get(name) ?? 0) + Date.now() - startedAt);
    }
  }

  /** A wait of the test's own. @throws StepFailed, as a step of the migration does */
  async wait(name: string, work: () => Promise<unknown>): Promise<void> {
    await work().catch(async (error: Error) => {
      throw await this.failed(name, error);
    });
  }

  private async once<Name extends keyof Activities>(
    name: Name,
    input: Parameters<Activities[Name]>[0],
    attempt: number,
  ): Promise<Awaited<ReturnType<Activities[Name]>>> {
    const { result, cancel } = this.lab.start(name, input, attempt);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new StepFailed(name, `not at its end after ${PATIENCE_MS / 1000} s`));
        cancel();
      }, PATIENCE_MS);
    });
    result.catch(() => undefined);
    try {
      return await Promise.race<Awaited<ReturnType<Activities[Name]>>>([result as Promise<never>, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async failed(step: string, error: Error): Promise<StepFailed> {
    const lines = await errorsOf(this.lab, this.target).catch(() => []);
    const log = lines.length === 0 ? '' : `; the log of ${this.target}: ${lines.join(' | ')}`;
    return new StepFailed(
      step,
      `${error instanceof StepFailed ? error.message : `${error.name} ${error.message}`}${log}`,
    );
  }
}

/** The last errors in the log of an instance, with what they were about. */
async function errorsOf(lab: ActivityLab, instance: string): Promise<string[]> {
  const { rds } = lab.aws();
  const { DescribeDBLogFiles = [] } = await rds.send(new DescribeDBLogFilesCommand({ DBInstanceIdentifier: instance }));
  const lines: string[] = [];
  for (const { LogFileName } of DescribeDBLogFiles) {
    const portion = await rds.send(
      new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: instance, LogFileName, Marker: '0' }),
    );
    lines.push(...(portion.LogFileData ?? '').split('\n').filter((line) => /(ERROR|FATAL|PANIC|CONTEXT): /.test(line)));
  }
  return lines.slice(-SHOWN_LINES);
}

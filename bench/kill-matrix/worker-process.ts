import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { CutOverInput } from '../../activities/cutover/cut-over-input';
import { childrenOf, signalIfThere } from '../../local/postgres/processes';
import type { HoldAt, Order, Outcome, Report, WorkerOptions } from './messages';

/** An attempt of the pause that runs. */
export interface Attempt {
  /** Stands still at the moment that it was to be held at. Never, if it ends before. */
  readonly held: Promise<void>;
  readonly outcome: Promise<Outcome>;
}

/** A process that runs attempts of the pause, and can be killed. */
export class WorkerProcess {
  /** Resolves when it has ended, and its watchdogs with it: they write to the same stderr. */
  readonly gone: Promise<void>;

  private constructor(private readonly child: ChildProcess) {
    child.setMaxListeners(50);
    child.stderr?.pipe(process.stderr, { end: false });
    this.gone = new Promise((resolve) => child.once('close', () => resolve()));
  }

  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const child = fork(join(__dirname, 'worker.ts'), [JSON.stringify(options)], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    const worker = new WorkerProcess(child);
    await worker.report('ready');
    return worker;
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  run(input: CutOverInput, pause: string, attempt: number, hold?: HoldAt): Attempt {
    const held = this.report('at the moment').then(() => undefined);
    held.catch(() => undefined);
    const outcome = this.report('ended').then(
      (report): Outcome => (report.what === 'ended' ? report.outcome : { ended: 'killed' }),
      (): Outcome => ({ ended: 'killed' }),
    );
    this.order({ what: 'run', input, pause, attempt, ...(hold ? { hold } : {}) });
    return { held, outcome };
  }

  /** What becomes of the attempt that stands still. */
  order(order: Order): void {
    this.child.send(order);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** As when its host fails: the watchdogs go with it, and before they could notice. */
  loseHost(): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    // Stopped, it starts no other child meanwhile.
    this.child.kill('SIGSTOP');
    for (const watchdog of childrenOf(pid)) signalIfThere(watchdog.pid, 'SIGKILL');
    this.kill();
  }

  private report(what: Report['what']): Promise<Report> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('the worker is gone'));
      const take = (report: Report): void => {
        if (report.what !== what) return;
        this.child.off('message', take).off('exit', ended);
        resolve(report);
      };
      this.child.on('message', take).once('exit', ended);
    });
  }
}

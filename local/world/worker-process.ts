import { join } from 'node:path';
import { Child, typescript } from './child';
import type { WorldFiles } from './ownership';
import type { ProcessRegistry } from './process-registry';
import { waitFor } from './wait-for';

const READY_MS = 120_000;

/** Starts a worker of the product as a process; `untilReady` resolves when it polls. */
export class WorkerProcess {
  readonly ready: Promise<void>;
  private readonly child: Child;

  constructor(files: WorldFiles, registry: ProcessRegistry, env: NodeJS.ProcessEnv, name: string) {
    const child = new Child({
      what: name,
      command: process.execPath,
      args: typescript('worker/main.ts'),
      env,
      logFile: join(files.logs, `${name}.log`),
      registry,
      stopMs: 20_000,
    });
    this.child = child;
    const said = waitFor('the worker is ready', () => !child.isRunning || isReady(child.log()), {
      timeoutMs: READY_MS,
    });
    this.ready = child.untilReady(said).then(() => undefined);
    // Whoever waits for it gets the error; a worker that is killed while it starts has nobody who waits.
    this.ready.catch(() => undefined);
  }

  get pid(): number {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child.isRunning;
  }

  /** Resolves with how it ended, when it has. */
  get ended(): Promise<string> {
    return this.child.ended;
  }

  kill(signal: NodeJS.Signals): Promise<void> {
    return this.child.kill(signal);
  }

  stop(): Promise<void> {
    return this.child.stop();
  }
}

function isReady(log: string): boolean {
  return log.split('\n').some((line) => line.startsWith('{') && line.includes('"msg":"worker ready"'));
}

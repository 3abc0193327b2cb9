import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { signalIfThere } from '../postgres/processes';
import { REPOSITORY } from '../tools/paths';
import type { ProcessRegistry } from './process-registry';

export interface ChildOptions {
  /** What people call it. */
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Default: the root of this repository. */
  readonly cwd?: string;
  /** Gets stderr, and stdout too unless `onLine` takes it. Appended to. */
  readonly logFile: string;
  /** Takes stdout line by line. */
  readonly onLine?: (line: string) => void;
  readonly registry: ProcessRegistry;
  /** How long it may take to stop before it is killed. */
  readonly stopMs?: number;
}

/** Arguments for Node that run a TypeScript file of this repository. */
export function typescript(entry: string, ...args: string[]): string[] {
  return ['--import', 'tsx', entry, ...args];
}

/**
 * A process of the world. It gets a process group of its own, so that Ctrl-C in a terminal reaches only us and we stop
 * things in order.
 */
export class Child {
  readonly pid: number;
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>;
  private readonly process: ChildProcess;
  private readonly logOffset: number;
  private running = true;

  constructor(private readonly options: ChildOptions) {
    const { what, command, args, env, cwd = REPOSITORY, logFile, onLine, registry } = options;
    const log = openSync(logFile, 'a');
    this.logOffset = statSync(logFile).size;
    this.process = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', onLine ? 'pipe' : log, log],
    });
    closeSync(log);
    const { pid } = this.process;
    this.pid = pid ?? 0;
    if (pid !== undefined) registry.add(pid, what);
    if (onLine && this.process.stdout) createInterface({ input: this.process.stdout }).on('line', onLine);
    this.ended = new Promise<string>((resolve) => {
      this.process.once('error', (error) => resolve(`could not be started: ${error.message}`));
      // Not `exit`: what it printed last has been taken by then.
      this.process.once('close', (code, signal) => resolve(`ended with ${signal ?? code}${tail(this.log())}`));
    }).then((how) => {
      this.running = false;
      if (pid !== undefined) registry.remove(pid);
      return how;
    });
  }

  get isRunning(): boolean {
    return this.running;
  }

  /** Waits for `ready`; fails at once when the process ends before. */
  async untilReady<T>(ready: Promise<T>): Promise<T> {
    const ended = this.ended.then((how) => {
      throw new Error(`${this.options.what} ${how}`);
    });
    return Promise.race([ready, ended]);
  }

  /** What it has written to its log file so far. */
  log(): string {
    return readFileSync(this.options.logFile).subarray(this.logOffset).toString('utf8');
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.running) signalIfThere(this.pid, signal);
    await this.ended;
  }

  /** SIGTERM, and SIGKILL if it takes too long. */
  async stop(): Promise<void> {
    if (!this.running) return;
    const timer = setTimeout(() => this.process.kill('SIGKILL'), this.options.stopMs ?? 15_000);
    await this.kill('SIGTERM');
    clearTimeout(timer);
  }
}

/** What the process said last, for the message of an error. */
function tail(log: string): string {
  const lines = log.trim().split('\n').slice(-8).join('\n').slice(-2000);
  return lines === '' ? '' : `; it said last:\n${lines}`;
}

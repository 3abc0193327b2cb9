import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isRunning, lookUpProcess, signalIfThere } from '../postgres/processes';
import { waitFor } from './wait-for';

/** A process that a world started; pid and start time together identify it. */
export interface RegisteredProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly what: string;
}

/** The file that names every process of a world, so that the next run can end those of a run that was killed. */
export class ProcessRegistry {
  private entries: RegisteredProcess[] = [];

  constructor(private readonly file: string) {}

  /** Synchronous: nothing may come between a start and its note. */
  add(pid: number, what: string): void {
    const found = lookUpProcess(pid);
    if (!found) return;
    this.entries.push({ pid, startTime: found.startTime, what });
    this.write();
  }

  remove(pid: number): void {
    this.entries = this.entries.filter((entry) => entry.pid !== pid);
    this.write();
  }

  private write(): void {
    writeFileSync(`${this.file}.new`, JSON.stringify(this.entries, undefined, 1));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** The processes noted in a registry file; none if there is no such file, or half of one. */
export function readRegistry(file: string): RegisteredProcess[] {
  if (!existsSync(file)) return [];
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RegisteredProcess[];
  } catch {
    return [];
  }
}

/** Those that still run and still are the same process. */
export function stillRunning(processes: readonly RegisteredProcess[]): RegisteredProcess[] {
  return processes.filter(({ pid, startTime }) => isRunning(pid, startTime));
}

/** Sends the signal to each and waits until all are gone; SIGKILL for those that don't go. */
export async function endProcesses(processes: readonly RegisteredProcess[], signal: NodeJS.Signals): Promise<void> {
  const gone = (): boolean => stillRunning(processes).length === 0;
  for (const { pid } of stillRunning(processes)) signalIfThere(pid, signal);
  await waitFor('processes end', gone, { timeoutMs: 10_000 }).catch(async () => {
    for (const { pid } of stillRunning(processes)) signalIfThere(pid, 'SIGKILL');
    await waitFor('processes end after SIGKILL', gone, { timeoutMs: 10_000 });
  });
}

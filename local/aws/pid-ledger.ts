import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A server process that the stand-in started. */
export interface PidEntry {
  readonly pid: number;
  /** See `lookUpProcess`: tells a process from a later one with the same pid. */
  readonly startTime: string;
  readonly what: string;
}

/** `<state-dir>/pids.json`: every server process that runs, so that whoever finds the directory of a killed stand-in can end them. */
export class PidLedger {
  private readonly file: string;
  private entries: PidEntry[];

  constructor(stateDir: string) {
    this.file = join(stateDir, 'pids.json');
    this.entries = readPids(stateDir);
  }

  find(what: string): PidEntry | undefined {
    return this.entries.find((entry) => entry.what === what);
  }

  /** Notes the process, or with none that there is none any more. Synchronous: nothing may come between a start and its note. */
  set(what: string, process: { readonly pid: number; readonly startTime: string } | undefined): void {
    this.entries = this.entries.filter((entry) => entry.what !== what);
    if (process) this.entries.push({ ...process, what });
    writeFileSync(`${this.file}.new`, JSON.stringify(this.entries, undefined, 1));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** The processes noted in a state directory. */
export function readPids(stateDir: string): PidEntry[] {
  const file = join(stateDir, 'pids.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as PidEntry[]) : [];
}

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What the process table says about one process. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** First letter of the state as `ps` shows it: `R`, `S`, `D`, `T` (stopped), `Z` (dead, not yet collected)... */
  readonly state: string;
  /** Identifies the process together with its pid, since pids are reused. Comparable on one machine only. */
  readonly startTime: string;
}

/**
 * Looks a process up. `startTime` is field 22 of `/proc/<pid>/stat` on Linux (clock ticks since boot: proc_pid_stat(5)) and
 * `ps -o lstart=` elsewhere.
 */
export function lookUpProcess(pid: number): ProcessEntry | undefined {
  if (process.platform === 'linux') return fromProc(pid);
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,state=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    const [parentPid, state, ...startTime] = line.split(/\s+/);
    if (!parentPid || !state) return undefined;
    return { pid, parentPid: Number(parentPid), state: state.charAt(0), startTime: startTime.join(' ') };
  } catch {
    return undefined;
  }
}

/** Whether the process runs; a zombie does not. With `startTime`, whether it still is the same process. */
export function isRunning(pid: number, startTime?: string): boolean {
  const entry = lookUpProcess(pid);
  return entry !== undefined && entry.state !== 'Z' && (startTime === undefined || entry.startTime === startTime);
}

/** The direct children of a process. */
export function childrenOf(pid: number): ProcessEntry[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => fromProc(Number(name)))
      .filter((entry) => entry?.parentPid === pid)
      .filter((entry) => entry !== undefined);
  }
  const table = execFileSync('ps', ['-axo', 'pid=,ppid=,state='], { encoding: 'utf8' });
  return table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parentPid]) => Number(parentPid) === pid)
    .map(([child, , state]) => ({ pid: Number(child), parentPid: pid, state: (state ?? '').charAt(0), startTime: '' }));
}

/** Sends a signal; a process that is gone already is no error. Answers whether it was there. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function fromProc(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold blanks and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, state: fields[0] ?? '', parentPid: Number(fields[1]), startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

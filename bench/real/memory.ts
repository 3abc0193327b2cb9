import { readFileSync } from 'node:fs';

const KIB = 1024;

/** The most memory that a process has had at any time, in bytes; undefined where the system keeps no account of that (Linux does). */
export function peakMemoryOf(pid: number): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found?.[1] === undefined ? undefined : Number(found[1]) * KIB;
  } catch {
    return undefined;
  }
}

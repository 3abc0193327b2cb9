import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, lookUpProcess } from '../postgres/processes';

/** Refuses to work on a state directory that another stand-in works on. */
export function assertAlone(stateDir: string): void {
  const file = join(stateDir, 'stand-in.json');
  const other = readOwner(file);
  if (other && other.pid !== process.pid && isRunning(other.pid, other.startTime)) {
    throw new Error(`another stand-in (process ${other.pid}) works on ${stateDir}`);
  }
  writeFileSync(file, JSON.stringify({ pid: process.pid, startTime: lookUpProcess(process.pid)?.startTime ?? '' }));
}

function readOwner(file: string): { readonly pid: number; readonly startTime: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { pid: number; startTime: string };
  } catch {
    return undefined;
  }
}

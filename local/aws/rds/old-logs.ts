import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Places } from '../places';
import { giveTo } from '../../postgres/unprivileged';
import type { InstanceRecord } from './model';
import { placesOf } from './server-configuration';

const HOUR_MS = 3_600_000;

/**
 * Log files that a restored instance lists though it has not written them: its volume is a copy of the source's, and no documentation says that the logs are left out. One
 * for each hour before the image, and in each the source recovers from a crash.
 * @param before when the image was taken
 */
export function bringOldLogs(places: Places, instance: InstanceRecord, before: Date, count: number): void {
  const directory = join(placesOf(places, instance).logDir, 'error');
  mkdirSync(directory, { recursive: true });
  for (let hours = 1; hours <= count; hours += 1) {
    const at = new Date(before.getTime() - hours * HOUR_MS);
    const path = join(directory, `postgresql.log.${at.toISOString().slice(0, 13).replace('T', '-')}`);
    writeFileSync(path, recovery(at, hours), { mode: 0o640 });
    utimesSync(path, at, at);
    giveTo(places.account, path);
  }
}

function recovery(at: Date, number: number): string {
  const time = `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const segment = (0x1000000 * number).toString(16).toUpperCase().padStart(8, '0');
  return [
    `database system was interrupted; last known up at ${time}`,
    'database system was not properly shut down; automatic recovery in progress',
    `redo starts at 0/${segment}`,
    `invalid record length at 0/${segment}: expected at least 24, got 0`,
    `redo done at 0/${segment} system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.00 s`,
    'database system is ready to accept connections',
  ]
    .map((message) => `${time}::@:[1]:LOG:  ${message}\n`)
    .join('');
}

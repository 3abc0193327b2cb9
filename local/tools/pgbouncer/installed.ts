import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namedBy, onPath } from '../executables';
import type { ToolSource } from '../find-tool';
import { PGBOUNCER_MINIMUM } from '../versions';

/** Where distributions put programs for administrators, which are not on everybody's PATH. */
const FOR_ADMINISTRATORS = ['/usr/local/sbin', '/usr/sbin'];

const INSTALL = process.platform === 'darwin' ? 'brew install pgbouncer' : 'apt-get install pgbouncer';

/** The executable that the user named. */
export function fromVariable(env: NodeJS.ProcessEnv): ToolSource {
  return {
    name: 'KEYSHIFT_PGBOUNCER',
    remedy: 'set KEYSHIFT_PGBOUNCER to the path of a pgbouncer executable',
    find: async () => namedBy('KEYSHIFT_PGBOUNCER', env),
  };
}

/** `pgbouncer` on PATH. */
export function fromPath(env: NodeJS.ProcessEnv, more: readonly string[] = FOR_ADMINISTRATORS): ToolSource {
  return {
    name: 'PATH',
    remedy: `install PgBouncer ${PGBOUNCER_MINIMUM} or later (${INSTALL}) and put it on PATH`,
    find: async () => onPath('pgbouncer', env, more),
  };
}

/** What an earlier run fetched. */
export function fromCache(folder: string): ToolSource {
  return {
    name: 'cache',
    remedy: `put the executable at ${join(folder, 'pgbouncer')}`,
    async find() {
      const path = join(folder, 'pgbouncer');
      return existsSync(path) ? path : undefined;
    },
  };
}

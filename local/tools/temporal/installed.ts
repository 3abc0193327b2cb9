import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namedBy, onPath } from '../executables';
import type { TemporalCliSource } from '../temporal-cli';
import { TEMPORAL_CLI_MINIMUM } from '../versions';

/** The executable that the user named. */
export function fromVariable(env: NodeJS.ProcessEnv): TemporalCliSource {
  return {
    name: 'KEYSHIFT_TEMPORAL_CLI',
    remedy: 'set KEYSHIFT_TEMPORAL_CLI to the path of a temporal executable',
    find: async () => namedBy('KEYSHIFT_TEMPORAL_CLI', env),
  };
}

/** `temporal` on PATH. */
export function fromPath(env: NodeJS.ProcessEnv): TemporalCliSource {
  return {
    name: 'PATH',
    remedy: `install the Temporal CLI, ${TEMPORAL_CLI_MINIMUM} or later (https://docs.temporal.io/cli), and put it on PATH`,
    find: async () => onPath('temporal', env),
  };
}

/** What an earlier run fetched. */
export function fromCache(folder: string): TemporalCliSource {
  return {
    name: 'cache',
    remedy: `put the executable at ${join(folder, 'temporal')}`,
    async find() {
      const path = join(folder, 'temporal');
      return existsSync(path) ? path : undefined;
    },
  };
}

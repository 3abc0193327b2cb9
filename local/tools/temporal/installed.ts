import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { TemporalCliSource } from '../temporal-cli';
import { TEMPORAL_CLI_MINIMUM } from '../versions';

/** The executable that the user named. */
export function fromVariable(env: NodeJS.ProcessEnv): TemporalCliSource {
  return {
    name: 'KEYSHIFT_TEMPORAL_CLI',
    remedy: 'set KEYSHIFT_TEMPORAL_CLI to the path of a temporal executable',
    async find() {
      const path = env['KEYSHIFT_TEMPORAL_CLI'];
      if (!path) return undefined;
      if (!isExecutable(path)) throw new Error(`${path} is not an executable file`);
      return resolve(path);
    },
  };
}

/** `temporal` on PATH. */
export function fromPath(env: NodeJS.ProcessEnv): TemporalCliSource {
  return {
    name: 'PATH',
    remedy: `install the Temporal CLI, ${TEMPORAL_CLI_MINIMUM} or later (https://docs.temporal.io/cli), and put it on PATH`,
    async find() {
      const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
      return folders.map((folder) => join(folder, 'temporal')).find(isExecutable);
    },
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

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

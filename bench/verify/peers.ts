import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '../../local/tools/paths';
import { type BenchDatabase, COLUMNS, KEY, TABLE } from './tables';

const run = promisify(execFile);
const VENV = join(REPOSITORY, '.keyshift', 'bench', 'venv');
const INSTALLED = join(VENV, 'installed');
const bin = (name: string) => join(VENV, 'bin', name);

/**
 * Both pin versions that don't build any more, and pull in what they don't need to compare two tables (a whole dbt), so they come
 * without their dependencies, and those that they use are named.
 */
const PACKAGES = {
  plain: [
    ...[
      'psycopg2-binary',
      'sqlalchemy<1.4',
      'halo',
      'fabulous<=0.3.0',
      'docopt',
      'setuptools',
      'attrs',
      'click',
      'dsnparse',
    ],
    ...[
      'keyring',
      'mashumaro',
      'pydantic',
      'rich',
      'tabulate',
      'toml',
      'typing-extensions',
      'urllib3',
      'packaging',
      'requests',
    ],
  ],
  withoutDependencies: ['pgdatadiff==0.2.1', 'data-diff==0.11.2'],
};

/** Installs the tools that we are compared with, once. Returns why they can't be had. */
export async function installPeers(): Promise<string | undefined> {
  if (existsSync(INSTALLED)) return undefined;
  try {
    mkdirSync(join(VENV, '..'), { recursive: true });
    await run('python3', ['-m', 'venv', VENV]);
    await run(bin('pip'), ['install', '-q', ...PACKAGES.plain]);
    await run(bin('pip'), ['install', '-q', '--no-deps', ...PACKAGES.withoutDependencies]);
    writeFileSync(INSTALLED, '');
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n').at(-1) ?? error.message) : String(error);
  }
}

const url = (port: number, database: string) => `127.0.0.1:${port}/${database}`;

/** Its own class, called as its command does: the command refuses to start with newer versions of what it needs. */
export async function pgdatadiff(source: number, target: number, database: BenchDatabase): Promise<void> {
  const [one, two] = [source, target].map((port) => `postgresql://rdsadmin@${url(port, database)}`);
  const code = `import sys
from pgdatadiff.pgdatadiff import DBDiff
sys.exit(DBDiff(${JSON.stringify(one)}, ${JSON.stringify(two)}, chunk_size=10000).diff_all_table_data())`;
  await run(bin('python'), ['-c', code], { maxBuffer: 1e8 });
}

/** Its library: the command wants dbt, which can't be had from the registry alone. */
export async function dataDiff(source: number, target: number, database: BenchDatabase): Promise<void> {
  const [one, two] = [source, target].map((port) => `postgresql://rdsadmin:x@${url(port, database)}`);
  const table = JSON.stringify(TABLE[database]);
  const code = `from data_diff import connect_to_table, diff_tables
one, two = [connect_to_table(url, ${table}, ${JSON.stringify(KEY[database])}, thread_count=2) for url in (${JSON.stringify(one)}, ${JSON.stringify(two)})]
found = list(diff_tables(one, two, extra_columns=${JSON.stringify(COLUMNS[database])}, max_threadpool_size=4))
assert found == [], found[:5]`;
  await run(bin('python'), ['-c', code], { maxBuffer: 1e8 });
}

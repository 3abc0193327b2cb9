import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Runs over and over while the migration lasts. */
const WRITES = 'writes.sql';
/** More fields of the plan, for the whole instance. */
const PLAN = 'plan.json';

/** A database as the folder has it. */
export interface RealDatabase {
  readonly name: string;
  /** In the order of the names of their files. */
  readonly scripts: readonly { readonly file: string; readonly sql: string }[];
  readonly writes?: string;
}

export interface RealFolder {
  readonly name: string;
  readonly databases: readonly RealDatabase[];
  readonly plan: Readonly<Record<string, unknown>>;
}

/**
 * Reads `<folder>/<database>/*.sql`, each `writes.sql` and `<folder>/plan.json`.
 * @throws Error where there is no database in it
 */
export function readFolder(folder: string): RealFolder {
  const names = readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory());
  const databases = names.map((name) => readDatabase(folder, name)).filter(({ scripts }) => scripts.length > 0);
  if (databases.length === 0) throw new Error(`${folder} has no <database>/*.sql`);
  const plan = join(folder, PLAN);
  return {
    name: basename(folder),
    databases,
    plan: existsSync(plan) ? (JSON.parse(readFileSync(plan, 'utf8')) as Record<string, unknown>) : {},
  };
}

function readDatabase(folder: string, name: string): RealDatabase {
  const files = readdirSync(join(folder, name))
    .filter((file) => file.endsWith('.sql'))
    .sort();
  const read = (file: string): string => withoutPsql(readFileSync(join(folder, name, file), 'utf8'));
  return {
    name,
    scripts: files.filter((file) => file !== WRITES).map((file) => ({ file, sql: read(file) })),
    ...(files.includes(WRITES) ? { writes: read(WRITES) } : {}),
  };
}

/** `pg_dump` writes `\restrict` and `\connect` for psql; there is no psql here. */
const withoutPsql = (sql: string): string => sql.replace(/^\\(restrict|unrestrict|connect|encoding)\b.*$/gm, '');

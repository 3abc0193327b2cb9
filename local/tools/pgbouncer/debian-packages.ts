import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ToolSource } from '../find-tool';
import type { Report } from '../report';
import { CommandError, runCommand } from '../run-command';

/** Lists of packages and a few hundred kilobytes; a mirror that is out of reach takes long to say so. */
const APT_MS = 120_000;

/** Finds its libraries beside itself, wherever the folder lies, before those of the system. */
const LAUNCHER = `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/pgbouncer.bin" "$@"
`;

/**
 * Debian's package, unpacked and not installed, with those of its libraries that this machine lacks. Needs no root: apt-get downloads into
 * any folder, and dpkg-deb unpacks into any.
 */
export function fromDebianPackages(folder: string): ToolSource {
  return {
    name: 'Debian package',
    remedy:
      process.platform === 'linux'
        ? 'let apt-get reach its package mirrors (Debian, Ubuntu), or install pgbouncer by your package manager'
        : 'brew install pgbouncer',
    async find(report) {
      if (process.platform !== 'linux') return undefined;
      await mkdir(dirname(folder), { recursive: true });
      const scratch = await mkdtemp(join(dirname(folder), '.fetch-'));
      try {
        await chmod(scratch, 0o755);
        await unpackInto(scratch, report);
        // Whole or not at all; another process may have been faster.
        await rename(join(scratch, 'made'), folder).catch((error: unknown) => {
          if (!existsSync(join(folder, 'pgbouncer'))) throw error;
        });
        return join(folder, 'pgbouncer');
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    },
  };
}

/** Makes `made/` in the scratch folder: the launcher, the program, its libraries. */
async function unpackInto(scratch: string, report: Report): Promise<void> {
  const [made, lib] = [join(scratch, 'made'), join(scratch, 'made', 'lib')];
  await mkdir(lib, { recursive: true });
  report('PgBouncer: apt-get download pgbouncer');
  const apt = await aptThatHas('pgbouncer', scratch, report);
  const unpacked = await unpack(await apt('pgbouncer'));
  const program = join(made, 'pgbouncer.bin');
  await copyFile(join(unpacked, 'usr', 'sbin', 'pgbouncer'), program);
  await chmod(program, 0o755);
  const wanted = await dependenciesOf(join(scratch, 'pgbouncer'));
  for (let missing = await missingLibraries(program, lib); missing.length > 0;) {
    const [name] = missing as [string];
    const next = packageOf(name, wanted);
    if (!next) throw new Error(`pgbouncer needs ${missing.join(', ')}, and no package that it depends on has it`);
    wanted.splice(wanted.indexOf(next), 1);
    report(`PgBouncer: apt-get download ${next}, for ${name}`);
    await copyLibraries(await unpack(await apt(next)), lib);
    missing = await missingLibraries(program, lib);
  }
  await writeFile(join(made, 'pgbouncer'), LAUNCHER, { mode: 0o755 });
}

/** Downloads a package into a folder of its own; answers that folder. */
type Download = (name: string) => Promise<string>;

/** apt-get with the system's lists of packages; where these are missing or old, with lists of our own. */
async function aptThatHas(name: string, scratch: string, report: Report): Promise<Download> {
  const download =
    (options: readonly string[]): Download =>
    async (wanted) => {
      const cwd = join(scratch, wanted);
      await mkdir(cwd, { recursive: true });
      // Its account for downloads can't write here.
      const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
      await runCommand('apt-get', [...options, ...sandbox, 'download', wanted], { cwd, timeoutMs: APT_MS });
      return cwd;
    };
  try {
    await download([])(name);
    return download([]);
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
    report(`PgBouncer: ${error.message}; asking with fresh lists of packages`);
  }
  const state = join(scratch, 'apt');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true });
  const options = [
    ...['-o', `Dir::State=${state}`, '-o', `Dir::State::lists=${join(state, 'lists')}`],
    ...['-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${join(state, 'cache')}`],
    ...['-o', 'APT::Sandbox::User=root'],
  ];
  await runCommand('apt-get', [...options, 'update', '-qq'], { timeoutMs: APT_MS });
  return download(options);
}

async function debOf(folder: string): Promise<string> {
  const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  if (!deb) throw new Error(`apt-get downloaded no package ${basename(folder)}`);
  return join(folder, deb);
}

async function unpack(folder: string): Promise<string> {
  const unpacked = join(folder, 'unpacked');
  await runCommand('dpkg-deb', ['-x', await debOf(folder), unpacked]);
  return unpacked;
}

/** Names of the packages with libraries that a package depends on. */
async function dependenciesOf(folder: string): Promise<string[]> {
  const { stdout } = await runCommand('dpkg-deb', ['-f', await debOf(folder), 'Depends']);
  return parseDependencies(stdout);
}

/** Of `libc6 (>= 2.36), libevent-2.1-7 | libevent7, lsb-base` the names of libraries; the first of alternatives. */
export function parseDependencies(field: string): string[] {
  const names = field.split(',').map((one) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(one)?.[1] ?? '');
  // Another C library than the system's own would not run.
  return names.filter((name) => name.startsWith('lib') && !/^libc6/.test(name));
}

/** The package of a library, by Debian's rule for their names (`libcares.so.2` is in `libc-ares2`); else any that is left. */
export function packageOf(library: string, packages: readonly string[]): string | undefined {
  const plain = (name: string): string => name.replace('.so.', '').replace(/[^a-z0-9]/g, '');
  return packages.find((name) => plain(name).startsWith(plain(library))) ?? packages[0];
}

/** Shared libraries that the program wants and the machine lacks. */
async function missingLibraries(program: string, lib: string): Promise<string[]> {
  const { stdout } = await runCommand('ldd', [program], { env: { ...process.env, LD_LIBRARY_PATH: lib } });
  return [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1] ?? '');
}

/** Copies shared libraries; of links what they lead to. */
async function copyLibraries(unpacked: string, lib: string): Promise<void> {
  for (const entry of await readdir(unpacked, { recursive: true, withFileTypes: true })) {
    if (!/\.so(\.|$)/.test(entry.name) || entry.isDirectory()) continue;
    await copyFile(join(entry.parentPath, entry.name), join(lib, entry.name)).catch(() => undefined);
  }
}

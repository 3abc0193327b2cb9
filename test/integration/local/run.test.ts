import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../../../local/tools/paths';
import { waitFor } from '../../../local/world/wait-for';

const LOCK = {
  packages: {
    '': {},
    'node_modules/tsx': { version: '1.0.0' },
    'node_modules/other': { version: '2.0.0', optional: true },
  },
};

/** Stands in for npm: notes that it was called, and writes npm's account of the tree or fails. */
const NPM = `
const { appendFileSync, copyFileSync, mkdirSync, existsSync } = require('node:fs');
appendFileSync('npm-calls', process.argv.slice(2).join(' ') + ' cache=' + (process.env.npm_config_cache ?? '') + '\\n');
if (existsSync('npm-fails')) process.exit(3);
mkdirSync('node_modules', { recursive: true });
copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
`;

const ENTRY = `
import { writeFileSync } from 'node:fs';
const say: (line: string) => void = (line) => { process.stdout.write(line + '\\n'); };
const [what, code] = process.argv.slice(2);
if (what === 'exit') { say(process.cwd()); process.exitCode = Number(code); }
if (what === 'wait') {
  const alive = setInterval(() => undefined, 1000);
  process.on('SIGTERM', () => setTimeout(() => { writeFileSync(code ?? '', 'cleaned'); clearInterval(alive); process.exitCode = 7; }, 50));
  say('waiting');
}
if (what === 'die') process.kill(process.pid, 'SIGKILL');
`;

describe('local/run.mjs', () => {
  let folder: string;
  let elsewhere: string;

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'keyshift-run-')));
    elsewhere = realpathSync(mkdtempSync(join(tmpdir(), 'keyshift-cwd-')));
    mkdirSync(join(folder, 'local'));
    mkdirSync(join(folder, 'node_modules'));
    cpSync(join(REPOSITORY, 'local', 'run.mjs'), join(folder, 'local', 'run.mjs'));
    symlinkSync(join(REPOSITORY, 'node_modules', 'tsx'), join(folder, 'node_modules', 'tsx'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ engines: { node: '>=20.19' } }));
    writeFileSync(join(folder, 'tsconfig.json'), '{}');
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(LOCK));
    writeFileSync(join(folder, 'npm.cjs'), NPM);
    writeFileSync(join(folder, 'entry.ts'), ENTRY);
  });
  afterEach(() => {
    for (const path of [folder, elsewhere]) rmSync(path, { recursive: true, force: true });
  });

  const start = (...args: string[]) => {
    const child = spawn(process.execPath, [join(folder, 'local', 'run.mjs'), 'entry.ts', ...args], {
      cwd: elsewhere,
      env: { PATH: process.env['PATH'], HOME: '', npm_execpath: join(folder, 'npm.cjs') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (text: Buffer) => (output.stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (output.stderr += text.toString()));
    const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
      child.once('close', (code, signal) => resolve({ code, signal })),
    );
    return { child, output, ended };
  };
  const npmCalls = (): string[] =>
    existsSync(join(folder, 'npm-calls')) ? readFileSync(join(folder, 'npm-calls'), 'utf8').trim().split('\n') : [];

  it('installs what is missing, once, and hands on arguments, folder and exit code; stdout is the entry’s alone', async () => {
    const first = start('exit', '5');
    await expect(first.ended).resolves.toEqual({ code: 5, signal: null });
    expect(first.output.stdout).toBe(`${elsewhere}\n`);
    expect(first.output.stderr).toContain('dependencies are not installed');
    expect(npmCalls()).toEqual([`ci --no-progress cache=${join(folder, '.keyshift', 'cache', 'npm')}`]);
    const second = start('exit', '0');
    await expect(second.ended).resolves.toEqual({ code: 0, signal: null });
    expect(second.output.stderr).toBe('');
    expect(npmCalls()).toHaveLength(1);
  });

  it('installs again when the lock file asks for another version, not for an optional package of another platform', async () => {
    const { '': root, 'node_modules/tsx': tsx } = LOCK.packages;
    const account = { packages: { '': root, 'node_modules/tsx': tsx } };
    writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify(account));
    await start('exit', '0').ended;
    expect(npmCalls()).toHaveLength(0);
    const changed = { packages: { ...LOCK.packages, 'node_modules/tsx': { version: '1.1.0' } } };
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(changed));
    const run = start('exit', '0');
    await run.ended;
    expect(run.output.stderr).toContain('node_modules/tsx is 1.0.0, wanted 1.1.0');
    expect(npmCalls()).toHaveLength(1);
  });

  it('runs nothing when the installation fails, and leaves no lock behind', async () => {
    writeFileSync(join(folder, 'npm-fails'), '');
    const run = start('exit', '0');
    await expect(run.ended).resolves.toEqual({ code: 3, signal: null });
    expect(run.output.stdout).toBe('');
    expect(existsSync(join(folder, '.keyshift', 'npm-ci.pid'))).toBe(false);
  });

  it('installs once when several start at the same time', async () => {
    const runs = [1, 2, 3, 4].map(() => start('exit', '0'));
    for (const run of runs) await expect(run.ended).resolves.toEqual({ code: 0, signal: null });
    expect(npmCalls()).toHaveLength(1);
  });

  it('hands on SIGTERM and lets the entry clean up', async () => {
    const mark = join(elsewhere, 'mark');
    const run = start('wait', mark);
    await waitFor('the entry waits', () => run.output.stdout.includes('waiting'));
    run.child.kill('SIGTERM');
    await expect(run.ended).resolves.toEqual({ code: 7, signal: null });
    expect(readFileSync(mark, 'utf8')).toBe('cleaned');
  });

  it('cleans up when npm was told to stop, though the shell between npm and us passes nothing on', async () => {
    const mark = join(elsewhere, 'mark');
    const command = `"${process.execPath}" "${join(folder, 'local', 'run.mjs')}" entry.ts wait "${mark}"; true`;
    const shell = spawn('sh', ['-c', command], {
      env: { PATH: process.env['PATH'], HOME: '', npm_execpath: join(folder, 'npm.cjs'), npm_lifecycle_event: 'demo' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    shell.stdout.on('data', (text: Buffer) => (said += text.toString()));
    await waitFor('the entry waits', () => said.includes('waiting'));
    shell.kill('SIGTERM');
    await waitFor('the entry cleaned up', () => existsSync(mark));
  });

  it('dies of the signal that the entry died of', async () => {
    await expect(start('die').ended).resolves.toEqual({ code: null, signal: 'SIGKILL' });
  });
});

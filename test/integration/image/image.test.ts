import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { execFile, execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { contextFiles, dockerIgnores } from '../../support/docker-context';
import { stagesOf, startWords } from '../../support/dockerfile';

const ROOT = resolve(__dirname, '..', '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const stages = stagesOf(read('Dockerfile'));

let app: string;

interface Ended {
  readonly code: number;
  readonly output: string;
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const { PATH } = process.env;
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: app, env: { PATH, ...env } });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

/** Lays out what the stage `build` has copied from the context, and runs what it runs. There is no Docker engine here. */
beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'keyshift-image-'));
  const files = contextFiles(ROOT, dockerIgnores(read('.dockerignore')));
  const copies = stages
    .filter(({ name }) => ['dependencies', 'build'].includes(name))
    .flatMap((stage) => stage.copies.flatMap(({ from, sources }) => (from === undefined ? sources : [])));
  for (const file of files.filter((one) => copies.some((copy) => one === copy || one.startsWith(`${copy}/`)))) {
    mkdirSync(dirname(join(app, file)), { recursive: true });
    cpSync(join(ROOT, file), join(app, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(app, 'node_modules'));
  const built = await run('npm', ['run', 'build']);
  expect(built).toEqual({ code: 0, output: built.output });
}, 300_000);

afterAll(() => rmSync(app, { recursive: true, force: true }));

test('the workflow bundle is made, so that a worker starts without webpack', () => {
  expect(existsSync(join(app, 'dist/worker/workflow-bundle.js'))).toBe(true);
});

test('what the image starts is in dist, and says what it misses', async () => {
  const worker = stages.find(({ name }) => name === 'worker');
  const scripts = worker ? startWords(worker).filter((word) => word.endsWith('.js')) : [];
  for (const script of scripts)
    expect([script, existsSync(join(app, script.replace(/^\/app\//, '')))]).toEqual([script, true]);
  const { code, output } = await run('node', ['dist/worker/main.js']);
  expect(code).toBe(1);
  expect(output).toContain('KEYSHIFT_RDS_CA_BUNDLE is not set');
});

test('the command keyshift runs from dist', async () => {
  const { code, output } = await run('node', ['dist/client/main.js', '--help']);
  expect(code).toBe(0);
  expect(output).toContain('preflight');
});

const compose = (() => {
  try {
    return execFileSync('sh', ['-c', 'command -v docker-compose'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
})();

(compose ? test : test.skip).each([[[]], [['--profile', 'local']]])(
  'docker-compose accepts docker-compose.yml with %j',
  async (profile) => {
    const ended = await run(compose ?? '', ['-f', join(ROOT, 'docker-compose.yml'), ...profile, 'config', '-q']);
    expect(ended).toEqual({ code: 0, output: '' });
  },
);

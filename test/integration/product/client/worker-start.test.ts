import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { silently } from '../../../../local/tools/report';
import { findTemporalCli } from '../../../../local/tools/temporal-cli';

const ROOT = resolve(__dirname, '..', '..', '..', '..');
/** Longer than a worker may take to say what is wrong: this machine has to load the code first. */
const LONGEST_MS = 60_000;

let environment: TestWorkflowEnvironment;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'keyshift-worker-'));
  writeFileSync(join(home, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n');
  const cli = await findTemporalCli({ report: silently });
  environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: cli.path } },
  });
});
afterAll(async () => {
  await environment?.teardown();
  rmSync(home, { recursive: true, force: true });
});

/** Runs a worker of its own until it ends: its code, and its log. */
async function ended(env: NodeJS.ProcessEnv): Promise<{ code: number | null; lines: Record<string, unknown>[] }> {
  const { PATH } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', 'worker/main.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH,
      HOME: home,
      TEMPORAL_ADDRESS: environment.address,
      KEYSHIFT_RDS_CA_BUNDLE: join(home, 'ca.pem'),
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      AWS_REGION: 'eu-central-1',
      ...env,
    },
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
  const log: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  clearTimeout(timer);
  const lines = Buffer.concat(log).toString().split('\n').filter(Boolean);
  return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test.each([
  [
    'its namespace does not exist',
    { TEMPORAL_NAMESPACE: 'nowhere', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' },
    /^Temporal has no namespace "nowhere"\. Set TEMPORAL_NAMESPACE/,
  ],
  [
    'it has no AWS credentials',
    { AWS_EC2_METADATA_DISABLED: 'true' },
    /^No valid AWS credentials \(.*Give the worker a role/,
  ],
  [
    'its profile does not exist',
    { AWS_EC2_METADATA_DISABLED: 'true', AWS_PROFILE: 'nobody' },
    /^No valid AWS credentials \(.*Give the worker a role/,
  ],
])(
  'when %s, the worker ends with code 1 and one line that says what to do',
  async (_what, env, message) => {
    const { code, lines } = await ended(env);
    expect(lines).toEqual([expect.objectContaining({ level: 60, msg: expect.stringMatching(message) as string })]);
    expect(code).toBe(1);
  },
  2 * LONGEST_MS,
);

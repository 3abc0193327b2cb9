import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const VENV = resolve(__dirname, '..', '..', '.keyshift', 'cache', 'awscli');

/** The `aws` command: the one on the PATH, or PyPI's in a virtual environment of our own; undefined if neither can be had. */
export function findAwsCli(): string | undefined {
  return (found ??= { command: lookForAwsCli() }).command;
}

let found: { readonly command: string | undefined } | undefined;

function lookForAwsCli(): string | undefined {
  const installed = resolve(VENV, 'bin', 'aws');
  for (const candidate of ['aws', installed]) {
    if (works(candidate)) return candidate;
  }
  try {
    execFileSync('python3', ['-m', 'venv', VENV], { stdio: 'ignore' });
    execFileSync(resolve(VENV, 'bin', 'pip'), ['install', '--quiet', 'awscli'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return existsSync(installed) && works(installed) ? installed : undefined;
}

/** Runs one line that calls `aws` in a shell, as an operator pastes it. */
export async function pasteAws(command: string, endpoint: string, line: string): Promise<string> {
  return callAws('sh', endpoint, '-c', line.replace(/^aws /, `"${command}" `));
}

/** Calls `aws` against an endpoint, by nothing but its environment, and answers what it printed. */
export async function callAws(command: string, endpoint: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(command, args, {
    env: {
      ...process.env,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_DEFAULT_REGION: 'eu-central-1',
      AWS_PAGER: '',
    },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

function works(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

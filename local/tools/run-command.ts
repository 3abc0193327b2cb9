import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { basename } from 'node:path';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** SIGKILL after this time; default 60 s. */
  readonly timeoutMs?: number;
  /** Called with every line of stderr and stdout as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that could not be started, ended with another code than 0, or took too long. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    message: string,
    readonly exitCode: number | undefined,
    readonly stdout: string,
    readonly stderr: string,
    readonly timedOut: boolean,
  ) {
    super(message);
  }
}

/** Runs a command to its end, without a shell, and collects what it prints. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { env = process.env, cwd, timeoutMs = 60_000, onLine }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, { env, ...(cwd ? { cwd } : {}), stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
    if (onLine) createInterface({ input: child[stream] }).on('line', onLine);
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  clearTimeout(timer);
  if (end.code === 0) return output;
  const what = basename(command);
  const why = end.error
    ? `could not be started: ${end.error.message}`
    : timedOut
      ? `took longer than ${timeoutMs / 1000} s`
      : `ended with ${end.code ?? end.signal ?? 'nothing'}: ${lastLines(output.stderr || output.stdout)}`;
  throw new CommandError(`${what} ${why}`, end.code ?? undefined, output.stdout, output.stderr, timedOut);
}

/** The last lines that say something, on one line. */
function lastLines(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-3).join(' / ').slice(0, 500) || 'it said nothing';
}

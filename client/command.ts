import type { Command } from 'commander';
import { CommandError, EXIT } from './exit-codes';
import { asCommandError } from './migrations';

/** What a command gives back: text for a person, and the object that `--json` prints in its place. */
export interface Outcome {
  readonly text: string;
  readonly json: unknown;
  readonly exitCode?: number;
}

/** Prints an outcome; errors go to stderr as one message, without a stack trace. Sets the exit code. */
export async function runCommand(command: Command, work: () => Promise<Outcome>): Promise<void> {
  const { json } = command.optsWithGlobals<{ json?: boolean }>();
  try {
    const outcome = await work();
    process.stdout.write(`${json ? JSON.stringify(outcome.json, null, 2) : outcome.text}\n`);
    process.exitCode = outcome.exitCode ?? EXIT.ok;
  } catch (thrown) {
    const error = asCommandError(thrown);
    const known = error instanceof CommandError ? error : undefined;
    const message = error instanceof Error ? error.message : String(error);
    if (json) process.stdout.write(`${JSON.stringify({ error: message, details: known?.details }, null, 2)}\n`);
    process.stderr.write(`keyshift: ${message}\n`);
    process.exitCode = known?.exitCode ?? EXIT.unexpected;
  }
}

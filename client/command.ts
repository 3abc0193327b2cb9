import type { Command } from 'commander';
import { CommandError, EXIT } from './exit-codes';
import { oneLine, printable, printableJson } from '../plan/printable';
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
    process.stdout.write(`${json ? printableJson(outcome.json) : printable(outcome.text)}\n`);
    process.exitCode = outcome.exitCode ?? EXIT.ok;
  } catch (thrown) {
    const error = asCommandError(thrown);
    const known = error instanceof CommandError ? error : undefined;
    const message = error instanceof Error ? error.message : String(error);
    if (json) process.stdout.write(`${printableJson({ error: message, details: known?.details })}\n`);
    process.stderr.write(`keyshift: ${printable(message)}\n`);
    process.exitCode = known?.exitCode ?? EXIT.unexpected;
  }
}

/** Says on stderr what a command waits for, each text once. */
export function sayOnce(): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (said.has(text)) return;
    said.add(text);
    process.stderr.write(`keyshift: ${oneLine(text)}\n`);
  };
}

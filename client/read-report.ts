import { readFile } from 'node:fs/promises';
import type { Report } from '../plan/report';
import { reportSchema } from '../evidence/schema';
import { CommandError, EXIT } from './exit-codes';

/**
 * Reads a report that was saved as JSON, also one of another version: fields that this one doesn't know stay in it.
 * @throws CommandError when it is none, with what is wrong in it
 */
export async function readReport(file: string): Promise<Report> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandError(EXIT.usage, `The report ${file} can't be read: ${(error as Error).message}`);
  }
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (error) {
    throw new CommandError(EXIT.usage, `The report ${file} is not JSON: ${(error as Error).message}`);
  }
  const { success, error } = reportSchema.safeParse(input);
  if (success) return input as Report;
  const problems = error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  const list = problems.map(({ path, message }) => `  ${path || '(all of it)'}: ${message}`).join('\n');
  throw new CommandError(
    EXIT.usage,
    `${file} is not a report as \`keyshift report <id> --json\` prints it:\n${list}`,
    problems,
  );
}

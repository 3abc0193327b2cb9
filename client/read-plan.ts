import { readFile } from 'node:fs/promises';
import { parse, YAMLParseError } from 'yaml';
import { checkPlan } from '../plan/parse-plan';
import type { PlanInput } from '../plan/plan';
import { isNewMigrationId } from '../plan/temporal';
import { CommandError, EXIT } from './exit-codes';

/**
 * Reads a plan, YAML or JSON (which is YAML), and checks it.
 * @throws CommandError with every mistake of the plan at once
 */
export async function readPlan(file: string): Promise<PlanInput> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandError(EXIT.usage, `The plan ${file} can't be read: ${(error as Error).message}`);
  }
  let input: unknown;
  try {
    input = parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new CommandError(EXIT.usage, `The plan ${file} is neither YAML nor JSON: ${error.message}`);
  }
  const result = checkPlan(input);
  if ('plan' in result) return input as PlanInput;
  const list = result.problems.map(({ path, message }) => `  ${path}: ${message}`).join('\n');
  throw new CommandError(
    EXIT.usage,
    `The plan ${file} has ${result.problems.length} mistake${result.problems.length === 1 ? '' : 's'}; nothing was touched:\n${list}`,
    result.problems,
  );
}

/** @throws CommandError when the text can't name a migration */
export function checkMigrationId(id: string): string {
  if (isNewMigrationId(id)) return id;
  throw new CommandError(
    EXIT.usage,
    `"${id}" can't name a migration: give 1-41 lower case letters, digits and hyphens, beginning with a letter, no hyphen at the end, no two in a row, and not "-final" at the end`,
  );
}

import { connectName, DELETES } from '../preflight/remedy';
import type { DriftStatement, SchemaDifference } from './compare-schemas';

/** A failure is part of the history: so much SQL goes into it, the rest comes when that has been run. */
const MAX_CHARACTERS = 12_000;

/**
 * The statements for the target as a script for `psql`, in an order that runs. What deletes rows, or values of theirs, is a comment in its place: nobody deletes by
 * running all of it, and what comes after fails where it needs that.
 * @returns the script, and how many statements it has no room for
 */
export function printDrift(drift: readonly (SchemaDifference & { readonly database: string })[]): {
  text: string;
  left: number;
} {
  return bounded(
    drift.flatMap(({ database, statements }) =>
      statements.length === 0 ? [] : [...headOf(database), ...statements.map(printStatement)],
    ),
  );
}

/** The target is read-only by default until the cutover; said twice, for clients that send everything as one transaction. */
const headOf = (database: string): string[] => [
  `\\connect ${connectName(database)}`,
  'SET default_transaction_read_only = off; SET transaction_read_only = off;',
  'SET check_function_bodies = off;',
];

function printStatement({ sql, deletes }: DriftStatement, place: number, all: readonly DriftStatement[]): string {
  if (!deletes) return `${sql};`;
  const commented = `${sql};`.replaceAll(/^/gm, '-- ');
  return all[place - 1]?.deletes ? commented : `${DELETES}\n${commented}`;
}

/** As many of the lines as there is room for, one at least. */
export function bounded(lines: readonly string[]): { text: string; left: number } {
  let characters = 0;
  const fitting = lines.findIndex((line) => (characters += line.length + 1) > MAX_CHARACTERS);
  const taken = fitting === -1 ? lines.length : Math.max(fitting, 1);
  return { text: lines.slice(0, taken).join('\n'), left: lines.length - taken };
}

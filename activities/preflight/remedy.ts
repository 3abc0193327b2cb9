import { EVIDENCE_MAX } from '../../plan/checks';

/** A statement and the database that it has to be run in. */
export interface Statement {
  readonly database: string;
  /** One line, ended by a semicolon. */
  readonly sql: string;
  /** It deletes something for good: it is printed as a comment, so that nobody runs it by running all of the script. */
  readonly deletes?: true;
}

/** Stands before the statements of a script that delete. */
export const DELETES = '-- THIS DELETES FOR GOOD. Take the dashes away from what you mean to run:';

/**
 * Statements as a script for `psql`: a `\connect` line before those of each database, one statement a line. At most
 * `EVIDENCE_MAX` of them: what is left, the next preflight prints. What deletes is printed as a comment.
 */
export function script(statements: readonly Statement[], ...comments: readonly string[]): string {
  const shown = statements.slice(0, EVIDENCE_MAX);
  const more = statements.length - shown.length;
  const databases = [...new Set(shown.map(({ database }) => database))];
  return [
    ...databases.flatMap((database) => [
      `\\connect ${connectName(database)}`,
      ...linesOf(shown.filter((one) => one.database === database)),
    ]),
    ...(more > 0 ? [`-- and ${more} more: run the preflight again after these`] : []),
    ...comments.map((comment) => `-- ${comment}`),
  ].join('\n');
}

function linesOf(statements: readonly Statement[]): string[] {
  const deleting = statements.filter(({ deletes }) => deletes).map(({ sql }) => `-- ${sql}`);
  const others = statements.filter(({ deletes }) => !deletes).map(({ sql }) => sql);
  return [...others, ...(deleting.length > 0 ? [DELETES, ...deleting] : [])];
}

/** As `psql` reads it: quoted unless it is a plain word. */
const connectName = (database: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(database) ? database : `"${database.replaceAll('"', '""')}"`;

/** The command that changes a parameter of a group; `static` ones apply with the next reboot. */
export const parameterCommand = (
  group: string,
  name: string,
  value: string | number,
  applies: 'immediate' | 'pending-reboot' = 'immediate',
): string =>
  `aws rds modify-db-parameter-group --db-parameter-group-name ${group} --parameters ParameterName=${name},ParameterValue=${value},ApplyMethod=${applies}`;

import { EVIDENCE_MAX } from '../../plan/checks';

/** A statement and the database that it has to be run in. */
export interface Statement {
  readonly database: string;
  /** One line, ended by a semicolon. */
  readonly sql: string;
}

/**
 * Statements as a script for `psql`: a `\connect` line before those of each database, one statement a line. At most
 * `EVIDENCE_MAX` of them: what is left, the next preflight prints.
 */
export function script(statements: readonly Statement[], ...comments: readonly string[]): string {
  const shown = statements.slice(0, EVIDENCE_MAX);
  const more = statements.length - shown.length;
  const databases = [...new Set(shown.map(({ database }) => database))];
  return [
    ...databases.flatMap((database) => [
      `\\connect ${connectName(database)}`,
      ...shown.filter((one) => one.database === database).map(({ sql }) => sql),
    ]),
    ...(more > 0 ? [`-- and ${more} more: run the preflight again after these`] : []),
    ...comments.map((comment) => `-- ${comment}`),
  ].join('\n');
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

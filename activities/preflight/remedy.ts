import { EVIDENCE_MAX } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isDefaultGroup } from '../rds/default-group';

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
export const script = (statements: readonly Statement[], ...comments: readonly string[]): string =>
  scriptOf(statements, EVIDENCE_MAX, comments);

/** The same, with at most so many statements. */
export function scriptOf(statements: readonly Statement[], most: number, comments: readonly string[]): string {
  const shown = statements.slice(0, most);
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

/** The name of a database as `psql` reads it after `\connect`: quoted unless it is a plain word. */
export const connectName = (database: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(database) ? database : `"${database.replaceAll('"', '""')}"`;

export interface ParameterChange {
  readonly name: string;
  readonly value: string | number;
  /** Static parameters apply with the next reboot. */
  readonly applies?: 'immediate' | 'pending-reboot';
}

/** The source, as far as a change of its parameters concerns it. */
export interface GroupOwner {
  readonly plan: Plan;
  readonly parameterGroup: string;
}

/**
 * The commands that change parameters of the source. A default group can't be modified: the source gets one of its own first, made
 * once, however many checks say so.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html
 */
export function parameterCommands(owner: GroupOwner, changes: readonly ParameterChange[]): string {
  const { instance } = owner.plan.source;
  const byDefault = isDefaultGroup(owner.parameterGroup);
  const group = byDefault ? `${instance}-parameters` : owner.parameterGroup;
  const family = owner.parameterGroup.replace(/^default\./, '');
  return [
    ...(byDefault
      ? [
          `# ${owner.parameterGroup} can't be modified: a group of its own, which applies with a reboot`,
          `aws rds create-db-parameter-group --db-parameter-group-name ${group} --db-parameter-group-family ${family} --description ${instance}`,
          `aws rds modify-db-instance --db-instance-identifier ${instance} --db-parameter-group-name ${group} --apply-immediately`,
        ]
      : []),
    ...changes.map(
      ({ name, value, applies = 'immediate' }) =>
        `aws rds modify-db-parameter-group --db-parameter-group-name ${group} --parameters ParameterName=${name},ParameterValue=${value},ApplyMethod=${applies}`,
    ),
  ].join('\n');
}

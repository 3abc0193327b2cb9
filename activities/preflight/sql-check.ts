import type { ParameterGroup } from '../rds/find-instance';
import { DatabaseError } from 'pg';
import type { Check, CheckCode } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import type { Session } from '../postgres/session';

/** What every check in SQL knows of its surroundings. */
export interface Sight {
  /** Whoever asks wants every statement of a remedy, not the first ones. */
  readonly all?: boolean;
  readonly migration: string;
  readonly plan: Plan;
  /** The master user, as whom the checks run. */
  readonly username: string;
  /** DB parameter group of the source. */
  readonly parameterGroup: string;
  /** Values of it wait for a reboot, so that others are in force. */
  readonly groupPending?: boolean;
  /** Databases that the migration replicates. */
  readonly databases: readonly string[];
  /** Sum of their sizes. */
  readonly sizeBytes: number;
  /** `server_version_num`, such as 160014. */
  readonly version: number;
}

/** The parameter group of the source, as far as its sight tells. */
export const groupOf = ({
  parameterGroup,
  groupPending,
}: Pick<Sight, 'parameterGroup' | 'groupPending'>): ParameterGroup => ({
  name: parameterGroup,
  applyStatus: groupPending ? 'pending-reboot' : 'in-sync',
});

/** A row that a check found, and where. */
export type In<Row> = Row & { readonly database: string };

/** A check of the server as a whole, made in one session. */
export interface ServerCheck {
  readonly code: CheckCode;
  look(session: Session, sight: Sight): Promise<Check[]>;
}

/** A check that is made in each database and judged once over all of them. */
export interface DatabaseCheck {
  readonly code: CheckCode;
  /** Where it can't be made, nothing may begin. */
  readonly essential: boolean;
  look(session: Session, sight: Sight): Promise<object[]>;
  judge(rows: readonly In<object>[], sight: Sight): Check[];
}

/**
 * @param look set-based, few queries: there may be ten thousand tables
 * @param judge gets the rows of all databases
 */
export function databaseCheck<Row extends object>(
  code: CheckCode,
  look: (session: Session, sight: Sight) => Promise<Row[]>,
  judge: (rows: readonly In<Row>[], sight: Sight) => Check | Check[],
  { essential = false } = {},
): DatabaseCheck {
  return {
    code,
    essential,
    look,
    judge: (rows, sight) => [judge(rows as readonly In<Row>[], sight)].flat(),
  };
}

/** Whether the server refused one statement, so that the others may go on; a lost connection is not that. */
export function isRefusal(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && !/^(08|53|57P|58|XX)/.test(error.code ?? '08');
}

/** A check that could not be made is a finding of its own: what isn't known isn't well. */
export function notMade(code: CheckCode, where: string, error: Error, essential = false): Check {
  return {
    code,
    level: essential ? 'block' : 'warn',
    message: `This could not be checked in ${where}: ${error.message}.`,
    remedy: 'Fix what the message says, then run the preflight again.',
  };
}

/** Schemas of the system's own, in a query that has `pg_namespace` as `n`. */
export const USER_SCHEMAS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'`;

/** Name of a relation `c` in schema `n`, quoted where it has to be. */
export const RELATION = `format('%I.%I', n.nspname, c.relname)`;

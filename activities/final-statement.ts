import type { ApplicationFailure } from '@temporalio/common';
import { DatabaseError } from 'pg';
import { finalFailure } from '../plan/failures';
import { placeOf } from './postgres/statement-place';
import { SQLSTATE } from './postgres/sqlstates';

/**
 * What passes by itself, however long it takes: connections, rolled-back transactions, resources, shutdowns, locks, objects in use, a server that
 * is a standby for the moment.
 */
const PASSING = /^(08|40|53|57P)/;
const PASSING_STATES: ReadonlySet<string> = new Set([
  SQLSTATE.lockNotAvailable,
  SQLSTATE.objectInUse,
  SQLSTATE.readOnlyTransaction,
]);
/**
 * What is wrong with the statement, with what it names or with the data: features, values, constraints, dependencies, functions, syntax and names,
 * limits, RAISE.
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const LASTING = /^(0A|0L|0P|21|22|23|2B|2F|34|38|39|3F|42|44|54|P0)/;

/** So often the same statement may fail in the same way; with the pauses between attempts that takes a few seconds. */
const TRIES_OF_LASTING = 3;
/** The same of what may be either, such as internal errors and timeouts: more than a minute. */
const TRIES_OF_OTHERS = 10;

/** After how many failures of one SQLSTATE at one place no retry can be expected to help; undefined: it may at any time. */
export function finalAfter(sqlState: string): number | undefined {
  if (PASSING.test(sqlState) || PASSING_STATES.has(sqlState)) return undefined;
  return LASTING.test(sqlState) ? TRIES_OF_LASTING : TRIES_OF_OTHERS;
}

/** What tells a failure of a statement from others: its SQLSTATE, where in PostgreSQL and where in ours. */
export function fingerprintOf(error: unknown): { readonly sqlState: string; readonly key: string } | undefined {
  if (!(error instanceof DatabaseError) || error.code === undefined) return undefined;
  const { code, routine = '', schema = '', table = '' } = error;
  const { database = '', statement = '' } = placeOf(error) ?? {};
  return { sqlState: code, key: JSON.stringify([code, routine, schema, table, database, statement]) };
}

/** Rows' values stand in the context of COPY; in others there are names. */
const HOLDS_VALUES = /^COPY /;

/**
 * The final failure for a statement that failed again and again. Says what PostgreSQL says but its DETAIL, which quotes rows.
 * @param times how often it has failed in this way
 */
export function statementRefused(error: DatabaseError, activity: string, times: number): ApplicationFailure {
  const { code = '', message, where, hint, schema, table } = error;
  const { database, step, statement } = placeOf(error) ?? {};
  const context =
    where !== undefined && !HOLDS_VALUES.test(where) ? where.split('\n').slice(0, 3).join('; ') : undefined;
  const relation = table === undefined ? undefined : [schema, table].filter(Boolean).join('.');
  const at = [
    ...(database === undefined ? [] : [`in database ${database}`]),
    ...(relation === undefined ? [] : [`at table ${relation}`]),
  ].join(', ');
  return finalFailure(
    'StatementRefused',
    [
      `${activity}: PostgreSQL answered SQLSTATE ${code} ${at ? `${at} ` : ''}${times} times: ${message}.`,
      ...(context === undefined ? [] : [`Context: ${context}.`]),
      ...(hint === undefined ? [] : [`Hint: ${hint}`]),
      ...(statement ? [`Statement: ${statement}.`] : []),
      'A retry alone does not help: correct what the server says, then send retry; or abort.',
    ].join(' '),
    {
      sqlState: code,
      times,
      ...(database === undefined ? {} : { database }),
      ...(step === undefined ? {} : { step }),
      ...(relation === undefined ? {} : { table: relation }),
      ...(statement ? { statement } : {}),
    },
  );
}

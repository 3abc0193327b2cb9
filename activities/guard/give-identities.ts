import type { EachDatabase } from '../each-database';
import { type Dependencies, instanceOf, type MigrationRef, sideInPlan } from '../dependencies';
import { canRecord, readIdentities, type RecordedIdentity, setIdentity } from '../postgres/identity-record';
import { accessTo, queryOne, type Session, withSession } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { isSqlState } from '../classify-error';
import {
  type BareTable,
  bareTables,
  cheapestIdentity,
  remedyOf,
  whyNotFull,
} from '../preflight/schema/replica-identity';
import { isRefusal } from '../preflight/sql-check';
import type { Warning } from './judge-source';

/** More than this are counted, not listed. */
const NAMED = 5;
/** How long one table is waited for, in milliseconds. Whoever comes after us waits for as long; the next look tries again. */
export const IDENTITY_LOCK_TIMEOUT_MS = 1_000;
/** So many times at most one look at a database waits for a lock, each for the session's `lock_timeout`; the next look goes on. */
const MOST_WAITS = 3;
/** So many times of giving are named, the newest; the board names tables. */
const MOST_TIMES = 100;

/** A table that still has none, and why. */
interface Left {
  readonly table: BareTable;
  readonly why: string;
}

/**
 * Gives each table that has no usable replica identity one: the publication is `FOR ALL TABLES`, so UPDATE and DELETE on a table
 * that came after it fail at once, because of us. That is done whatever `replicaIdentity` of the plan says. What was there before is
 * recorded first, and restored when the publication goes. A table that is locked is tried again at the next look.
 * @param session has the `lock_timeout` that one table is waited for
 * @returns what there is to tell: what has none yet, and what was given
 * @see https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY
 */
export async function giveIdentities(session: Session, ref: MigrationRef, database: string): Promise<Warning[]> {
  const bare = await bareTables(session);
  const recordable = bare.length > 0 && (await canRecord(session, ref.id));
  const { at } = await queryOne<{ at: string }>(session, 'SELECT clock_timestamp()::text AS at');
  const given = { on: sideInPlan(ref, 'source'), at };
  const left: Left[] = [];
  let waits = 0;
  for (const table of bare) {
    const identity = cheapestIdentity(table);
    if (identity === undefined) {
      left.push({ table, why: notFull(table) });
    } else if (!recordable) {
      left.push({ table, why: 'an earlier build began this migration, and nothing could be recorded to undo it' });
    } else if (waits >= MOST_WAITS) {
      left.push({ table, why: LOCKED });
    } else {
      const why = await tryToSet(() => setIdentity(session, ref.id, table, identity, given));
      if (why === LOCKED) waits += 1;
      if (why !== undefined) left.push({ table, why });
    }
  }
  return warningsOf(ref, database, left, await readIdentities(session, ref.id));
}

const notFull = (table: BareTable): string => `FULL would not do: ${whyNotFull(table)}`;
const LOCKED = 'somebody has it; tried again within seconds';

/** @returns why it could not be set; undefined: it is set */
async function tryToSet(set: () => Promise<void>): Promise<string | undefined> {
  try {
    await set();
    return undefined;
  } catch (error) {
    if (isSqlState(error, SQLSTATE.lockNotAvailable, SQLSTATE.deadlockDetected)) return LOCKED;
    if (!isRefusal(error)) throw error;
    return error.message;
  }
}

/** The same without giving anything: what is told at the first look. */
export async function lookAtIdentities(session: Session, ref: MigrationRef, database: string): Promise<Warning[]> {
  const left = (await bareTables(session)).map((table) => ({
    table,
    why: cheapestIdentity(table) === undefined ? notFull(table) : 'it is about to get one',
  }));
  return warningsOf(ref, database, left, await readIdentities(session, ref.id));
}

function warningsOf(
  ref: MigrationRef,
  database: string,
  left: readonly Left[],
  recorded: readonly RecordedIdentity[],
): Warning[] {
  return [...leftWarnings(ref, database, left), ...givenWarnings(ref, database, givenHere(ref, recorded))];
}

function leftWarnings(ref: MigrationRef, database: string, left: readonly Left[]): Warning[] {
  if (left.length === 0) return [];
  const some = left.slice(0, NAMED).map(({ table, why }) => `${table.name} (${why})`);
  const more = left.length > NAMED ? ` and ${left.length - NAMED} more` : '';
  const remedy = left.slice(0, NAMED).map(({ table }) => remedyOf(table));
  return [
    {
      code: `no-replica-identity-${database}`,
      text: `UPDATE and DELETE FAIL ON ${instanceOf(ref, 'source')} for ${some.join(', ')}${more} in database ${database}: no usable replica identity, and all tables are published. At once, in ${database}: ${remedy.join(' ')}`,
    },
  ];
}

/** A warning for each time at which something was given, so that each becomes one notice. */
function givenWarnings(ref: MigrationRef, database: string, given: readonly RecordedIdentity[]): Warning[] {
  const times = [...new Set(given.map(({ givenAt }) => givenAt))];
  return times.slice(-MOST_TIMES).map((at) => {
    const then = given.filter(({ givenAt }) => givenAt === at);
    const named = then.slice(0, NAMED).map(({ relation, set }) => `${relation} (${set})`);
    const more = then.length > NAMED ? ` and ${then.length - NAMED} more` : '';
    return {
      code: `replica-identity-given-${database}-${at ?? ''}`,
      text: `Keyshift set the replica identity of ${named.join(', ')}${more} in database ${database} of ${instanceOf(ref, 'source')}: without one, UPDATE and DELETE failed there, since all tables are published. It is undone when the migration ends`,
    };
  });
}

/** What was given on the side that is published now; the record of one side comes to the other. */
const givenHere = (ref: MigrationRef, recorded: readonly RecordedIdentity[]): RecordedIdentity[] =>
  recorded.filter(({ givenOn }) => givenOn === sideInPlan(ref, 'source'));

/** What was given on the side that is published now, a line for each table, for a board. */
export async function givenLines(
  deps: Dependencies,
  ref: MigrationRef & { databases: readonly string[] },
  step: string,
  each: EachDatabase,
): Promise<string[]> {
  const access = await accessTo(deps, ref, 'source');
  const lines = await each('replica identities', ref.databases, (database, look) =>
    withSession(access, { step, database, readOnly: true, ...look }, async (session) =>
      givenHere(ref, await readIdentities(session, ref.id))
        .filter(({ exists }) => exists)
        .map(
          ({ relation, set, givenAt }) =>
            `${relation} in database ${database} of ${instanceOf(ref, 'source')} has REPLICA IDENTITY ${set} from Keyshift since ${givenAt ?? ''}: it came after the publication and had none; undone when the migration ends`,
        ),
    ),
  );
  return lines.flat();
}

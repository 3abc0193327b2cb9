import { EVIDENCE_MAX } from '../../plan/checks';
import { finalFailure } from '../../plan/failures';
import { publicationName } from '../../plan/names';
import { isSqlState } from '../classify-error';
import type { Dependencies, MigrationRef } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { type BareTable, bareTables, cheapestIdentity } from '../preflight/schema/replica-identity';
import { waitUntil } from '../wait';
import { findPublication } from './create-publications';
import { dropFenceTable, identityTable } from './fence-table';
import { createOurSchema, whoseSchema } from './provenance';
import { accessIfThere, accessTo, inEachDatabase, queryOne, queryRows, type Session, type Side } from './session';
import { SQLSTATE } from './sqlstates';

/** `ALTER TABLE ... REPLICA IDENTITY` takes ACCESS EXCLUSIVE; while it waits, everybody else waits behind it. */
const LOCK_TIMEOUT_MS = 500;

/** What was set, for the note of the step. */
export interface SetIdentities {
  readonly tables: number;
  /** The first of them, with what they have now. */
  readonly found: readonly string[];
}

interface Recorded {
  /** Qualified and quoted. */
  readonly relation: string;
  /** What follows `REPLICA IDENTITY`, as it was and as we set it. */
  readonly before: string;
  readonly set: string;
}

/**
 * Gives every table that has no usable replica identity the cheapest one, since UPDATE and DELETE would fail on the
 * source once it is published. What was there before is recorded in a table of ours in the same transaction: the target
 * has that record, too, by way of the snapshot.
 * @throws ApplicationFailure InvalidRequest where only a new key column would do
 */
export async function setReplicaIdentities(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<SetIdentities> {
  const access = await accessTo(deps, input, 'source');
  const options = { step: 'replica-identity', lockTimeoutMs: LOCK_TIMEOUT_MS };
  const set = await inEachDatabase(access, input.databases, options, async (session, database) => {
    const bare = await bareTables(session);
    if (bare.length > 0) await createRecord(session, input.id);
    for (const table of bare) await setOne(session, input.id, database, table);
    return (await readRecord(session, input.id)).map(({ relation, set }) => `${database}: ${relation} ${set}`);
  });
  const all = set.flat();
  return { tables: all.length, found: all.slice(0, EVIDENCE_MAX) };
}

async function setOne(session: Session, migration: string, database: string, table: BareTable): Promise<void> {
  const identity = cheapestIdentity(table);
  if (identity === undefined) {
    throw finalFailure(
      'InvalidRequest',
      `Database ${database}: ${table.name} has no usable replica identity, and REPLICA IDENTITY FULL would not do: ${whyNotFull(table)}. Give it a primary key, then send retry.`,
    );
  }
  // A table whose index is of no use is as one without.
  const before = table.identity === 'd' ? 'DEFAULT' : table.identity === 'f' ? 'FULL' : 'NOTHING';
  await whenLockIsFree(session, `${database}: ${table.name}`, [
    {
      sql: `INSERT INTO ${identityTable(migration)} (relation, before, set_to) VALUES ($1, $2, $3)
            ON CONFLICT (relation) DO UPDATE SET set_to = excluded.set_to`,
      values: [table.name, before, identity],
    },
    { sql: `ALTER TABLE ${table.name} REPLICA IDENTITY ${identity}`, values: [] },
  ]);
}

const whyNotFull = ({ unequalColumns, fullRefused }: BareTable): string =>
  fullRefused
    ? 'it has generated columns, for which this version of PostgreSQL refuses it'
    : `${unequalColumns.join(', ')} are of types without equality`;

/**
 * Undo: each table on one side that still has what we set gets back what it had. Does nothing where nothing was recorded.
 * After the publications are gone, on either side: with them, a table without replica identity takes no UPDATE.
 */
export async function restoreReplicaIdentities(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[]; side: Side },
): Promise<{ tables: number }> {
  const access = await accessIfThere(deps, input, input.side);
  if (!access) return { tables: 0 };
  const options = { step: 'replica-identity', lockTimeoutMs: LOCK_TIMEOUT_MS };
  const restored = await inEachDatabase(access, input.databases, options, async (session, database) => {
    if ((await whoseSchema(session, input.id)) !== 'ours') return 0;
    await refusePublished(session, input, database);
    const recorded = await readRecord(session, input.id);
    for (const one of recorded) {
      if (!(await stillSet(session, one))) continue;
      await whenLockIsFree(session, `${database}: ${one.relation}`, [
        { sql: `ALTER TABLE ${one.relation} REPLICA IDENTITY ${one.before}`, values: [] },
      ]);
    }
    await session.query(`DROP TABLE IF EXISTS ${identityTable(input.id)}`);
    // It kept our schema when the rest of it went.
    await dropFenceTable(session, input.id);
    return recorded.length;
  });
  return { tables: restored.reduce((sum, one) => sum + one, 0) };
}

/** @throws ApplicationFailure InUse while our publication is there: UPDATE and DELETE would fail on every table that loses its identity */
async function refusePublished(
  session: Session,
  { id, plan, side }: MigrationRef & { side: Side },
  database: string,
): Promise<void> {
  if (!(await findPublication(session, publicationName(id)))) return;
  throw finalFailure(
    'InUse',
    `Database ${database} of ${plan[side].instance} still has the publication ${publicationName(id)}: without a replica identity, its tables would take no UPDATE and no DELETE. Nothing was changed. Drop the publication if nothing is replicated any more, then send retry.`,
  );
}

/** A table that is gone, or that somebody gave another identity meanwhile, is left alone. */
async function stillSet(session: Session, { relation, set }: Recorded): Promise<boolean> {
  const letter = set === 'FULL' ? 'f' : set === 'DEFAULT' ? 'd' : 'i';
  const { found } = await queryOne<{ found: boolean }>(
    session,
    'SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1) AND relreplident = $2) AS found',
    [relation, letter],
  );
  return found;
}

async function createRecord(session: Session, migration: string): Promise<void> {
  await createOurSchema(session, migration);
  await session.query(
    `CREATE TABLE IF NOT EXISTS ${identityTable(migration)} (relation text PRIMARY KEY, before text NOT NULL, set_to text NOT NULL)`,
  );
}

async function readRecord(session: Session, migration: string): Promise<Recorded[]> {
  const { there } = await queryOne<{ there: boolean }>(session, 'SELECT to_regclass($1) IS NOT NULL AS there', [
    identityTable(migration),
  ]);
  if (!there) return [];
  return queryRows<Recorded>(
    session,
    `SELECT relation, before, set_to AS "set" FROM ${identityTable(migration)} ORDER BY relation`,
  );
}

/** Runs statements in one transaction; gives way and tries again as long as somebody else has the table. */
async function whenLockIsFree(
  session: Session,
  what: string,
  statements: readonly { sql: string; values: readonly string[] }[],
): Promise<void> {
  await waitUntil(async () => {
    try {
      await session.query('BEGIN');
      for (const { sql, values } of statements) await session.query(sql, [...values]);
      await session.query('COMMIT');
      return { done: undefined };
    } catch (error) {
      await session.query('ROLLBACK');
      if (!isSqlState(error, SQLSTATE.lockNotAvailable)) throw error;
      reportProgress(() => ({ waitingFor: `lock on ${what}` }));
      return { waitingFor: `lock on ${what}` };
    }
  });
}

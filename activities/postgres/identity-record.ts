import { isSqlState } from '../classify-error';
import { reportProgress } from '../heartbeat';
import { type BareTable } from '../preflight/schema/replica-identity';
import { waitUntil } from '../wait';
import { identityTable } from './fence-table';
import { createOurSchema } from './provenance';
import { escapeIdentifier, queryOne, queryRows, type Session, type Side } from './session';
import { SQLSTATE } from './sqlstates';

/** A replica identity that Keyshift set. */
export interface RecordedIdentity {
  /** Qualified and quoted. */
  readonly relation: string;
  /** What follows `REPLICA IDENTITY`, as it was and as we set it. */
  readonly before: string;
  readonly set: string;
  /** ISO 8601, clock of the server: when it was given to a table that came after the publication. Null: by the step `replica-identity`. */
  readonly givenAt: string | null;
  /** On which side, in the plan's words. */
  readonly givenOn: Side | null;
  /** The table is there still. */
  readonly exists: boolean;
}

/**
 * Makes the record of what the tables had before. Before the publication, so that both sides have it: what one writes there later comes
 * to the other by replication, and each side can be restored by its own.
 */
export async function createIdentityRecord(session: Session, migration: string): Promise<void> {
  await createOurSchema(session, migration);
  await session.query(
    `CREATE TABLE IF NOT EXISTS ${identityTable(migration)} (relation text PRIMARY KEY, before text NOT NULL, set_to text NOT NULL,
       given_at timestamptz, given_on text);
     ALTER TABLE ${identityTable(migration)} ADD COLUMN IF NOT EXISTS given_at timestamptz, ADD COLUMN IF NOT EXISTS given_on text`,
  );
}

/** The columns that the record has; none: an earlier build began the migration, and there is no record. */
async function columnsOfRecord(session: Session, migration: string): Promise<ReadonlySet<string>> {
  const rows = await queryRows<{ name: string }>(
    session,
    'SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped',
    [identityTable(migration)],
  );
  return new Set(rows.map(({ name }) => name));
}

/**
 * Whether an identity that is given now can be recorded. One that was made after the snapshot would be no good: apply would stop at the
 * first row of it, since the other side has no such table.
 */
export const canRecord = async (session: Session, migration: string): Promise<boolean> =>
  (await columnsOfRecord(session, migration)).has('given_at');

/** What Keyshift has set in the session's database, in the order of time. */
export async function readIdentities(session: Session, migration: string): Promise<RecordedIdentity[]> {
  const columns = await columnsOfRecord(session, migration);
  if (columns.size === 0) return [];
  const given = columns.has('given_at')
    ? `to_char(given_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "givenAt", given_on AS "givenOn"`
    : `NULL AS "givenAt", NULL AS "givenOn"`;
  return queryRows<RecordedIdentity>(
    session,
    `SELECT relation, before, set_to AS "set", to_regclass(relation) IS NOT NULL AS exists, ${given} FROM ${identityTable(migration)}
      ORDER BY ${columns.has('given_at') ? 'given_at NULLS FIRST, ' : ''}relation`,
  );
}

/**
 * Sets an identity, and records in the same transaction what there was before.
 * @param given on which side and when, by the server's clock, where the table came after the publication
 */
export async function setIdentity(
  session: Session,
  migration: string,
  table: BareTable,
  identity: string,
  given?: { readonly on: Side; readonly at: string },
): Promise<void> {
  // A table whose index is of no use is as one without.
  const before = table.identity === 'd' ? 'DEFAULT' : table.identity === 'f' ? 'FULL' : 'NOTHING';
  await inTransaction(session, async () => {
    await session.query(
      `INSERT INTO ${identityTable(migration)} (relation, before, set_to, given_on, given_at) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (relation) DO UPDATE SET set_to = excluded.set_to, given_on = excluded.given_on, given_at = excluded.given_at`,
      [table.name, before, identity, given?.on, given?.at],
    );
    await alterIdentity(session, table.name, identity);
  });
}

async function inTransaction(session: Session, work: () => Promise<void>): Promise<void> {
  await session.query('BEGIN');
  try {
    await work();
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK');
    throw error;
  }
}

/** From 16 on a role may be allowed to become the owner of a table without having the owner's rights by itself. */
async function alterIdentity(session: Session, relation: string, identity: string): Promise<void> {
  const alter = `ALTER TABLE ${relation} REPLICA IDENTITY ${identity}`;
  await session.query('SAVEPOINT identity');
  try {
    await session.query(alter);
  } catch (error) {
    if (!isSqlState(error, SQLSTATE.insufficientPrivilege)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT identity');
    const { owner } = await queryOne<{ owner: string }>(
      session,
      'SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = to_regclass($1)',
      [relation],
    );
    await session.query(`SET LOCAL ROLE ${escapeIdentifier(owner)}`);
    await session.query(alter);
  }
}

/**
 * Gives each table that still has what we set what it had before, and drops the record. Only where nothing is published any more: without
 * an identity a published table takes no UPDATE and no DELETE.
 * @returns how many were recorded
 */
export async function restoreIdentities(session: Session, migration: string, database: string): Promise<number> {
  const recorded = await readIdentities(session, migration);
  for (const one of recorded) {
    if (!(await stillSet(session, one))) continue;
    await whenLockIsFree(`${database}: ${one.relation}`, () =>
      inTransaction(session, async () => {
        await session.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await alterIdentity(session, one.relation, one.before);
      }),
    );
  }
  await session.query(`DROP TABLE IF EXISTS ${identityTable(migration)}`);
  return recorded.length;
}

/** A table that is gone, or that somebody gave another identity meanwhile, is left alone. */
async function stillSet(session: Session, { relation, set }: RecordedIdentity): Promise<boolean> {
  const letter = set === 'FULL' ? 'f' : set === 'DEFAULT' ? 'd' : 'i';
  const { found } = await queryOne<{ found: boolean }>(
    session,
    'SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1) AND relreplident = $2) AS found',
    [relation, letter],
  );
  return found;
}

/** `ALTER TABLE ... REPLICA IDENTITY` takes ACCESS EXCLUSIVE; while it waits, everybody else waits behind it. */
export const LOCK_TIMEOUT_MS = 500;

/** Gives way and tries again as long as somebody else has the table. */
export async function whenLockIsFree(what: string, attempt: () => Promise<void>): Promise<void> {
  await waitUntil(async () => {
    try {
      await attempt();
      return { done: undefined };
    } catch (error) {
      if (!isSqlState(error, SQLSTATE.lockNotAvailable)) throw error;
      reportProgress(() => ({ waitingFor: `lock on ${what}` }));
      return { waitingFor: `lock on ${what}` };
    }
  });
}

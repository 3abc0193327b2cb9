import type { MigrationRef } from '../dependencies';
import { cutoverTable, fenceTable } from '../postgres/fence-table';
import { databasesOf } from '../postgres/left-out';
import { type Access, queryOne, queryRows, type Session, withSession } from '../postgres/session';
import { quarantineTable } from '../quarantine/records';

/** What a migration has written down on one side. */
export interface Records {
  /** Our schema, with the tables in it, is there. */
  readonly schema: boolean;
  /** Since when a pause stops writes on this side, as the server says it; absent: none does. */
  readonly pausedSince?: string;
  /** The same in the way back. */
  readonly pausedBackSince?: string;
  /** When a cutover to this side was recorded. */
  readonly cutOverAt?: string;
  /** When a rollback to this side was recorded. */
  readonly wentBackAt?: string;
  /** A quarantine was made here, and a database is not closed any more as it closed it: applications may write. */
  readonly open: boolean;
}

const NONE: Records = { schema: false, open: false };

/** Reads what a migration has written down on a side, in whichever database of it that is. */
export async function readRecords(access: Access, ref: RecordsRef): Promise<Records> {
  for (const database of await databasesToAsk(access, ref)) {
    const found = await withSession(access, { step: STEP, database, readOnly: true }, (session) =>
      readIn(session, ref.id),
    );
    if (found.schema) return found;
  }
  return NONE;
}

export const STEP = 'in-use';

export interface RecordsRef extends MigrationRef {
  readonly databases?: readonly string[];
}

/** The records are in the first migrated database; who was not told which that is looks everywhere. */
async function databasesToAsk(access: Access, { recordsIn, databases, plan }: RecordsRef): Promise<readonly string[]> {
  const [first] = databases ?? [];
  if (recordsIn !== undefined) return [recordsIn];
  if (first !== undefined) return [first];
  return withSession(access, { step: STEP, database: 'postgres', readOnly: true }, async (session) =>
    (await databasesOf(session)).flatMap(({ name, closed }) =>
      !closed && (plan.databases?.includes(name) ?? true) ? [name] : [],
    ),
  );
}

async function readIn(session: Session, migration: string): Promise<Records> {
  const [fence, cutover, quarantine] = [fenceTable(migration), cutoverTable(migration), quarantineTable(migration)];
  const there = await queryOne<{ fence: boolean; cutover: boolean; quarantine: boolean }>(
    session,
    `SELECT to_regclass($1) IS NOT NULL AS fence, to_regclass($2) IS NOT NULL AS cutover, to_regclass($3) IS NOT NULL AS quarantine`,
    [fence, cutover, quarantine],
  );
  const marks = there.fence
    ? await queryRows<{ purpose: string; since: string }>(
        session,
        `SELECT purpose, fenced_at::text AS since FROM ${fence} WHERE purpose IN ('pause', 'pause-back') AND fenced_at IS NOT NULL`,
      )
    : [];
  const cutovers = there.cutover
    ? await queryRows<{ id: number; at: string | null }>(
        session,
        `SELECT id, facts->>'switchedAt' AS at FROM ${cutover}`,
      )
    : [];
  const mark = (wanted: string) => marks.find(({ purpose }) => purpose === wanted)?.since;
  const record = (wanted: number) => {
    const found = cutovers.find(({ id }) => id === wanted);
    return found && (found.at ?? 'an unknown time');
  };
  return {
    schema: there.fence || there.cutover,
    open: there.quarantine && (await isOpen(session, quarantine)),
    ...given({
      pausedSince: mark('pause'),
      pausedBackSince: mark('pause-back'),
      cutOverAt: record(1),
      wentBackAt: record(2),
    }),
  };
}

/** Without the members that are undefined. */
const given = (members: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(members).filter((member): member is [string, string] => member[1] !== undefined));

/** Where the quarantine could close nothing, or has not yet, nobody can tell open from closed: other evidence has to do. */
async function isOpen(session: Session, table: string): Promise<boolean> {
  const { open } = await queryOne<{ open: boolean }>(
    session,
    `SELECT EXISTS (
       SELECT FROM ${table} q
        WHERE q.kind = 'read-only'
          AND (q.was->>'role' IS NULL OR EXISTS (SELECT FROM pg_roles WHERE rolname = q.was->>'role'))
          AND NOT EXISTS (
            SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = q.database
              LEFT JOIN pg_roles r ON r.oid = s.setrole
             WHERE r.rolname IS NOT DISTINCT FROM (q.was->>'role')::name
               AND 'default_transaction_read_only=on' = ANY (s.setconfig))) AS open`,
  );
  return open;
}

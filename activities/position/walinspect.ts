import { afterPageHeader, bytesToLsn, compareLsn, type Lsn, lsnToBytes, type WalLayout } from '../../plan/lsn';
import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';

/** A record as `pg_get_wal_records_info` describes it. */
export interface WalRecord {
  readonly start_lsn: Lsn;
  readonly end_lsn: Lsn;
  readonly record_type: string;
  readonly description: string;
  /** Of all that is said of it, its addresses and the times of commits included. */
  readonly digest: string;
  readonly is_commit: boolean;
}

/** What two servers are compared by: the records that end in a stretch of WAL. */
export interface Stretch {
  readonly records: number;
  readonly digest: string;
  /** Where the last of them ends. */
  readonly end: Lsn | null;
  /** Where the last commit among them begins. */
  readonly commit: Lsn | null;
}

/**
 * The WAL of one server, by the extension `pg_walinspect` (PostgreSQL 15 and later).
 * @see https://www.postgresql.org/docs/current/pgwalinspect.html
 */
export interface Wal {
  /** Up to here it can be read. */
  readonly flushed: Lsn;
  stretch(from: Lsn, to: Lsn): Promise<Stretch>;
  /** The first records that begin in a stretch and end in it. */
  records(from: Lsn, to: Lsn, limit: number): Promise<WalRecord[]>;
}

const IS_COMMIT = `resource_manager = 'Transaction' AND record_type LIKE 'COMMIT%'`;

/**
 * Reads the WAL of a server. The extension is made in a transaction that is rolled back, unless it is there.
 * @throws Error when the extension isn't available or the role may not use it
 */
export async function withWal<T>(session: Session, schema: string, work: (wal: Wal) => Promise<T>): Promise<T> {
  const { available } = await queryOne<{ available: boolean }>(
    session,
    `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_walinspect') AS available`,
  );
  if (!available) throw new Error('the extension pg_walinspect is not available (PostgreSQL 15 and later)');
  await session.query('BEGIN');
  try {
    await session.query(`CREATE EXTENSION IF NOT EXISTS pg_walinspect WITH SCHEMA ${escapeIdentifier(schema)}`);
    const { records } = await queryOne<{ records: string }>(
      session,
      `SELECT quote_ident(n.nspname) || '.pg_get_wal_records_info($1::pg_lsn, $2::pg_lsn)' AS records
         FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_walinspect'`,
    );
    const { flushed } = await queryOne<{ flushed: Lsn }>(session, 'SELECT pg_current_wal_flush_lsn()::text AS flushed');
    return await work({
      flushed,
      stretch: async (from, to) => {
        const [found] = await unlessThereIsNone<Stretch>(
          session,
          `SELECT count(*)::int AS records, coalesce(sum(hashtextextended(r::text, 0)), 0)::text AS digest,
                  max(end_lsn)::text AS "end", (max(start_lsn) FILTER (WHERE ${IS_COMMIT}))::text AS commit
             FROM ${records} AS r`,
          [from, to],
        );
        return found ?? { records: 0, digest: '0', end: null, commit: null };
      },
      records: (from, to, limit) =>
        unlessThereIsNone<WalRecord>(
          session,
          `SELECT start_lsn::text, end_lsn::text, record_type, description, hashtextextended(r::text, 0)::text AS digest,
                  ${IS_COMMIT} AS is_commit
             FROM ${records} AS r ORDER BY r.start_lsn LIMIT ${limit}`,
          [from, to],
        ),
    });
  } finally {
    await session.query('ROLLBACK');
  }
}

/** A stretch in which no whole record begins is an error to the server. @see `InitXLogReaderState` in pg_walinspect.c */
async function unlessThereIsNone<R extends object>(session: Session, sql: string, values: unknown[]): Promise<R[]> {
  await session.query('SAVEPOINT stretch');
  try {
    const rows = await queryRows<R>(session, sql, values);
    await session.query('RELEASE SAVEPOINT stretch');
    return rows;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('could not find a valid record')) throw error;
    await session.query('ROLLBACK TO SAVEPOINT stretch; RELEASE SAVEPOINT stretch');
    return [];
  }
}

/** Where two servers part that have had the same WAL. */
export interface Fork {
  /** The end of the last record that both have. */
  readonly at: Lsn;
  /** The start of the last commit that both have, if one was seen. */
  readonly lastCommit: Lsn | undefined;
}

/** How much is read of both servers at a time. */
const STRETCH_BYTES = 16n * 1024n * 1024n;
/** How many records are looked at one by one where a stretch differs. */
const RECORDS_AT_A_TIME = 1000;

/**
 * Compares the WAL of two servers record by record, from a place on at which it is the same.
 * @returns undefined when they have not even one record in common there
 */
export async function findFork(one: Wal, other: Wal, from: Lsn, layout: WalLayout): Promise<Fork | undefined> {
  const limit = lsnToBytes(compareLsn(one.flushed, other.flushed) < 0 ? one.flushed : other.flushed);
  let at = lsnToBytes(afterPageHeader(from, layout));
  let length = STRETCH_BYTES;
  let shared: Fork | undefined;
  while (at < limit) {
    const end = at + length < limit ? at + length : limit;
    const stretch = [bytesToLsn(at), bytesToLsn(end)] as const;
    const [a, b] = await Promise.all([one.stretch(...stretch), other.stretch(...stretch)]);
    if (a.records === b.records && a.digest === b.digest) {
      if (a.end === null) {
        if (end === limit) return shared;
        // A record that is longer than the stretch.
        length *= 2n;
        continue;
      }
      shared = { at: a.end, lastCommit: a.commit ?? shared?.lastCommit };
    } else {
      const [as, bs] = await Promise.all([
        one.records(...stretch, RECORDS_AT_A_TIME),
        other.records(...stretch, RECORDS_AT_A_TIME),
      ]);
      const parted = as.findIndex(({ digest }, index) => digest !== bs[index]?.digest);
      const same = parted === -1 ? as : as.slice(0, parted);
      const last = same.at(-1);
      if (last) {
        const commit = same.findLast(({ is_commit }) => is_commit)?.start_lsn;
        shared = { at: last.end_lsn, lastCommit: commit ?? shared?.lastCommit };
      }
      // All that the one has is the same as the beginning of what the other has: that one ends here, or there is more to read.
      if (parted !== -1 || as.length < RECORDS_AT_A_TIME) return shared;
    }
    length = STRETCH_BYTES;
    at = lsnToBytes(afterPageHeader(shared?.at ?? from, layout));
  }
  return shared;
}

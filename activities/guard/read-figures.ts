import { type Named, slotName } from '../../plan/names';
import { queryOne, type Session } from '../postgres/session';

/** What the guard reads on the server beside the slots themselves. */
export interface Figures {
  /** Ceiling on WAL kept for a slot, in bytes; null: none. */
  readonly ceilingBytes: number | null;
  readonly oldestTransactionMs: number;
  readonly spilledBytes: number | null;
  /** Transactions decoded so far, per slot; null where the server does not count. */
  readonly decoded: Readonly<Record<string, number>> | null;
  /** Changes when the server was started anew or its counters were reset: figures before and after don't compare. */
  readonly countersSince: string;
}

/** `pg_stat_replication_slots` came with PostgreSQL 14. */
const COUNTERS = `
  (SELECT sum(spill_bytes) FROM pg_stat_replication_slots WHERE slot_name = ANY ($1::text[]))::float8 AS "spilledBytes",
  (SELECT json_object_agg(slot_name, total_txns) FROM pg_stat_replication_slots WHERE slot_name = ANY ($1::text[])) AS decoded,
  pg_postmaster_start_time()::text || coalesce((SELECT string_agg(stats_reset::text, ',' ORDER BY slot_name)
    FROM pg_stat_replication_slots WHERE slot_name = ANY ($1::text[])), '') AS "countersSince"`;
const NO_COUNTERS = `NULL::float8 AS "spilledBytes", NULL::json AS decoded, pg_postmaster_start_time()::text AS "countersSince"`;

export async function readFigures(session: Session, migration: Named, databases: readonly string[]): Promise<Figures> {
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const slots = databases.map((database) => slotName(migration, database));
  return queryOne<Figures>(
    session,
    `SELECT (SELECT CASE WHEN setting::bigint >= 0 THEN setting::float8 * 1048576 END FROM pg_settings
              WHERE name = 'max_slot_wal_keep_size') AS "ceilingBytes",
            coalesce((SELECT extract(epoch FROM now() - min(xact_start)) * 1000 FROM pg_stat_activity
              WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), 0)::float8 AS "oldestTransactionMs",
            ${version >= 140000 ? COUNTERS : NO_COUNTERS.concat(', $1::text[] AS slots')}`,
    [slots],
  );
}

/** A slot whose counter went back though nobody reset it: dropped and made anew between two looks. */
export function recreatedBetween(before: Figures, now: Figures): string | undefined {
  if (!before.decoded || !now.decoded || before.countersSince !== now.countersSince) return undefined;
  const counted = before.decoded;
  return Object.entries(now.decoded).find(([slot, decoded]) => decoded < (counted[slot] ?? 0))?.[0];
}

import type { PositionEvidence, PositionSilence } from '../../plan/position';
import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';

/**
 * The WAL of the clone itself, while the copied slot still pins it: the first CHECKPOINT_SHUTDOWN behind the slot's
 * `restart_lsn` was written at the end of the first recovery, so it starts where the replayed WAL ends, and its
 * `prev_lsn` is the last replayed record.
 * @see https://www.postgresql.org/docs/current/pgwalinspect.html
 */
export async function fromWalinspect(
  target: Session,
  where: { readonly slots: readonly string[]; readonly schema: string },
): Promise<(PositionEvidence & { readonly firstOwnXid?: number }) | PositionSilence> {
  const kind = 'walinspect';
  const { available } = await queryOne<{ available: boolean }>(
    target,
    `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_walinspect') AS available`,
  );
  if (!available) return { kind, why: 'the extension pg_walinspect is not available (PostgreSQL 15 and later)' };
  const { restart } = await queryOne<{ restart: string | null }>(
    target,
    `SELECT min(restart_lsn)::text AS restart FROM pg_replication_slots WHERE slot_name = ANY ($1::text[])`,
    [where.slots],
  );
  if (!restart) return { kind, why: 'the clone has no copied slot that would pin its WAL' };
  await target.query('BEGIN');
  try {
    await target.query(`CREATE EXTENSION IF NOT EXISTS pg_walinspect WITH SCHEMA ${escapeIdentifier(where.schema)}`);
    const { schema } = await queryOne<{ schema: string }>(
      target,
      `SELECT extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname = 'pg_walinspect'`,
    );
    const [checkpoint] = await queryRows<{ start_lsn: string; prev_lsn: string; description: string }>(
      target,
      `SELECT start_lsn::text, prev_lsn::text, description
         FROM ${schema}.pg_get_wal_records_info($1::pg_lsn, pg_current_wal_flush_lsn())
        WHERE resource_manager = 'XLOG' AND record_type = 'CHECKPOINT_SHUTDOWN'
        ORDER BY start_lsn LIMIT 1`,
      [restart],
    );
    if (!checkpoint) return { kind, why: `no end-of-recovery checkpoint in the WAL from ${restart} on` };
    const { start_lsn: end, prev_lsn: lastRecord, description } = checkpoint;
    // The next transaction id as recovery left it: from here on ids are the clone's own.
    const nextXid = /\bxid \d+:(\d+)/.exec(description)?.[1];
    return {
      kind,
      after: lastRecord,
      upTo: end,
      exactly: end,
      ...(nextXid ? { firstOwnXid: Number(nextXid) } : {}),
      found: `CHECKPOINT_SHUTDOWN at ${end}, behind ${lastRecord}`,
    };
  } finally {
    await target.query('ROLLBACK');
  }
}

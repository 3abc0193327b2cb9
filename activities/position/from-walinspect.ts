import type { PositionEvidence, PositionSilence } from '../../plan/position';
import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';

/**
 * The WAL of the clone itself, while the copied slot still pins it: the first CHECKPOINT_SHUTDOWN behind the slot's
 * `restart_lsn` was written at the end of the first recovery, so it starts where the replayed WAL ends, and its
 * `prev_lsn` is the last replayed record. Where the WAL ended inside a record that goes on on the next page, an
 * OVERWRITE_CONTRECORD comes first, on that page, and names the start of the broken record: there the replayed WAL ends.
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
    const records = await queryRows<WalRecord>(
      target,
      `SELECT start_lsn::text, prev_lsn::text, record_type, description
         FROM ${schema}.pg_get_wal_records_info($1::pg_lsn, pg_current_wal_flush_lsn())
        WHERE resource_manager = 'XLOG' AND record_type IN ('CHECKPOINT_SHUTDOWN', 'OVERWRITE_CONTRECORD')
        ORDER BY start_lsn`,
      [restart],
    );
    const checkpoint = records.find(({ record_type }) => record_type === 'CHECKPOINT_SHUTDOWN');
    if (!checkpoint) return { kind, why: `no end-of-recovery checkpoint in the WAL from ${restart} on` };
    const { end, lastRecord, found } = endOfReplay(checkpoint, records);
    // The next transaction id as recovery left it: from here on ids are the clone's own.
    const nextXid = /\bxid \d+:(\d+)/.exec(checkpoint.description)?.[1];
    return {
      kind,
      after: lastRecord,
      upTo: end,
      exactly: end,
      ...(nextXid ? { firstOwnXid: Number(nextXid) } : {}),
      found,
    };
  } finally {
    await target.query('ROLLBACK');
  }
}

interface WalRecord {
  readonly start_lsn: string;
  readonly prev_lsn: string;
  readonly record_type: string;
  readonly description: string;
}

/** @see https://www.postgresql.org/docs/current/pgwalinspect.html and `CreateOverwriteContrecordRecord` in xlog.c */
function endOfReplay(
  checkpoint: WalRecord,
  records: readonly WalRecord[],
): { end: string; lastRecord: string; found: string } {
  const overwrite = records.find(
    ({ record_type, start_lsn }) => record_type === 'OVERWRITE_CONTRECORD' && start_lsn === checkpoint.prev_lsn,
  );
  const broken = overwrite && /\blsn ([0-9A-F]+\/[0-9A-F]+)/.exec(overwrite.description)?.[1];
  if (!overwrite || !broken) {
    const { start_lsn: end, prev_lsn: lastRecord } = checkpoint;
    return { end, lastRecord, found: `CHECKPOINT_SHUTDOWN at ${end}, behind ${lastRecord}` };
  }
  const { prev_lsn: lastRecord } = overwrite;
  return {
    end: broken,
    lastRecord,
    found: `OVERWRITE_CONTRECORD of the record at ${broken}, behind ${lastRecord}, before CHECKPOINT_SHUTDOWN at ${checkpoint.start_lsn}`,
  };
}

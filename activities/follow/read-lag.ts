import { setTimeout as sleep } from 'node:timers/promises';
import { finalFailure } from '../../plan/failures';
import { type Named, slotName } from '../../plan/names';
import type { Lag } from '../../plan/progress';
import type { Dependencies, MigrationRef } from '../dependencies';
import { accessTo, queryRows, type Session, withSession } from '../postgres/session';

/** Two samples this far apart give the trend. */
const SAMPLE_DISTANCE_MS = 500;
/** A change of the lag below this is noise, in bytes. */
const STEADY_BYTES = 65_536;

export interface LagInput extends MigrationRef {
  readonly databases: readonly string[];
}

/** State of one of our slots, and how far the target is behind it. */
export interface SlotLag {
  readonly slot: string;
  readonly bytes: number;
  /** WAL that the source keeps for the slot, in bytes. */
  readonly retainedBytes: number;
  readonly walStatus: string;
  readonly active: boolean;
  /** WAL that may be written before the slot is given up, in bytes; null: no ceiling. */
  readonly safeWalBytes: number | null;
  readonly catalogXminAge: number | null;
}

/**
 * Lag of each slot, by the only figure that can be trusted: what the source has written against what the target has
 * confirmed as flushed. Timestamps of the receiver can look current with changes unapplied.
 * @throws ApplicationFailure SlotLost when a slot is lost or gone
 */
export async function readSlots(source: Session, migration: Named, databases: readonly string[]): Promise<SlotLag[]> {
  const rows = await queryRows<SlotLag>(
    source,
    `SELECT slot_name AS slot, active, wal_status AS "walStatus",
            greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn))::float8 AS bytes,
            greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::float8 AS "retainedBytes",
            safe_wal_size::float8 AS "safeWalBytes", age(catalog_xmin) AS "catalogXminAge"
       FROM pg_replication_slots WHERE slot_name = ANY ($1::text[]) AND plugin = 'pgoutput'`,
    [databases.map((database) => slotName(migration, database))],
  );
  for (const database of databases) {
    const slot = slotName(migration, database);
    const found = rows.find((row) => row.slot === slot);
    if (found && found.walStatus !== 'lost') continue;
    throw slotLost(
      slot,
      found ? 'lost: the source dropped WAL that it needed (max_slot_wal_keep_size)' : 'gone: somebody dropped it',
    );
  }
  return rows;
}

/** @param what completes "slot x on the source is" */
export const slotLost = (slot: string, what: string) =>
  finalFailure(
    'SlotLost',
    `Replication slot ${slot} on the source is ${what}. Changes are missing on the target and can't be had any more: start again.`,
  );

/** The largest lag of all slots, with its trend. */
export async function readLag(deps: Dependencies, input: LagInput): Promise<Lag> {
  const access = await accessTo(deps, input, 'source');
  return withSession(access, { step: 'lag', database: 'postgres', readOnly: true }, async (session) => {
    const first = largest(await readSlots(session, input, input.databases));
    await sleep(SAMPLE_DISTANCE_MS);
    const second = largest(await readSlots(session, input, input.databases));
    return { bytes: second, trend: trendOf(first, second), at: new Date().toISOString() };
  });
}

export const largest = (slots: readonly SlotLag[]): number => Math.max(0, ...slots.map(({ bytes }) => bytes));

export function trendOf(beforeBytes: number, nowBytes: number): Lag['trend'] {
  if (Math.abs(nowBytes - beforeBytes) < STEADY_BYTES) return 'steady';
  return nowBytes < beforeBytes ? 'falling' : 'rising';
}

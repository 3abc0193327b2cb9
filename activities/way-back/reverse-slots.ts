import { finalFailure } from '../../plan/failures';
import { slotName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { findSlot } from '../postgres/create-slots';
import { accessIfThere, type Session, withSession } from '../postgres/session';

/** Makes a logical slot anew: nobody reads from it yet, and an old one would keep WAL for nothing. */
export async function createFreshSlot(
  session: Session,
  { name, plugin, twoPhase = false }: { name: string; plugin: string; twoPhase?: boolean },
): Promise<void> {
  const existing = await findSlot(session, name);
  if (existing?.active) {
    throw finalFailure(
      'NotOurs',
      `Replication slot ${name} on the target is read by somebody before the cutover. Stop its reader, then send retry.`,
    );
  }
  if (existing) await session.query('SELECT pg_drop_replication_slot($1)', [name]);
  await session.query(
    twoPhase
      ? 'SELECT pg_create_logical_replication_slot($1, $2, false, true)'
      : 'SELECT pg_create_logical_replication_slot($1, $2)',
    [name, plugin],
  );
}

/** Drops what the way back keeps on the target while nothing comes of it: after a pause that was given up. */
export async function dropIdleSlots(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<void> {
  const access = await accessIfThere(deps, input, 'target');
  if (!access) return;
  await withSession(access, { step: 'way-back', database: 'postgres' }, (session) =>
    session.query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
        WHERE slot_name = ANY ($1::text[]) AND NOT active`,
      [input.databases.map((database) => slotName(input.id, database))],
    ),
  );
}

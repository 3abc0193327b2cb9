import { finalFailure } from '../../plan/failures';
import { findSlot } from '../postgres/create-slots';
import type { Session } from '../postgres/session';

export interface FreshSlot {
  readonly name: string;
  readonly plugin: string;
  readonly twoPhase?: boolean;
  readonly failover?: boolean;
}

/** Makes a logical slot anew: nobody reads from it yet, and an old one would keep WAL for nothing. */
export async function createFreshSlot(
  session: Session,
  { name, plugin, twoPhase = false, failover = false }: FreshSlot,
): Promise<void> {
  const existing = await findSlot(session, name);
  if (existing?.active) {
    throw finalFailure(
      'NotOurs',
      `Replication slot ${name} on the target is read by somebody before the cutover. Stop its reader, then send retry.`,
    );
  }
  if (existing) await session.query('SELECT pg_drop_replication_slot($1)', [name]);
  // Versions before 14 and 17 don't know the options: no slot of theirs has them.
  const options = failover ? [false, twoPhase, true] : twoPhase ? [false, true] : [];
  await session.query(`SELECT pg_create_logical_replication_slot(${['$1', '$2', ...options].join(', ')})`, [
    name,
    plugin,
  ]);
}

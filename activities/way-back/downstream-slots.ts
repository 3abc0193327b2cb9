import { compareLsn, type Lsn } from '../../plan/lsn';
import { slotName } from '../../plan/names';
import type { MovedSlot } from '../../plan/report';
import type { Dependencies, MigrationRef } from '../dependencies';
import { endProcesses } from '../postgres/end-sessions';
import { type Access, accessIfThere, accessTo, queryRows, type Session, withSession } from '../postgres/session';
import { waitUntil } from '../wait';
import { createFreshSlot } from './reverse-slots';

type Input = MigrationRef & { readonly databases: readonly string[] };

/** A logical slot of somebody else on the source: Debezium, DMS, another server's subscription. */
interface DownstreamSlot {
  readonly name: string;
  readonly database: string;
  readonly plugin: string;
  readonly twoPhase: boolean;
  readonly failover: boolean;
  readonly confirmed: Lsn | null;
}

/** The condition, in SQL, on a row `s` of pg_replication_slots: its slot is made anew on the target. A slot that is lost has no reader to serve. */
export const MOVES = `s.slot_type = 'logical' AND NOT s.temporary AND s.wal_status IS DISTINCT FROM 'lost'`;

/** Those that `carry.slots: recreate` means: in the databases that are migrated, not ours. */
async function downstreamSlots(source: Access, input: Input): Promise<DownstreamSlot[]> {
  const options = { step: 'downstream-slots', database: 'postgres', readOnly: true };
  return withSession(source, options, (session) =>
    queryRows<DownstreamSlot>(
      session,
      // By way of JSON: two_phase is there from 14 on, failover from 17 on.
      `SELECT s.slot_name AS name, s.database, s.plugin, s.confirmed_flush_lsn::text AS confirmed,
              coalesce((to_jsonb(s) ->> 'two_phase')::bool, false) AS "twoPhase",
              coalesce((to_jsonb(s) ->> 'failover')::bool, false) AS failover
         FROM pg_replication_slots s
        WHERE ${MOVES} AND s.database = ANY ($1::text[]) AND s.slot_name <> ALL ($2::text[]) ORDER BY 1`,
      [input.databases, input.databases.map((database) => slotName(input, database))],
    ),
  );
}

/**
 * Right before the pause: each slot is made on the target, too, with its name, plugin and options. Too early by as much as is
 * written until the fence; `moveSlots` skips that after the switch, so that the pause pays for none of it.
 */
export async function prepareDownstreamSlots(deps: Dependencies, input: Input): Promise<void> {
  const slots = await downstreamSlots(await accessTo(deps, input, 'source'), input);
  if (slots.length === 0) return;
  const target = await accessTo(deps, input, 'target');
  for (const slot of slots) {
    await withSession(target, { step: 'downstream-slots', database: slot.database }, (session) =>
      createFreshSlot(session, slot),
    );
  }
}

export interface MoveSlotsInput extends Input {
  /** Position on the target before the first write of an application. */
  readonly from: Lsn;
  readonly fenceLsn: Lsn;
}

/** What became of the slots of others, and those that came too late to be made on the target. */
export interface MovedSlots {
  readonly moved: readonly MovedSlot[];
  readonly left: readonly string[];
}

/**
 * After the switch, before anything goes back to the source: each slot on the target begins with the first write of an application
 * there. What lies before it came by replication, and its reader has it from the old slot, up to the fence.
 * @see https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
 */
export async function moveSlots(deps: Dependencies, input: MoveSlotsInput): Promise<MovedSlots> {
  const { from, fenceLsn } = input;
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const moved: MovedSlot[] = [];
  const left: string[] = [];
  for (const { name, database, plugin, confirmed } of await downstreamSlots(source, input)) {
    const there = await withSession(target, { step: 'downstream-slots', database }, (session) =>
      advance(session, { name, database, from }),
    );
    if (there)
      moved.push({ database, slot: name, plugin, oldConfirmed: confirmed ?? '0/0', fenceLsn, newPosition: from });
    else left.push(`${name} (${database})`);
  }
  return { moved, left };
}

/** False when the slot is not there. A reader that came before this is sent away: it comes again, and gets no row twice. */
async function advance(
  session: Session,
  { name, database, from }: { readonly name: string; readonly database: string; readonly from: Lsn },
): Promise<boolean> {
  return waitUntil(async () => {
    const [slot] = await queryRows<{ confirmed: Lsn; pid: number | null }>(
      session,
      `SELECT confirmed_flush_lsn::text AS confirmed, active_pid AS pid FROM pg_replication_slots
        WHERE slot_name = $1 AND database = $2`,
      [name, database],
    );
    if (!slot) return { done: false };
    if (compareLsn(slot.confirmed, from) >= 0) return { done: true };
    if (slot.pid !== null) {
      await endProcesses(session, [slot.pid]);
      return { waitingFor: `reader ${slot.pid} to let go of ${name}` };
    }
    await session.query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [name, from]);
    return { done: true };
  });
}

export interface DropDownstreamInput extends Input {
  /** Names that were moved; those that the source has are dropped in any case. */
  readonly slots?: readonly string[];
  /** Readers are ended, too: after a rollback nobody may go on reading here. Default: what is read stays. */
  readonly endReaders?: boolean;
}

/** Drops from the target what was made for the readers of the source, so that it keeps no WAL. */
export async function dropDownstreamSlots(deps: Dependencies, input: DropDownstreamInput): Promise<void> {
  const [source, target] = [await accessIfThere(deps, input, 'source'), await accessIfThere(deps, input, 'target')];
  if (!target) return;
  const known = source ? (await downstreamSlots(source, input)).map(({ name }) => name) : [];
  const names = [...new Set([...known, ...(input.slots ?? [])])];
  await withSession(target, { step: 'downstream-slots', database: 'postgres' }, (session) =>
    waitUntil(async () => {
      const found = await queryRows<{ name: string; pid: number | null }>(
        session,
        `SELECT s.slot_name AS name, s.active_pid AS pid FROM pg_replication_slots s
          WHERE s.slot_type = 'logical' AND s.slot_name = ANY ($1::text[])`,
        [names],
      );
      const read = found.filter(({ pid }) => pid !== null);
      for (const { name } of found.filter(({ pid }) => pid === null)) {
        await session.query('SELECT pg_drop_replication_slot($1)', [name]);
      }
      if (read.length === 0 || !input.endReaders) return { done: undefined };
      await endProcesses(
        session,
        read.flatMap(({ pid }) => pid ?? []),
      );
      return { waitingFor: `readers of ${read.map(({ name }) => name).join(', ')} to let go` };
    }),
  );
}

import { finalFailure } from '../../plan/failures';
import { applicationName, slotName } from '../../plan/names';
import type { SlotFacts } from '../../plan/position';
import type { Dependencies, MigrationRef } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { waitUntil } from '../wait';
import { fingerprintSchema } from '../drift/fingerprint';
import { slotLost } from '../follow/read-lag';
import { keepWritable } from '../guard/keep-writable';
import { endProcesses } from './end-sessions';
import { fenceTable, readMark, writeOnce } from './fence-table';
import { refuseOtherMigrations } from './other-migrations';
import { whoseSchema } from './provenance';
import { type Access, accessIfThere, accessTo, queryOne, queryRows, type Session, withSession } from './session';

/** Creating a slot waits for every transaction that is open; an hour is longer than any of them should be. */
const SLOT_CREATION_TIMEOUT_MS = 3_600_000;

export interface SlotsInput extends MigrationRef {
  readonly databases: readonly string[];
}

interface SlotRow {
  plugin: string;
  database: string;
  active: boolean;
  wal_status: string | null;
  confirmed_flush_lsn: string | null;
}

/**
 * A logical slot (`pgoutput`) in each database; from here the source keeps WAL for us. After the publication, since
 * decoding sees the catalog as of the slot. Adopts a slot of ours that nobody has read from. Everything is published already, and the guard begins
 * only with the slots: meanwhile this looks after tables that come without a replica identity.
 */
export async function createSlots(deps: Dependencies, input: SlotsInput): Promise<SlotFacts[]> {
  const access = await accessTo(deps, input, 'source');
  return keepWritable(access, input, async () => {
    const slots: SlotFacts[] = [];
    for (const database of input.databases) {
      reportProgress(() => ({ waitingFor: `slot in ${database}: open transactions of the source have to end` }));
      slots.push(await createSlot(access, input, database));
    }
    return slots;
  });
}

async function createSlot(access: Access, ref: MigrationRef, database: string): Promise<SlotFacts> {
  const { id: migration, plan } = ref;
  const slot = slotName(ref, database);
  // It waits for open transactions by lock, and holds up nobody while it does.
  const options = { step: 'slot', database, statementTimeoutMs: SLOT_CREATION_TIMEOUT_MS, lockTimeoutMs: 0 };
  return withSession(access, options, async (session) => {
    await endEarlierCreation(session, migration, slot);
    const existing = await findSlot(session, slot);
    if (existing && (existing.database !== database || existing.plugin !== 'pgoutput' || existing.active)) {
      throw finalFailure(
        'NotOurs',
        `Replication slot ${slot} exists and is ${existing.active ? 'read by somebody' : `of database ${existing.database}, plugin ${existing.plugin}`}. Find out whose it is, drop it, and send retry.`,
      );
    }
    if (!existing) await refuseOtherMigrations(session, migration, plan.source.instance);
    const madeAt = await readMark(session, migration, 'slot');
    if (madeAt !== undefined) refuseAnother(slot, existing, madeAt);
    else if (existing) await refuseForeign(session, migration, slot);
    await writeOnce(session, migration, 'slot-begun', slot);
    if (!existing) await session.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
    const made = await findSlot(session, slot);
    if (!made?.confirmed_flush_lsn) throw new Error(`replication slot ${slot} has no confirmed_flush_lsn yet`);
    const consistentPoint = await writeOnce(session, migration, 'slot', made.confirmed_flush_lsn);
    // After the slot: a change of the schema from here on is either in the snapshot or found by comparing.
    const schema = await writeOnce(
      session,
      migration,
      'schema',
      await fingerprintSchema(session, migration, { ignored: plan.ignore.roles }),
    );
    const { newest } = await queryOne<{ newest: string }>(
      session,
      'SELECT max(oid::bigint)::text AS newest FROM pg_class',
    );
    await writeOnce(session, migration, 'newest-oid', newest);
    return { database, slot, consistentPoint, schema };
  });
}

/** The slot that an earlier attempt made, or none at all: what came in its place knows nothing of the time between. */
function refuseAnother(slot: string, existing: SlotRow | undefined, madeAt: string): void {
  if (!existing) throw slotLost(slot, `gone: somebody dropped it since it was made at ${madeAt}`);
  if (existing.confirmed_flush_lsn === madeAt) return;
  throw slotLost(
    slot,
    `not the one that was made at ${madeAt}: it stands at ${existing.confirmed_flush_lsn}, so somebody made it anew or read from it`,
  );
}

/** One that was there before we began to make ours. */
async function refuseForeign(session: Session, migration: string, slot: string): Promise<void> {
  if ((await readMark(session, migration, 'slot-begun')) !== undefined) return;
  throw finalFailure(
    'NotOurs',
    `Replication slot ${slot} exists, and this migration did not make it. Keyshift leaves it alone: find out whose it is, drop it, and send retry.`,
  );
}

/**
 * A creation whose client died goes on in the server until the transactions that it waits for have ended, and its slot
 * looks as if somebody read from it. It is ours: ended, it takes its half-made slot along.
 */
async function endEarlierCreation(session: Session, migration: string, slot: string): Promise<void> {
  await waitUntil(async () => {
    const ended = await queryRows(
      session,
      `SELECT pg_terminate_backend(a.pid) FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
        WHERE s.slot_name = $1 AND a.pid <> pg_backend_pid() AND a.application_name = $2 AND a.usename = session_user`,
      [slot, applicationName(migration, 'slot')],
    );
    return ended.length === 0 ? { done: undefined } : { waitingFor: `an earlier creation of ${slot} to end` };
  });
}

export async function findSlot(session: Session, slot: string): Promise<SlotRow | undefined> {
  const rows = await queryRows<SlotRow>(
    session,
    `SELECT plugin, database, active, wal_status, confirmed_flush_lsn::text
       FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  );
  return rows[0];
}

/**
 * Drops our slots on the source; ends a walsender that still reads from one. A slot of our name that we did not make stays, and so does
 * its reader.
 */
export async function dropSlots(deps: Dependencies, input: SlotsInput): Promise<void> {
  const access = await accessIfThere(deps, input, 'source');
  if (!access) return;
  const ours = await ourSlots(access, input);
  await withSession(access, { step: 'undo-slot', database: 'postgres' }, async (session) => {
    for (const slot of ours) {
      await waitUntil(async () => {
        const [found] = await queryRows<{ active_pid: number | null }>(
          session,
          'SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1',
          [slot],
        );
        if (!found) return { done: undefined };
        if (found.active_pid !== null) {
          await endProcesses(session, [found.active_pid]);
          return { waitingFor: `walsender ${found.active_pid} to let go of ${slot}` };
        }
        await session.query('SELECT pg_drop_replication_slot($1)', [slot]);
        return { done: undefined };
      });
    }
  });
}

/**
 * Which slots of our names on a server are ours. A slot carries no comment: it is ours where it is of the right database and plugin, and
 * our schema in that database says that we made it, or were about to. The target has that row from the snapshot.
 */
export async function ourSlots(access: Access, input: SlotsInput): Promise<string[]> {
  const { id, databases } = input;
  const named = await withSession(access, { step: 'undo-slot', database: 'postgres', readOnly: true }, (session) =>
    queryRows<{ slot: string; database: string }>(
      session,
      `SELECT slot_name AS slot, database FROM pg_replication_slots WHERE slot_name = ANY ($1::text[]) AND plugin = 'pgoutput'`,
      [databases.map((database) => slotName(input, database))],
    ),
  );
  const ours: string[] = [];
  for (const { slot, database } of named) {
    if (slot !== slotName(input, database)) continue;
    const options = { step: 'undo-slot', database, readOnly: true };
    if (await withSession(access, options, (session) => isNoted(session, id))) ours.push(slot);
  }
  return ours;
}

async function isNoted(session: Session, migration: string): Promise<boolean> {
  if ((await whoseSchema(session, migration)) !== 'ours') return false;
  const [there] = await queryRows(session, 'SELECT 1 WHERE to_regclass($1) IS NOT NULL', [fenceTable(migration)]);
  if (!there) return false;
  const marks = [await readMark(session, migration, 'slot'), await readMark(session, migration, 'slot-begun')];
  return marks.some((mark) => mark !== undefined);
}

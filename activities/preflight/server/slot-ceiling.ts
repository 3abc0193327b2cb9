import { type Check, EVIDENCE_MAX } from '../../../plan/checks';
import { bytes } from '../../../plan/format';
import { IS_MIGRATION_SLOT } from '../../postgres/other-migrations';
import { queryRows } from '../../postgres/session';
import type { ServerCheck } from '../sql-check';
import { ceilingInForce, readSettings } from './settings';

const code = 'slot-ceiling';
const MIB = 1_048_576;

/** A slot of somebody else, and the WAL that it keeps, in bytes. */
export interface ForeignSlot {
  readonly slot: string;
  readonly retainedBytes: number;
}

/** Slots of others that would be given up by PostgreSQL as soon as our ceiling is in force: it holds for the whole server. */
export function judgeSlotCeiling(slots: readonly ForeignSlot[], ceilingMiB: number): Check {
  const lost = slots.filter(({ retainedBytes }) => ceilingMiB >= 0 && retainedBytes > ceilingMiB * MIB);
  const evidence = { ceilingMiB, slots: lost.slice(0, EVIDENCE_MAX), count: lost.length };
  if (lost.length === 0) {
    return { code, level: 'ok', message: `no slot of others keeps more than ${ceilingMiB} MiB of WAL`, evidence };
  }
  const named = lost.map(({ slot, retainedBytes }) => `${slot} (${bytes(retainedBytes)})`).join(', ');
  const needed = Math.ceil((Math.max(...lost.map(({ retainedBytes }) => retainedBytes)) / MIB) * 2);
  return {
    code,
    level: 'block',
    message: `Slots of others keep more WAL than the ${ceilingMiB} MiB that guard.maxSlotWalKeepMiB allows, which holds for every slot of the server: ${named}. PostgreSQL would give them up at its next checkpoint.`,
    remedy: `Let their readers catch up, drop a slot that nobody reads (SELECT pg_drop_replication_slot('${lost[0]?.slot ?? ''}');), or raise the ceiling in the plan: guard: { maxSlotWalKeepMiB: ${needed} }`,
    evidence,
  };
}

/** The ceiling that we set is for our slots, but PostgreSQL knows only one for all. */
export const slotCeiling: ServerCheck = {
  code,
  look: async (session, sight) => {
    const slots = await queryRows<ForeignSlot>(
      session,
      `SELECT slot_name AS slot, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS "retainedBytes"
         FROM pg_replication_slots s WHERE restart_lsn IS NOT NULL AND ${IS_MIGRATION_SLOT} IS NOT TRUE ORDER BY 1`,
    );
    return [judgeSlotCeiling(slots, ceilingInForce(await readSettings(session), sight))];
  },
};

import type { Check } from '../../plan/checks';
import { queryOne, type Session } from '../postgres/session';

const code = 'source-capacity';

/** Slots, WAL senders and workers of the server, and how many of them are taken. */
export interface Capacity {
  readonly slots: number;
  readonly maxSlots: number;
  readonly senders: number;
  readonly maxSenders: number;
  /** The target gets the same parameter group, so this is its limit, too. */
  readonly maxApplyWorkers: number;
}

export async function readCapacity(session: Session): Promise<Capacity> {
  return queryOne<{ slots: number; maxSlots: number; senders: number; maxSenders: number; maxApplyWorkers: number }>(
    session,
    `SELECT (SELECT count(*)::int FROM pg_replication_slots) AS slots,
            current_setting('max_replication_slots')::int AS "maxSlots",
            (SELECT count(*)::int FROM pg_stat_replication) AS senders,
            current_setting('max_wal_senders')::int AS "maxSenders",
            current_setting('max_logical_replication_workers')::int AS "maxApplyWorkers"`,
  );
}

/** One slot and one WAL sender for each database. */
export function checkCapacity(
  { slots, maxSlots, senders, maxSenders, maxApplyWorkers }: Capacity,
  databases: number,
): Check {
  const needed = `${databases} database${databases === 1 ? '' : 's'}`;
  const short = [
    ...(slots + databases > maxSlots ? [`max_replication_slots is ${maxSlots}, ${slots} used`] : []),
    ...(databases > maxApplyWorkers ? [`max_logical_replication_workers is ${maxApplyWorkers}`] : []),
    ...(senders + databases > maxSenders ? [`max_wal_senders is ${maxSenders}, ${senders} used`] : []),
  ];
  if (short.length === 0) return { code, level: 'ok', message: `slots and WAL senders for ${needed} are free` };
  return {
    code,
    level: 'block',
    message: `The source lacks slots, WAL senders or apply workers for ${needed}: ${short.join('; ')}.`,
    remedy:
      'Raise the parameter in the parameter group of the source and reboot, or drop slots that nobody reads: SELECT * FROM pg_replication_slots WHERE NOT active;',
  };
}

import type { Check } from '../../plan/checks';
import { queryOne, type Session } from '../postgres/session';
import { parameterCommand } from './remedy';
import type { ServerCheck } from './sql-check';

const code = 'source-capacity';
/** The launcher of logical replication is a background worker, too. */
const LAUNCHER = 1;

/** Slots, WAL senders and workers of the server, and how many of them are taken. */
export interface Capacity {
  readonly slots: number;
  readonly maxSlots: number;
  readonly senders: number;
  readonly maxSenders: number;
  /** The target gets the same parameter group, so these are its limits, too. */
  readonly maxApplyWorkers: number;
  readonly maxWorkers: number;
  /** On the target a slot of this kind counts for each subscription (`max_replication_slots`, up to 17). */
  readonly maxOrigins: number;
}

async function readCapacity(session: Session): Promise<Capacity> {
  return queryOne<Capacity>(
    session,
    `SELECT (SELECT count(*)::int FROM pg_replication_slots) AS slots,
            current_setting('max_replication_slots')::int AS "maxSlots",
            (SELECT count(*)::int FROM pg_stat_replication) AS senders,
            current_setting('max_wal_senders')::int AS "maxSenders",
            current_setting('max_logical_replication_workers')::int AS "maxApplyWorkers",
            current_setting('max_worker_processes')::int AS "maxWorkers",
            coalesce(current_setting('max_active_replication_origins', true), current_setting('max_replication_slots'))::int AS "maxOrigins"`,
  );
}

/** One slot and one WAL sender for each database; on the target one apply worker and one origin. */
export function checkCapacity(found: Capacity, databases: number, parameterGroup: string): Check {
  const { slots, maxSlots, senders, maxSenders, maxApplyWorkers, maxWorkers, maxOrigins } = found;
  const needed = `${databases} database${databases === 1 ? '' : 's'}`;
  const limits = [
    { name: 'max_replication_slots', is: maxSlots, needed: slots + databases, used: `, ${slots} used` },
    { name: 'max_wal_senders', is: maxSenders, needed: senders + databases, used: `, ${senders} used` },
    { name: 'max_logical_replication_workers', is: maxApplyWorkers, needed: databases, used: '' },
    { name: 'max_worker_processes', is: maxWorkers, needed: databases + LAUNCHER, used: '' },
    ...(maxOrigins === maxSlots
      ? []
      : [{ name: 'max_active_replication_origins', is: maxOrigins, needed: databases, used: '' }]),
  ];
  const short = limits.filter((limit) => limit.is < limit.needed);
  if (short.length === 0)
    return {
      code,
      level: 'ok',
      message: `slots, WAL senders and workers for ${needed} are free`,
      evidence: { ...found },
    };
  return {
    code,
    level: 'block',
    message: `The source lacks slots, WAL senders or apply workers for ${needed}: ${short.map(({ name, is, used }) => `${name} is ${is}${used}`).join('; ')}.`,
    remedy: [
      ...short.map((limit) => parameterCommand(parameterGroup, limit.name, limit.needed + LAUNCHER, 'pending-reboot')),
      '-- then reboot; or drop slots that nobody reads: SELECT * FROM pg_replication_slots WHERE NOT active;',
    ].join('\n'),
    evidence: { ...found },
  };
}

export const capacity: ServerCheck = {
  code,
  look: async (session, { databases, parameterGroup }) => [
    checkCapacity(await readCapacity(session), databases.length, parameterGroup),
  ],
};

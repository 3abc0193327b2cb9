import type { Check } from '../../../plan/checks';
import { queryOne } from '../../postgres/session';
import { parameterCommands } from '../remedy';
import { keepsGroup } from '../../rds/prepare-parameters';
import { groupOf, type ServerCheck, type Sight } from '../sql-check';

/** Below this a sender gives up on a target that is only busy. */
const SHORTEST_SENDER_TIMEOUT_MS = 5_000;
/** Below this nearly every transaction is decoded by way of files. */
const SMALLEST_DECODING_MEMORY_KB = 4_096;
/** PostgreSQL's own default. */
const DEFAULT_DECODING_MEMORY_KB = 65_536;
const DEFAULT_SENDER_TIMEOUT_MS = 60_000;

/** Settings that logical replication depends on, in the units of `pg_settings`. */
export interface Settings {
  readonly walLevel: string;
  /** MiB; -1: no ceiling. */
  readonly walKeepMiB: number;
  readonly senderTimeoutMs: number;
  readonly decodingMemoryKb: number;
  readonly commitTimestamps: boolean;
  /** Seconds; 0: never; null before PostgreSQL 18. */
  readonly idleSlotTimeoutS: number | null;
}

const READ = `SELECT max(setting) FILTER (WHERE name = 'wal_level') AS "walLevel",
  (max(setting) FILTER (WHERE name = 'max_slot_wal_keep_size'))::int AS "walKeepMiB",
  (max(setting) FILTER (WHERE name = 'wal_sender_timeout'))::int AS "senderTimeoutMs",
  (max(setting) FILTER (WHERE name = 'logical_decoding_work_mem'))::int AS "decodingMemoryKb",
  (max(setting) FILTER (WHERE name = 'track_commit_timestamp')) = 'on' AS "commitTimestamps",
  (max(setting) FILTER (WHERE name = 'idle_replication_slot_timeout'))::int AS "idleSlotTimeoutS"
  FROM pg_settings`;

type Judge = (settings: Settings, sight: Sight) => Omit<Check, 'code'>;

const settingCheck = (code: Check['code'], judge: Judge): ServerCheck => ({
  code,
  look: async (session, sight) => [{ code, ...judge(await queryOne<Settings>(session, READ), sight) }],
});

const walLevel = settingCheck('wal-level', ({ walLevel: level }, { parameterGroup, groupPending }) => ({
  level: 'ok',
  message:
    level === 'logical'
      ? groupPending
        ? `wal_level is logical, but parameter group ${parameterGroup} waits for a reboot and may say otherwise: the source gets one with rds.logical_replication=1 and is rebooted once, after the gate reboot-source`
        : 'wal_level is logical'
      : `wal_level is ${level}: the source gets a parameter group with rds.logical_replication=1 and is rebooted once, after the gate reboot-source`,
  evidence: { walLevel: level },
}));

/** The ceiling that will be in force: that of the plan, unless the source decodes with one of its own already. */
export const ceilingInForce = ({ walLevel: level, walKeepMiB }: Settings, { plan, ...sight }: Sight): number =>
  keepsGroup(groupOf(sight), { walLevel: level, ceiling: walKeepMiB !== -1 })
    ? walKeepMiB
    : plan.guard.maxSlotWalKeepMiB;

export const readSettings = (session: Parameters<ServerCheck['look']>[0]): Promise<Settings> =>
  queryOne<Settings>(session, READ);

const walCeiling = settingCheck('wal-ceiling', (settings, sight) => {
  const { walKeepMiB } = settings;
  const wanted = sight.plan.guard.maxSlotWalKeepMiB;
  const kept = ceilingInForce(settings, sight);
  const evidence = { maxSlotWalKeepMiB: walKeepMiB, planMiB: wanted };
  if (kept < wanted) {
    return {
      level: 'warn',
      message: `max_slot_wal_keep_size is ${kept} MiB, and stays, since the source decodes logically with a ceiling of its own; the plan counts on ${wanted} MiB. A slot that falls further behind is lost, and the migration has to begin anew.`,
      remedy: parameterCommands(sight, [{ name: 'max_slot_wal_keep_size', value: wanted }]),
      evidence,
    };
  }
  const before = walKeepMiB === -1 ? 'no ceiling' : `${walKeepMiB} MiB`;
  return {
    level: 'ok',
    message: `slots may keep ${kept} MiB of WAL while the migration runs${kept === walKeepMiB ? '' : ` (now: ${before})`}`,
    evidence,
  };
});

const slotTimeout = settingCheck('slot-timeout', ({ idleSlotTimeoutS }, sight) => {
  const evidence = { idleReplicationSlotTimeoutSeconds: idleSlotTimeoutS };
  if (!idleSlotTimeoutS)
    return { level: 'ok', message: 'slots are not given up because nobody reads from them', evidence };
  return {
    level: 'block',
    message: `idle_replication_slot_timeout is ${idleSlotTimeoutS} s: our slots wait unread while the snapshot is copied and restored, and would be given up.`,
    remedy: parameterCommands(sight, [{ name: 'idle_replication_slot_timeout', value: 0 }]),
    evidence,
  };
});

const senderTimeout = settingCheck('sender-timeout', ({ senderTimeoutMs }, sight) => {
  const evidence = { walSenderTimeoutMs: senderTimeoutMs };
  if (senderTimeoutMs >= SHORTEST_SENDER_TIMEOUT_MS)
    return { level: 'ok', message: `wal_sender_timeout is ${senderTimeoutMs} ms`, evidence };
  return {
    level: 'warn',
    message:
      senderTimeoutMs === 0
        ? 'wal_sender_timeout is 0: a sender whose target is gone is never ended, and its slot stays taken.'
        : `wal_sender_timeout is ${senderTimeoutMs} ms: the sender gives up on a target that is only busy, and begins to decode anew each time.`,
    remedy: parameterCommands(sight, [{ name: 'wal_sender_timeout', value: DEFAULT_SENDER_TIMEOUT_MS }]),
    evidence,
  };
});

const decodingMemory = settingCheck('decoding-memory', ({ decodingMemoryKb }, sight) => {
  const evidence = { logicalDecodingWorkMemKb: decodingMemoryKb };
  if (decodingMemoryKb >= SMALLEST_DECODING_MEMORY_KB)
    return { level: 'ok', message: `logical_decoding_work_mem is ${decodingMemoryKb} kB for each slot`, evidence };
  return {
    level: 'warn',
    message: `logical_decoding_work_mem is ${decodingMemoryKb} kB: nearly every transaction would be decoded by way of files on the source's disk, which no ceiling bounds.`,
    remedy: parameterCommands(sight, [{ name: 'logical_decoding_work_mem', value: DEFAULT_DECODING_MEMORY_KB }]),
    evidence,
  };
});

const commitTimestamps = settingCheck('commit-timestamps', ({ commitTimestamps: tracked }) => ({
  level: 'ok',
  message: tracked
    ? 'track_commit_timestamp is on; the target has it, too, with the parameter group'
    : 'track_commit_timestamp is off; it is not needed',
  evidence: { trackCommitTimestamp: tracked },
}));

/** What logical replication needs of the server's settings; each has a code of its own. */
export const SETTINGS_CHECKS: readonly ServerCheck[] = [
  walLevel,
  walCeiling,
  slotTimeout,
  senderTimeout,
  decodingMemory,
  commitTimestamps,
];

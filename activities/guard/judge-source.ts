import { bytes, duration } from '../../plan/format';
import type { Plan } from '../../plan/plan';
import type { Lag, SourceHealth } from '../../plan/progress';

export interface Warning {
  readonly code: string;
  readonly text: string;
}

const HOUR_MS = 3_600_000;
/** A transaction that is open for longer keeps WAL and dead rows on the source, whatever the target does. */
const OLD_TRANSACTION_MS = HOUR_MS;
/** Half of autovacuum_freeze_max_age's default. */
const OLD_CATALOG_XMIN = 100_000_000;
/** So much spilled is no accident any more: logical_decoding_work_mem is too small for the transactions there are. */
const MUCH_SPILLED_BYTES = 10 * 1_073_741_824;
/** Less than this share of the ceiling is left. */
const NEAR_CEILING = 0.25;
/** A forecast within this is worth a warning. */
const SOON_MS = 24 * HOUR_MS;

/** What an operator should look at, from the figures of one look. The text says what to do. */
export function judgeSource(plan: Plan, lag: Lag, source: SourceHealth, maxSlotWalKeepBytes?: number): Warning[] {
  const warnings: Warning[] = [];
  const warn = (code: string, text: string) => warnings.push({ code, text });
  const { instance } = plan.source;
  const { guard } = plan;
  const lagIsGone =
    lag.goneInMs === undefined ? 'the lag does not shrink' : `the lag is gone in ${duration(lag.goneInMs)}`;

  const { freeStoragePercent: percent, freeStorageBytes: free } = source;
  if (percent === undefined || free === undefined) {
    warn(
      'storage-unknown',
      `CloudWatch has no FreeStorageSpace of ${instance}: nobody watches its storage but PostgreSQL's own ceiling. Give the worker cloudwatch:GetMetricData.`,
    );
  } else if (percent < guard.pauseFreeStoragePercent) {
    warn(
      'storage-low',
      `${instance} has ${bytes(free)} of free storage left (${percent.toFixed(1)} %): verify and warm-up wait; below ${guard.giveUpFreeStoragePercent} % our slots are given up and everything is undone. Allocate more storage: aws rds modify-db-instance --db-instance-identifier ${instance} --allocated-storage <GiB> --apply-immediately`,
    );
  } else if (percent < guard.warnFreeStoragePercent) {
    warn(
      'storage-shrinks',
      `${instance} has ${bytes(free)} of free storage left (${percent.toFixed(1)} %); our slots keep ${bytes(source.retainedBytes)} of WAL.`,
    );
  }
  const { storageFullInMs: fullInMs, slotLostInMs: lostInMs } = source;
  if (fullInMs !== undefined && fullInMs < SOON_MS && !(lag.goneInMs !== undefined && lag.goneInMs < fullInMs)) {
    warn(
      'storage-full-soon',
      `at the present pace the storage of ${instance} is full in ${duration(fullInMs)}; ${lagIsGone}.`,
    );
  }
  const safe = source.safeWalBytes;
  if (safe !== undefined && maxSlotWalKeepBytes !== undefined && safe < maxSlotWalKeepBytes * NEAR_CEILING) {
    warn(
      'slot-near-ceiling',
      `after ${bytes(Math.max(0, safe))} more of WAL PostgreSQL gives up our slot (max_slot_wal_keep_size), and the migration ends${lostInMs === undefined ? '' : `: in ${duration(lostInMs)} at the present pace`}; ${lagIsGone}. Raise max_slot_wal_keep_size in the parameter group of ${instance} if its storage allows.`,
    );
  }
  if ((source.oldestTransactionMs ?? 0) > OLD_TRANSACTION_MS) {
    warn(
      'old-transaction',
      `a transaction on ${instance} has been open for ${duration(source.oldestTransactionMs ?? 0)}: the slots keep WAL since then. SELECT pid, usename, xact_start, query FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start;`,
    );
  }
  if ((source.catalogXminAge ?? 0) > OLD_CATALOG_XMIN) {
    warn(
      'catalog-xmin',
      `our slots keep catalog rows of ${source.catalogXminAge} transactions ago from being vacuumed on ${instance}.`,
    );
  }
  if ((source.spilledBytes ?? 0) > MUCH_SPILLED_BYTES) {
    warn(
      'spill',
      `decoding has spilled ${bytes(source.spilledBytes ?? 0)} to the disk of ${instance}, on which no ceiling holds: raise logical_decoding_work_mem in its parameter group.`,
    );
  }
  return warnings;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Check } from '../../../plan/checks';
import { queryOne, type Session } from '../../postgres/session';
import { ceilingInForce, readSettings } from './settings';
import type { ServerCheck } from '../sql-check';

const SAMPLE_MS = 600;
/** The server's own average says something only over a while. */
const LEAST_STATISTICS_S = 3_600;
const MIB = 1_048_576;
const GIB = 1_073_741_824;
/** What a migration takes at least, and how much of a snapshot is copied and restored in an hour: rough, on the safe side. */
const LEAST_HOURS = 2;
const GIB_PER_HOUR = 200;

/** How fast the source writes WAL. */
export interface WalRate {
  /** The larger one of the two. */
  readonly walBytesPerSecond: number;
  /** Over the last moments. */
  readonly sampled: number;
  /** Since the statistics were reset; undefined before PostgreSQL 14 or within an hour of the reset. */
  readonly average?: number;
}

/** How long the WAL of the source has to be kept, in hours: from the snapshot to the end of the catch-up. Rough. */
export const expectedHours = (sizeBytes: number): number =>
  Math.round((LEAST_HOURS + sizeBytes / GIB / GIB_PER_HOUR) * 10) / 10;

/** Measures by two looks, some hundred milliseconds apart, and takes the server's own average into account. */
export async function measureWalRate(session: Session): Promise<WalRate> {
  const first = await position(session);
  await sleep(SAMPLE_MS);
  const second = await position(session);
  const seconds = second.at - first.at;
  const sampled = seconds > 0 ? Math.round((second.bytes - first.bytes) / seconds) : 0;
  const average = await averageRate(session);
  return {
    walBytesPerSecond: Math.max(sampled, average ?? 0),
    sampled,
    ...(average === undefined ? {} : { average }),
  };
}

async function position(session: Session): Promise<{ bytes: number; at: number }> {
  return queryOne<{ bytes: number; at: number }>(
    session,
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS bytes, extract(epoch FROM clock_timestamp())::float8 AS at`,
  );
}

async function averageRate(session: Session): Promise<number | undefined> {
  const { has } = await queryOne<{ has: boolean }>(
    session,
    `SELECT to_regclass('pg_catalog.pg_stat_wal') IS NOT NULL AS has`,
  );
  if (!has) return undefined;
  const { bytes, seconds } = await queryOne<{ bytes: number; seconds: number | null }>(
    session,
    `SELECT wal_bytes::float8 AS bytes, extract(epoch FROM clock_timestamp() - stats_reset)::float8 AS seconds FROM pg_stat_wal`,
  );
  return seconds !== null && seconds >= LEAST_STATISTICS_S ? Math.round(bytes / seconds) : undefined;
}

/** WAL that the source writes while the migration runs, against the ceiling on what slots may keep. */
export function judgeWalRate(rate: WalRate, ceilingMiB: number, sizeBytes: number): Check {
  const hours = expectedHours(sizeBytes);
  const lasts = rate.walBytesPerSecond === 0 ? undefined : (ceilingMiB * MIB) / rate.walBytesPerSecond / 3_600;
  const evidence = {
    ...rate,
    expectedHours: hours,
    ceilingMiB,
    hoursBelowCeiling: lasts === undefined ? null : Math.round(lasts * 10) / 10,
  };
  const speed = `The source writes ${(rate.walBytesPerSecond / MIB).toFixed(1)} MiB of WAL a second`;
  if (lasts === undefined || lasts >= hours) {
    return {
      code: 'wal-rate',
      level: 'ok',
      message: `${speed}: ${ceilingMiB} MiB last ${lasts === undefined ? 'as long as it likes' : `${Math.round(lasts)} hours`}`,
      evidence,
    };
  }
  const neededMiB = Math.ceil((rate.walBytesPerSecond * 3_600 * hours) / MIB / 1_024) * 1_024;
  return {
    code: 'wal-rate',
    level: 'warn',
    message: `${speed}. Slots may keep ${ceilingMiB} MiB, which are full in ${lasts.toFixed(1)} hours; this migration takes about ${hours}. Then the slots are lost, and it has to begin anew.`,
    remedy: `-- in the plan, if the disk has room for it: guard: { maxSlotWalKeepMiB: ${neededMiB} }; or begin when less is written`,
    evidence,
  };
}

/** What the preflight measured, for whoever compares it with the storage; undefined when it could not. */
export function walBytesPerSecondOf(checks: readonly Check[]): number | undefined {
  const measured = checks.find(({ code }) => code === 'wal-rate')?.evidence?.['walBytesPerSecond'];
  return typeof measured === 'number' ? measured : undefined;
}

export const walRate: ServerCheck = {
  code: 'wal-rate',
  look: async (session, sight) => {
    const rate = await measureWalRate(session);
    return [judgeWalRate(rate, ceilingInForce(await readSettings(session), sight), sight.sizeBytes)];
  },
};

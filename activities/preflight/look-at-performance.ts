import type { DBInstance } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Aws } from '../dependencies';
import { readMetrics } from '../rds/metrics';

const MIB = 1024 ** 2;
const HOUR_S = 3600;
const DAY_MIN = 24 * 60;
/** A migration reads WAL, a snapshot and every table once: a volume this busy has nothing to give. */
const BUSY_PERCENT = 80;
/** Balances below this are used up within the migration. */
const LOW_BALANCE_PERCENT = 50;
/** One credit is one vCPU for a minute: an hour of one vCPU. */
const LOW_CREDITS = 60;

/** What a volume can do all day. */
export interface Baseline {
  readonly iops: number;
  /** Bytes per second; undefined where the instance, not the volume, is the limit. */
  readonly throughput?: number;
}

/**
 * IOPS and throughput that a volume has without burst. gp2 has 3 IOPS per GiB, and for PostgreSQL RDS stripes volumes from 400 GiB on.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html
 */
export function baselineOf({ StorageType, AllocatedStorage = 0, Iops, StorageThroughput }: DBInstance): Baseline {
  switch (StorageType) {
    case 'gp3': {
      const striped = AllocatedStorage >= 400;
      return {
        iops: Math.max(Iops ?? 0, striped ? 12_000 : 3_000),
        throughput: Math.max(StorageThroughput ?? 0, striped ? 500 : 125) * MIB,
      };
    }
    case 'gp2':
      return {
        iops: Math.min(64_000, Math.max(100, 3 * AllocatedStorage)),
        throughput: (AllocatedStorage >= 400 ? 1_000 : AllocatedStorage >= 334 ? 250 : 128) * MIB,
      };
    case 'io1':
    case 'io2':
      return { iops: Iops ?? 1_000 };
    default:
      return { iops: 100 };
  }
}

/** Whether volume and processor of the source have anything left to give, by what CloudWatch saw in the last day. */
export async function checkPerformance(aws: Aws, source: DBInstance): Promise<Check[]> {
  const id = source.DBInstanceIdentifier ?? '';
  const hourly = { stat: 'Average', periodSeconds: HOUR_S, minutes: DAY_MIN } as const;
  const lately = { stat: 'Minimum', periodSeconds: 300, minutes: 60 } as const;
  const seen = await readMetrics(aws, id, {
    readIops: { name: 'ReadIOPS', ...hourly },
    writeIops: { name: 'WriteIOPS', ...hourly },
    readBytes: { name: 'ReadThroughput', ...hourly },
    writeBytes: { name: 'WriteThroughput', ...hourly },
    burst: { name: 'BurstBalance', ...lately },
    instanceIo: { name: 'EBSIOBalance%', ...lately },
    instanceBytes: { name: 'EBSByteBalance%', ...lately },
    credits: { name: 'CPUCreditBalance', ...lately },
  });
  return [checkVolume(source, seen), checkCredits(source, seen.credits)];
}

type Seen = Readonly<
  Record<
    'readIops' | 'writeIops' | 'readBytes' | 'writeBytes' | 'burst' | 'instanceIo' | 'instanceBytes',
    readonly number[]
  >
>;

const sumOfPeaks = (...series: readonly (readonly number[])[]): number =>
  series.reduce((sum, points) => sum + Math.max(0, ...points), 0);
const lowest = (points: readonly number[]): number | undefined => (points.length > 0 ? Math.min(...points) : undefined);

function checkVolume(source: DBInstance, seen: Seen): Check {
  const code = 'storage-performance';
  const id = source.DBInstanceIdentifier ?? '';
  const type = source.StorageType ?? '';
  const { iops, throughput } = baselineOf(source);
  const peakIops = Math.round(sumOfPeaks(seen.readIops, seen.writeIops));
  const peakBytes = Math.round(sumOfPeaks(seen.readBytes, seen.writeBytes));
  const balances = {
    // Only gp2 bursts; CloudWatch keeps what it had before a change of type.
    BurstBalance: type === 'gp2' ? seen.burst : [],
    'EBSIOBalance%': seen.instanceIo,
    'EBSByteBalance%': seen.instanceBytes,
  };
  const low = Object.entries(balances).flatMap(([name, points]) => {
    const value = lowest(points);
    return value !== undefined && value < LOW_BALANCE_PERCENT ? [`${name} was at ${Math.round(value)} %`] : [];
  });
  const busy = [
    ...(peakIops * 100 > iops * BUSY_PERCENT ? [`its busiest hour took ${peakIops} of ${iops} IOPS`] : []),
    ...(throughput !== undefined && peakBytes * 100 > throughput * BUSY_PERCENT
      ? [`its busiest hour took ${Math.round(peakBytes / MIB)} of ${throughput / MIB} MiB/s`]
      : []),
  ];
  const evidence = {
    storageType: type,
    baselineIops: iops,
    ...(throughput === undefined ? {} : { baselineMiBPerSecond: throughput / MIB }),
    busiestHourIops: peakIops,
    busiestHourMiBPerSecond: Math.round(peakBytes / MIB),
    lowestBalances: Object.fromEntries(
      Object.entries(balances).map(([name, points]) => [name, lowest(points) ?? null]),
    ),
  };
  if (low.length + busy.length === 0)
    return {
      code,
      level: 'ok',
      message: `${type} storage of ${id}: ${peakIops} of ${iops} IOPS in its busiest hour`,
      evidence,
    };
  const burst = low.some((text) => text.startsWith('Burst'));
  return {
    code,
    level: 'warn',
    message: `The storage of ${id} has little to give: ${[...low, ...busy].join('; ')}. Decoding, the snapshot and the comparison read beside your users.`,
    remedy: faster(id, source, burst || busy.length > 0 ? peakIops : 0),
    evidence,
  };
}

/** gp3 has more than gp2 at the same size; from there on more IOPS can be bought. What the class lacks, only a class fixes. */
function faster(id: string, { StorageType, Iops, AllocatedStorage = 0 }: DBInstance, peak: number): string {
  const modify = `aws rds modify-db-instance --db-instance-identifier ${id}`;
  const wait = '# or begin in a quiet hour; with EBS balances low: a larger class, --db-instance-class';
  if (peak === 0) return wait;
  if (StorageType === 'gp2' || StorageType === 'standard')
    return `${modify} --storage-type gp3 --apply-immediately\n${wait}`;
  const wanted = Math.max(Math.ceil(peak * 1.5), Math.ceil((Iops ?? 3_000) * 1.5));
  const small = StorageType === 'gp3' && AllocatedStorage < 400;
  const grown = small ? ' --allocated-storage 400' : '';
  return `${modify}${grown} --iops ${small ? Math.max(12_000, wanted) : wanted} --apply-immediately\n${wait}`;
}

/** Classes of the t families run on credits; without them they are throttled, or cost extra (unlimited mode). */
function checkCredits(
  { DBInstanceIdentifier: id = '', DBInstanceClass = '' }: DBInstance,
  points: readonly number[],
): Check {
  const code = 'cpu-credits';
  if (!/^db\.t\d/.test(DBInstanceClass))
    return { code, level: 'ok', message: `${DBInstanceClass} does not run on CPU credits` };
  const balance = lowest(points);
  const evidence = { instanceClass: DBInstanceClass, cpuCreditBalance: balance ?? null };
  if (balance === undefined || balance >= LOW_CREDITS) {
    const left = balance === undefined ? 'no figure yet' : `${Math.round(balance)} left`;
    return { code, level: 'ok', message: `CPU credits of ${id} (${DBInstanceClass}): ${left}`, evidence };
  }
  return {
    code,
    level: 'warn',
    message: `${id} (${DBInstanceClass}) had ${Math.round(balance)} CPU credits left in the last hour: decoding and comparing would take the rest from your users, or cost extra.`,
    remedy: `aws rds modify-db-instance --db-instance-identifier ${id} --db-instance-class ${DBInstanceClass.replace(/^db\.t(\d)(g?)[a-z]*\..*/, (_, _generation, arm) => `db.m6${arm ? 'g' : 'i'}.large`)} --apply-immediately\n# this restarts it; or begin when there are more`,
    evidence,
  };
}

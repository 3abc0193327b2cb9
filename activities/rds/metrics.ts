import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { Aws } from '../dependencies';

const MINUTE_MS = 60_000;

/** A metric of an instance, and over which time it is wanted. */
export interface WantedMetric {
  /** Name in CloudWatch's namespace `AWS/RDS`. */
  readonly name: string;
  readonly stat: 'Average' | 'Minimum' | 'Maximum';
  /** Length of one point, in seconds. */
  readonly periodSeconds: number;
  /** From so many minutes ago until now. */
  readonly minutes: number;
}

/**
 * Points of metrics of one instance, newest first, in one call; an empty list where CloudWatch has none (it lags by a minute or two, and
 * an instance that isn't running has none).
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
 */
export async function readMetrics<Key extends string>(
  aws: Aws,
  instance: string,
  wanted: Readonly<Record<Key, WantedMetric>>,
): Promise<Record<Key, readonly number[]>> {
  const keys = Object.keys(wanted) as Key[];
  const now = Date.now();
  const longest = Math.max(...keys.map((key) => wanted[key].minutes));
  const { MetricDataResults } = await aws.cloudwatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(now - longest * MINUTE_MS),
      EndTime: new Date(now),
      ScanBy: 'TimestampDescending',
      MetricDataQueries: keys.map((key, index) => ({
        Id: `m${index}`,
        MetricStat: {
          Metric: {
            Namespace: 'AWS/RDS',
            MetricName: wanted[key].name,
            Dimensions: [{ Name: 'DBInstanceIdentifier', Value: instance }],
          },
          Period: wanted[key].periodSeconds,
          Stat: wanted[key].stat,
        },
      })),
    }),
  );
  return Object.fromEntries(
    keys.map((key, index) => {
      const result = MetricDataResults?.find(({ Id }) => Id === `m${index}`);
      const since = now - wanted[key].minutes * MINUTE_MS - wanted[key].periodSeconds * 1000;
      const recent = (result?.Values ?? []).filter((_, at) => Number(result?.Timestamps?.[at] ?? now) >= since);
      return [key, recent];
    }),
  ) as unknown as Record<Key, readonly number[]>;
}

/** Free storage of an instance in bytes: the lowest of the last minutes; undefined where CloudWatch has no figure. */
export async function readFreeStorage(aws: Aws, instance: string): Promise<number | undefined> {
  const { free } = await readMetrics(aws, instance, {
    free: { name: 'FreeStorageSpace', stat: 'Minimum', periodSeconds: 60, minutes: 15 },
  });
  return free.length === 0 ? undefined : Math.min(...free);
}

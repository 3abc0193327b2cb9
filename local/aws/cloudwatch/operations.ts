import { z } from 'zod';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { JsonOperation } from '../json-protocol';
import { readInput } from '../json-protocol';
import type { InstanceRecord } from '../rds/model';
import { readMetric, unitOf } from './metrics';

/** Times are seconds since 1970 in JSON, and text from older clients. */
const time = z
  .union([z.number(), z.string()])
  .transform((value) => (typeof value === 'number' ? value * 1000 : new Date(value).getTime()));
const dimensions = z.array(z.object({ Name: z.string(), Value: z.string() })).default([]);
const period = z
  .int()
  .positive()
  .refine((seconds) => [1, 5, 10, 20, 30].includes(seconds) || seconds % 60 === 0, 'must be a multiple of 60');

const metricDataInput = z.object({
  StartTime: time,
  EndTime: time,
  ScanBy: z.string().optional(),
  MetricDataQueries: z
    .array(
      z.object({
        Id: z.string().regex(/^[a-z]\w*$/),
        Label: z.string().optional(),
        ReturnData: z.boolean().default(true),
        MetricStat: z.object({
          Metric: z.object({ Namespace: z.string(), MetricName: z.string(), Dimensions: dimensions }),
          Period: period,
          Stat: z.string(),
        }),
      }),
    )
    .min(1)
    .max(500),
});

const statisticsInput = z.object({
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: dimensions,
  StartTime: time,
  EndTime: time,
  Period: period,
  Statistics: z.array(z.enum(['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'])).default([]),
});

/**
 * The operations of CloudWatch, of which clients speak the JSON protocol (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/).
 * There is no past: a series has one point, the one of this moment.
 */
export function cloudwatchOperations(context: Context): Record<string, JsonOperation> {
  return {
    async GetMetricData(input, { region }) {
      const { MetricDataQueries, StartTime, EndTime } = readInput(metricDataInput, input);
      assertRange(StartTime, EndTime);
      const shown = MetricDataQueries.filter(({ ReturnData }) => ReturnData);
      return {
        MetricDataResults: await Promise.all(
          shown.map(async ({ Id, Label, MetricStat: { Metric, Period, Stat } }) => {
            const point = await pointOf(context, region, Metric, { StartTime, EndTime, Period });
            return {
              Id,
              Label: Label ?? Metric.MetricName,
              Timestamps: point ? [point.at / 1000] : [],
              Values: point ? [Stat === 'SampleCount' ? 1 : point.value] : [],
              StatusCode: 'Complete',
            };
          }),
        ),
        Messages: [],
      };
    },

    async GetMetricStatistics(input, { region }) {
      const { Statistics, StartTime, EndTime, Period, ...metric } = readInput(statisticsInput, input);
      assertRange(StartTime, EndTime);
      const point = await pointOf(context, region, metric, { StartTime, EndTime, Period });
      const values = Statistics.map((name) => [name, name === 'SampleCount' ? 1 : point?.value]);
      const Unit = unitOf(metric.MetricName);
      return {
        Label: metric.MetricName,
        Datapoints: point ? [{ Timestamp: point.at / 1000, Unit, ...Object.fromEntries(values) }] : [],
      };
    },
  };
}

function assertRange(start: number, end: number): void {
  if (start < end) return;
  throw new AwsError('ValidationError', 'The parameter StartTime must be less than the parameter EndTime.');
}

interface Metric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
}

interface Range {
  readonly StartTime: number;
  readonly EndTime: number;
  readonly Period: number;
}

/**
 * The point at the beginning of the last period of the range, if there is data. Of a range that ended a moment ago, in the
 * period before, that one's: metrics have no past here, and the value is that of now.
 */
async function pointOf(
  context: Context,
  region: string,
  { Namespace, MetricName, Dimensions }: Metric,
  { StartTime, EndTime, Period }: Range,
): Promise<{ readonly at: number; readonly value: number } | undefined> {
  const [dimension, ...others] = Dimensions;
  if (Namespace !== 'AWS/RDS' || dimension?.Name !== 'DBInstanceIdentifier' || others.length > 0) return undefined;
  const { instances } = context.store.region(region).rds;
  const instance: InstanceRecord | undefined = instances[dimension.Value.toLowerCase()];
  const now = Date.now();
  const periodMs = Period * 1000;
  const down = (moment: number) => Math.floor(moment / periodMs) * periodMs;
  const at = Math.min(down(now), down(EndTime - 1));
  if (!instance || at < down(now) - periodMs || at < down(StartTime)) return undefined;
  const value = await readMetric(context, instance, MetricName);
  return value === undefined ? undefined : { at, value };
}

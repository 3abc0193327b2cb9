import { GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { requireInstance } from '../rds/find-instance';

/** Free storage of an instance as CloudWatch has it. */
export interface FreeStorage {
  readonly freeBytes: number;
  /** Of what is allocated. */
  readonly percent: number;
  readonly allocatedBytes: number;
  /** When CloudWatch measured it, in milliseconds since 1970. */
  readonly measuredAt: number;
}

const GIB = 1_073_741_824;
const PERIOD_S = 60;
/** RDS sends the metric every minute; older than this it says nothing of now. */
const LOOK_BACK_MS = 10 * 60_000;
/** How long an answer serves: the metric has no newer value before. */
const FRESH_MS = 30_000;

interface Answer {
  readonly askedAt: number;
  readonly storage: Promise<FreeStorage | undefined>;
}

/** The last answer for each instance, so that whoever asks between chunks of work costs no call. */
const answers = new WeakMap<Aws, Map<string, Answer>>();

/**
 * Free storage of the source; undefined when CloudWatch has no value of the last ten minutes.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
 */
export function freeStorageOfSource(deps: Dependencies, ref: MigrationRef): Promise<FreeStorage | undefined> {
  const aws = awsOf(deps, ref);
  const known = answers.get(aws) ?? new Map<string, Answer>();
  answers.set(aws, known);
  const { instance } = ref.plan.source;
  const before = known.get(instance);
  if (before && Date.now() - before.askedAt < FRESH_MS) return before.storage;
  const storage = ask(aws, instance);
  known.set(instance, { askedAt: Date.now(), storage });
  // A refused call is asked anew by whoever comes next.
  storage.catch(() => known.delete(instance));
  return storage;
}

async function ask(aws: Aws, instance: string): Promise<FreeStorage | undefined> {
  const { AllocatedStorage } = await requireInstance(aws, instance);
  const allocatedBytes = (AllocatedStorage ?? 0) * GIB;
  const { Datapoints } = await aws.cloudwatch.send(
    new GetMetricStatisticsCommand({
      Namespace: 'AWS/RDS',
      MetricName: 'FreeStorageSpace',
      Dimensions: [{ Name: 'DBInstanceIdentifier', Value: instance }],
      StartTime: new Date(Date.now() - LOOK_BACK_MS),
      EndTime: new Date(),
      Period: PERIOD_S,
      Statistics: ['Minimum'],
    }),
  );
  const newest = (Datapoints ?? []).toSorted((a, b) => timeOf(b) - timeOf(a))[0];
  if (newest?.Minimum === undefined || allocatedBytes === 0) return undefined;
  return {
    freeBytes: newest.Minimum,
    percent: (newest.Minimum / allocatedBytes) * 100,
    allocatedBytes,
    measuredAt: timeOf(newest),
  };
}

const timeOf = ({ Timestamp }: { Timestamp?: Date | undefined }): number => Timestamp?.getTime() ?? 0;

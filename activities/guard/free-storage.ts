import { type Aws, awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { requireInstance } from '../rds/find-instance';
import { readMetrics } from '../rds/metrics';

/** Free storage of an instance as CloudWatch has it. */
export interface FreeStorage {
  readonly freeBytes: number;
  /** Of what is allocated. */
  readonly percent: number;
}

const GIB = 1_073_741_824;
/** RDS sends the metric every minute; older than this it says nothing of now. */
const LOOK_BACK_MINUTES = 10;
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
  const instance = instanceOf(ref, 'source');
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
  const { free } = await readMetrics(aws, instance, {
    free: { name: 'FreeStorageSpace', stat: 'Minimum', periodSeconds: 60, minutes: LOOK_BACK_MINUTES },
  });
  const [freeBytes] = free;
  if (freeBytes === undefined || allocatedBytes === 0) return undefined;
  return { freeBytes, percent: (freeBytes / allocatedBytes) * 100 };
}

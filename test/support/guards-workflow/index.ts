import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../../../activities';

type Input<Name extends keyof Activities> = Parameters<Activities[Name]>[0];

/** Many migrations as far as their guards go: so many calls of `guardSource` at the same time, until it is cancelled. */
export async function guards(taskQueue: string, count: number, input: Input<'guardSource'>): Promise<void> {
  const { guardSource } = proxyActivities<Activities>({
    taskQueue,
    startToCloseTimeout: '1 hour',
    heartbeatTimeout: '30 seconds',
  });
  await Promise.all(Array.from({ length: count }, () => guardSource(input)));
}

/** One pause. */
export async function pause(
  taskQueue: string,
  input: Input<'cutOver'>,
): Promise<Awaited<ReturnType<Activities['cutOver']>>> {
  const { cutOver } = proxyActivities<Activities>({
    taskQueue,
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: '6 seconds',
    retry: { maximumAttempts: 1 },
  });
  return cutOver(input);
}

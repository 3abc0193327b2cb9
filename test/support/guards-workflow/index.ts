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

/** One pause, tried again as the product does. */
export async function pause(
  taskQueue: string,
  input: Input<'cutOver'>,
): Promise<Awaited<ReturnType<Activities['cutOver']>>> {
  const { cutOver } = proxyActivities<Activities>({
    taskQueue,
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: '30 seconds',
    retry: { initialInterval: '200 milliseconds', backoffCoefficient: 1.5, maximumInterval: '2 seconds' },
  });
  return cutOver(input);
}

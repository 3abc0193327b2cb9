import type { Client } from '@temporalio/client';
import { TASK_QUEUE } from '../plan/temporal';
import { CommandError, EXIT } from './exit-codes';

/** `TASK_QUEUE_TYPE_WORKFLOW` of Temporal's API. */
const WORKFLOW_QUEUE = 1;

/**
 * A worker that is idle asks anew within this time, in milliseconds: the server ends a poll after a minute. The server lists a poller for five
 * minutes, so one that has not asked for longer is gone.
 */
const POLLS_WITHIN_MS = 75_000;

/** What to do when no worker answers; the same words wherever it shows. */
export const START_A_WORKER =
  'Start one (docs/operating.md, The worker), with the same TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE';

/** @throws CommandError `unreachable` when no worker has polled the task queue of late */
export async function requireWorker(client: Client): Promise<void> {
  const { namespace } = client.options;
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: TASK_QUEUE },
    taskQueueType: WORKFLOW_QUEUE,
  });
  const lastMs = Math.max(
    0,
    ...(pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000),
  );
  if (Date.now() - lastMs <= POLLS_WITHIN_MS) return;
  const last = lastMs === 0 ? '' : `, the last at ${new Date(lastMs).toISOString()}`;
  throw new CommandError(
    EXIT.unreachable,
    `No worker polls task queue ${TASK_QUEUE} in namespace ${namespace}${last}. ${START_A_WORKER}; then try again.`,
  );
}

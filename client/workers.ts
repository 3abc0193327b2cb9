import { setTimeout as sleep } from 'node:timers/promises';
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

/** A worker that has just said that it is ready may not have polled yet: how long it is looked for, and how often, in milliseconds. */
const LOOK_FOR_MS = 3_000;
const LOOK_EVERY_MS = 250;

/** @throws CommandError `unreachable` when no worker has polled the task queue of late */
export async function requireWorker(client: Client): Promise<void> {
  const until = Date.now() + LOOK_FOR_MS;
  let lastMs = await lastPollMs(client);
  while (Date.now() - lastMs > POLLS_WITHIN_MS && Date.now() < until) {
    await sleep(LOOK_EVERY_MS);
    lastMs = await lastPollMs(client);
  }
  if (Date.now() - lastMs <= POLLS_WITHIN_MS) return;
  const last = lastMs === 0 ? '' : `, the last at ${new Date(lastMs).toISOString()}`;
  throw new CommandError(
    EXIT.unreachable,
    `No worker polls task queue ${TASK_QUEUE} in namespace ${client.options.namespace}${last}. ${START_A_WORKER}; then try again.`,
  );
}

/** When a worker polled last, in milliseconds since 1970, as the server says; 0: never, as far as it knows. */
async function lastPollMs(client: Client): Promise<number> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: TASK_QUEUE },
    taskQueueType: WORKFLOW_QUEUE,
  });
  return Math.max(0, ...(pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000));
}

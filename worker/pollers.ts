import type { NativeConnection } from '@temporalio/worker';
import { temporal } from '@temporalio/proto';
import type { Pollers } from '../activities/dependencies';
import type { WorkerConfiguration } from './configuration';

const { TASK_QUEUE_TYPE_ACTIVITY } = temporal.api.enums.v1.TaskQueueType;

/** Temporal remembers a poller for five minutes. One that lives asks again each minute, or sooner; a longer silence is a worker that is gone. */
const FRESH_MS = 90_000;

/**
 * Asks Temporal who polls a task queue for activities. Where workers have versions, those of another version don't count: Temporal gives them
 * nothing of this one's migrations.
 * @see https://docs.temporal.io/task-queue
 */
export function askPollers(
  connection: NativeConnection,
  namespace: string,
  { deployment }: Pick<WorkerConfiguration, 'deployment'>,
): (taskQueue: string) => Promise<Pollers> {
  return async (taskQueue) => {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: TASK_QUEUE_TYPE_ACTIVITY,
    });
    const since = Date.now() - FRESH_MS;
    const fresh = (pollers ?? []).filter(
      ({ lastAccessTime, deploymentOptions }) =>
        Number(lastAccessTime?.seconds ?? 0) * 1_000 >= since &&
        (deployment === undefined ||
          (deploymentOptions?.deploymentName === deployment.deploymentName &&
            deploymentOptions.buildId === deployment.buildId)),
    );
    return { workers: [...new Set(fresh.map(({ identity }) => identity ?? ''))] };
  };
}

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { NativeConnection } from '@temporalio/worker';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities';
import { SnapshotHolder } from '../activities/compare/snapshot-holder';
import type { Dependencies } from '../activities/dependencies';
import { pauseQueueOf, TASK_QUEUE } from '../plan/temporal';
import { awsClients } from './aws-clients';
import type { WorkerConfiguration } from './configuration';
import { ACTIVITY_INTERCEPTORS } from './interceptors';
import { bundleOfCheckout } from './checkout-bundle';
import { askPollers } from './pollers';
import { startWatchdog } from './watchdog/start';

/** Workflow code as `npm run build` bundles it; absent in a checkout, whose worker bundles by itself. */
export const BUNDLE_FILE = path.join(__dirname, 'workflow-bundle.js');

/**
 * Activities of the common task queue that run at the same time. Each migration holds one for weeks (`guardSource`), and a second one while its
 * board is watched (`watchBoard`), which mostly sleep: docs/operating.md, "How many migrations" has what they cost.
 */
const COMMON_SLOTS = 1_000;
/** Activities of the pause that run at the same time. Nothing else may ever take one of them. */
const PAUSE_SLOTS = 50;

/** A worker of the common task queue, one of the queue of the pause, and one of the queue that only this process serves. */
export interface Workers {
  readonly workers: readonly Worker[];
  readonly snapshots: SnapshotHolder;
}

export async function createWorkers(
  connection: NativeConnection,
  namespace: string,
  configuration: WorkerConfiguration,
): Promise<Workers> {
  const snapshots = new SnapshotHolder();
  const ownTaskQueue = `${TASK_QUEUE}-holder-${randomUUID()}`;
  const deps: Dependencies = {
    aws: awsClients(configuration.awsRegion, configuration.rdsShowsAfterMs),
    rdsCaBundle: configuration.rdsCaBundle,
    releasedSecrets: configuration.releasedSecrets,
    snapshots,
    ownTaskQueue,
    startWatchdog: () => startWatchdog({ rdsCaBundle: configuration.rdsCaBundle, region: configuration.awsRegion }),
    pollersOf: askPollers(connection, namespace, configuration),
  };
  const common = {
    connection,
    namespace,
    activities: createActivities(deps),
    // A heartbeat that is held back can't tell what an activity waits for, nor that its worker lives.
    maxHeartbeatThrottleInterval: '2 seconds',
    defaultHeartbeatThrottleInterval: '2 seconds',
    shutdownGraceTime: '10 seconds',
    interceptors: { activity: [...ACTIVITY_INTERCEPTORS] },
  } satisfies Partial<WorkerOptions>;
  return {
    snapshots,
    workers: [
      await Worker.create({
        ...common,
        taskQueue: TASK_QUEUE,
        maxConcurrentActivityTaskExecutions: COMMON_SLOTS,
        // A worker that died leaves its cached workflows behind; another takes them over after this.
        stickyQueueScheduleToStartTimeout: '3 seconds',
        ...versioning(configuration),
        workflowBundle: await workflowBundle(),
      }),
      await Worker.create({
        ...common,
        taskQueue: pauseQueueOf(TASK_QUEUE),
        maxConcurrentActivityTaskExecutions: PAUSE_SLOTS,
        // A pause is made by the version that began the migration, as everything else.
        ...versioning(configuration),
      }),
      await Worker.create({ ...common, taskQueue: ownTaskQueue }),
    ],
  };
}

/**
 * A migration stays on the version that began it: the next one may do the steps in another order, which a history of this
 * one can't be replayed with.
 */
export function versioning({
  deployment,
}: Pick<WorkerConfiguration, 'deployment'>): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (!deployment) return {};
  return {
    workerDeploymentOptions: {
      version: deployment,
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
  };
}

async function workflowBundle(): Promise<{ readonly codePath: string }> {
  return { codePath: existsSync(BUNDLE_FILE) ? BUNDLE_FILE : await bundleOfCheckout() };
}

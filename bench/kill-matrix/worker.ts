/**
 * A process that runs attempts of the pause as a worker does: the product's activities with the worker's own interceptors. What it has on top are
 * the holds of hold.ts: by them the parent makes an attempt stand still at a given moment. Started by `WorkerProcess`; talks by messages.
 */
import { readFileSync } from 'node:fs';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities } from '../../activities';
import { SnapshotHolder } from '../../activities/compare/snapshot-holder';
import type { CutOverInput, CutOverResult } from '../../activities/cutover/cut-over-input';
import { awsClients } from '../../worker/aws-clients';
import { ActivityHeartbeat } from '../../worker/interceptors/activity-heartbeat';
import { FailureClassifier } from '../../worker/interceptors/failure-classifier';
import { startWatchdog } from '../../worker/watchdog/start';
import { holdAt, installHolds, letGo } from './hold';
import type { Order, Outcome, Report, WorkerOptions } from './messages';

const { endpoint, region, caFile } = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
Object.assign(process.env, { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' });

const aws = awsClients(region);
const snapshots = new SnapshotHolder();
const rdsCaBundle = readFileSync(caFile, 'utf8');
const activities = createActivities({
  aws,
  rdsCaBundle,
  snapshots,
  ownTaskQueue: 'kill-matrix',
  startWatchdog: () => startWatchdog({ rdsCaBundle, region }),
});
const say = (report: Report): void => void process.send?.(report);

let environment: MockActivityEnvironment | undefined;

installHolds(aws(undefined).ssm);

async function run(input: CutOverInput, pause: string, attempt: number): Promise<Outcome> {
  environment = new MockActivityEnvironment(
    { activityType: 'cutOver', activityId: pause, attempt },
    {
      logger: new DefaultLogger('ERROR', () => undefined),
      interceptors: [
        (context) => ({ inbound: new ActivityHeartbeat(context) }),
        (context) => ({ inbound: new FailureClassifier(context) }),
      ],
    },
  );
  try {
    const cutOver = activities.cutOver;
    const result = await environment.run<[CutOverInput], CutOverResult, typeof cutOver>(cutOver, input);
    return result.switched
      ? {
          ended: 'switched',
          pauseMs: result.pauseMs,
          ...(result.wayBackFrom ? { wayBackFrom: result.wayBackFrom } : {}),
        }
      : { ended: 'given up', pauseMs: result.pauseMs, reason: result.reason };
  } catch (error) {
    const retryable = !(error instanceof ApplicationFailure && error.nonRetryable);
    return { ended: 'error', message: error instanceof Error ? error.message : String(error), retryable };
  } finally {
    await snapshots.releaseAll();
  }
}

process.on('message', (order: Order) => {
  if (order.what === 'run') {
    holdAt(order.hold, () => say({ what: 'at the moment' }));
    void run(order.input, order.pause, order.attempt).then((outcome) => say({ what: 'ended', outcome }));
  } else if (order.what === 'cancel') environment?.cancel();
  else letGo(order.what);
});
process.on('disconnect', () => process.exit(1));
say({ what: 'ready' });

/**
 * A process that runs attempts of the pause as a worker does: the product's activities with the worker's own interceptors. What it has on top is a
 * hold below the product, in the driver of PostgreSQL and in the SDK: there the parent makes an attempt stand still at a given moment. Started by
 * `WorkerProcess`; talks by messages.
 */
import { readFileSync } from 'node:fs';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Client } from 'pg';
import { createActivities } from '../../activities';
import { SnapshotHolder } from '../../activities/compare/snapshot-holder';
import type { CutOverInput, CutOverResult } from '../../activities/cutover/cut-over-input';
import { awsClients } from '../../worker/aws-clients';
import { ActivityHeartbeat } from '../../worker/interceptors/activity-heartbeat';
import { FailureClassifier } from '../../worker/interceptors/failure-classifier';
import { startWatchdog } from '../../worker/watchdog/start';
import type { HoldAt, Order, Outcome, Report, WorkerOptions } from './messages';

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

let hold: HoldAt | undefined;
let release: ((how: 'go on' | 'fail') => void) | undefined;
let environment: MockActivityEnvironment | undefined;

/** Stands still until the parent says how it goes on. */
async function standStill(): Promise<void> {
  hold = undefined;
  const how = await new Promise<'go on' | 'fail'>((resolve) => {
    release = resolve;
    say({ what: 'at the moment' });
  });
  if (how === 'fail') throw new Error('a fault of the kill matrix');
}

/** Sends it, and stands still before or after that if this is the moment. */
async function send<T>(isIt: boolean, work: () => Promise<T>): Promise<T> {
  if (!isIt) return work();
  const when = hold?.when;
  if (when === 'before') await standStill();
  const answer = await work();
  if (when === 'after') await standStill();
  return answer;
}

// The hold is below the product: it only sees a server that takes its time.
type Query = (this: Client, text: unknown, values?: unknown) => Promise<unknown>;
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with its client below
const query = Client.prototype.query as unknown as Query;
Client.prototype.query = function (this: Client, text: unknown, ...rest: unknown[]) {
  const work = () => query.call(this, text, ...(rest as [unknown]));
  const isIt =
    hold !== undefined &&
    hold.at !== 'aws' &&
    this.host === hold.hosts[hold.at] &&
    typeof text === 'string' &&
    new RegExp(hold.what, 's').test(text) &&
    /\/(pause|proof)$/.test(
      (this as Client & { connectionParameters: { application_name: string } }).connectionParameters.application_name,
    );
  return isIt ? send(true, work) : work();
} as never;

aws(undefined).ssm.middlewareStack.add(
  (next, context) => (args) =>
    send(hold?.at === 'aws' && (context as { commandName?: string }).commandName === hold.what, () => next(args)),
  { step: 'initialize', name: 'hold' },
);

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
      ? { ended: 'switched', pauseMs: result.pauseMs }
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
    hold = order.hold;
    void run(order.input, order.pause, order.attempt).then((outcome) => say({ what: 'ended', outcome }));
  } else if (order.what === 'cancel') environment?.cancel();
  else release?.(order.what);
});
process.on('disconnect', () => process.exit(1));
say({ what: 'ready' });

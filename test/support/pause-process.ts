import { MockActivityEnvironment } from '@temporalio/testing';
import { createActivities } from '../../activities';
import { SnapshotHolder } from '../../activities/compare/snapshot-holder';
import type { CutOverInput } from '../../activities/cutover/cut-over-input';
import { ActivityHeartbeat } from '../../worker/interceptors/activity-heartbeat';
import { awsClients } from '../../worker/aws-clients';
import { isFirstProcess, supervise } from '../../worker/supervise';
import { startWatchdog } from '../../worker/watchdog/start';

/** What the test writes into stdin, as one line. */
export interface PauseProcessInput {
  readonly input: CutOverInput;
  readonly rdsCaBundle: string;
  readonly activityId: string;
}

/** Runs the activity `cutOver` as a worker does, as a process that a test may kill. Its AWS comes from its environment. */
async function main(): Promise<void> {
  process.stdin.setEncoding('utf8');
  let text = '';
  for await (const chunk of process.stdin) text += chunk as string;
  const { input, rdsCaBundle, activityId } = JSON.parse(text) as PauseProcessInput;
  const activities = createActivities({
    aws: awsClients(process.env['AWS_REGION']),
    rdsCaBundle,
    snapshots: new SnapshotHolder(),
    ownTaskQueue: 'holder',
    startWatchdog: () => startWatchdog({ rdsCaBundle, region: process.env['AWS_REGION'] }),
  });
  const environment = new MockActivityEnvironment(
    { activityType: 'cutOver', activityId },
    { interceptors: [(context) => ({ inbound: new ActivityHeartbeat(context) })] },
  );
  const cutOver = activities.cutOver as unknown as (input: CutOverInput) => Promise<unknown>;
  process.stdout.write(`${JSON.stringify(await environment.run(cutOver, input))}\n`);
  process.exit();
}

if (isFirstProcess()) void supervise().then((code) => process.exit(code));
else void main();

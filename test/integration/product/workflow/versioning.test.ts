import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { silently } from '../../../../local/tools/report';
import { findTemporalCli } from '../../../../local/tools/temporal-cli';
import { waitFor } from '../../../../local/world/wait-for';
import { versioning } from '../../../../worker/create-worker';
import { ScriptedActivities } from '../../../support/scripted-activities';
import { ScriptedMigration, WorkflowLab } from '../../../support/workflow-lab';

const DEPLOYMENT = 'keyshift';
let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterAll(() => lab?.close());

/** Sets the version that new migrations begin with, as an administrator does. */
async function makeCurrent(buildId: string): Promise<void> {
  const { path } = await findTemporalCli({ report: silently });
  const command = ['worker', 'deployment', 'set-current-version', '--deployment-name', DEPLOYMENT, '--yes'];
  await waitFor(`version ${buildId} is current`, () =>
    // The server knows the version a moment after its worker began to poll.
    promisify(execFile)(path, [...command, '--build-id', buildId, '--address', lab.environment.address]).then(
      () => true,
      () => undefined,
    ),
  );
}

const version = (buildId: string) => versioning({ deployment: { deploymentName: DEPLOYMENT, buildId } });

test('a migration stays on the version that began it, also when a newer one is current', async () => {
  const taskQueue = `test-${randomUUID()}`;
  const [old, next] = [new ScriptedActivities(), new ScriptedActivities()];
  const stops = [await lab.startWorker(taskQueue, old, version('one'))];
  try {
    await makeCurrent('one');
    const migration = new ScriptedMigration(await lab.start(taskQueue), old, () => Promise.resolve());
    await migration.untilGate('reboot-source');
    stops.push(await lab.startWorker(taskQueue, next, version('two')));
    await makeCurrent('two');
    await migration.approve('reboot-source', 'cutover', 'decommission');
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
    expect(next.calls).toEqual([]);

    const later = new ScriptedMigration(await lab.start(taskQueue), next, () => Promise.resolve());
    await later.untilGate('reboot-source');
    expect(next.names).toContain('runPreflight');
    await later.end();
  } finally {
    for (const stop of stops) await stop();
  }
});

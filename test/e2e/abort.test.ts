import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { SAMPLE } from '../../local/app/names';
import { describeInstance } from '../../local/app/source';
import type { World } from '../../local/world/world';
import { everything } from './support/listing';
import {
  application,
  approve,
  gateIsOpen,
  keyshift,
  MIGRATION,
  planFile,
  sample,
  signal,
  start,
  untilProgress,
} from './support/migration';
import { exportLog } from './support/server-log';
import { awsOf, inWorld } from './support/worlds';

/** An abort leaves source and account as they were found, wherever it comes. */

const running = (step: string) => (progress: { steps: readonly { name: string; status: string }[] }) =>
  progress.steps.some(({ name, status }) => name === step && status === 'running');

async function aborted(world: World): Promise<void> {
  await signal(world, 'abort', { by: 'test', reason: 'changed our minds' });
  const end = await untilProgress(world, 'the migration is aborted', (progress) => {
    if (progress.gate?.name === 'undo-reboot') void approve(world, 'undo-reboot');
    return progress.status === 'aborted';
  });
  expect(end.undone.filter(({ ok }) => !ok)).toEqual([]);
}

test('an abort at any step before the switch leaves source and account as they were', () =>
  inWorld('abort', async (world) => {
    await sample(world);
    await exportLog(awsOf(world), SAMPLE.instance);
    const before = await everything(world);
    const app = await application(world);
    await world.startWorker();
    const file = planFile(world);

    await start(world, file);
    await untilProgress(world, 'the reboot gate is open', gateIsOpen('reboot-source'));
    await aborted(world);
    expect(await everything(world)).toEqual(before);

    await start(world, file);
    await untilProgress(world, 'the reboot gate is open', gateIsOpen('reboot-source'));
    await approve(world, 'reboot-source');
    await untilProgress(world, 'the snapshot is being made', running('snapshot'));
    await aborted(world);
    expect(await everything(world)).toEqual(before);

    await start(world, file);
    await untilProgress(world, 'the reboot gate is open', gateIsOpen('reboot-source'));
    await approve(world, 'reboot-source');
    await untilProgress(world, 'the target is being restored', running('restore'));
    await aborted(world);
    expect(await everything(world)).toEqual(before);

    await start(world, file);
    await untilProgress(world, 'the reboot gate is open', gateIsOpen('reboot-source'));
    await approve(world, 'reboot-source');
    await untilProgress(world, 'the cutover gate is open', gateIsOpen('cutover'));
    await aborted(world);
    expect(await everything(world)).toEqual(before);

    // The application wrote all the while, and still does.
    const totals = await app.stop();
    expect(totals?.acknowledged).toBeGreaterThan(0);
  }));

test('once traffic is on the target, an abort is refused and says why', () =>
  inWorld('abort-late', async (world) => {
    await sample(world);
    await world.startWorker();
    await start(
      world,
      planFile(world, { gates: { 'reboot-source': { approval: false }, cutover: { approval: false } } }),
    );
    await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    const refused = await keyshift(world, 'abort', MIGRATION, '--reason', 'too late');
    expect(refused).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('traffic is on the target') as string,
    });
    await signal(world, 'abort', { by: 'test' });
    const { status, notices } = await untilProgress(world, 'the notice', ({ notices }) =>
      notices.some(({ text }) => text.includes('abort refused')),
    );
    expect(status).toBe('waiting');
    expect(notices.at(-1)?.text).toContain('traffic is on the target');

    // Somebody goes back by hand: the source is not deleted under them.
    const aws = awsOf(world);
    const { Endpoint } = (await describeInstance(aws, SAMPLE.instance)) ?? {};
    const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
    await aws.ssm.send(new PutParameterCommand({ Name: SAMPLE.endpointParameter, Value, Overwrite: true }));
    await approve(world, 'decommission');
    const parked = await untilProgress(
      world,
      'the decommission is parked',
      (progress) => progress.parked !== undefined,
    );
    expect(parked.parked).toMatchObject({ type: 'SourceInUse', step: 'decommission' });
    expect((await describeInstance(aws, SAMPLE.instance))?.DBInstanceStatus).toBe('available');
  }));

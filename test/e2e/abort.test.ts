import { SAMPLE } from '../../local/app/names';
import type { World } from '../../local/world/world';
import { everything } from './support/listing';
import { application, approve, gateIsOpen, planFile, sample, signal, start, untilProgress } from './support/migration';
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

import { SAMPLE } from '../../local/app/names';
import type { World } from '../../local/world/world';
import type { Parked } from '../../plan/progress';
import { holdCatchUp } from './support/hold-catch-up';
import {
  application,
  approve,
  gateIsOpen,
  planFile,
  progressOf,
  sample,
  signal,
  start,
  untilProgress,
} from './support/migration';
import { asMaster, eventually, inWorld } from './support/worlds';

/** A row that is changed on the target behind our back is found and named, before the cutover and as of it. */

const UID = '00000000-dead-4bee-8fff-000000000001';

const setName = (world: World, name: string) =>
  asMaster(world, SAMPLE.encryptedInstance, 'shop', async (client) => {
    await client.query('SET default_transaction_read_only = off');
    const { rowCount } = await client.query('UPDATE lamps SET name = $1 WHERE uid = $2', [name, UID]);
    expect(rowCount).toBe(1);
  });

async function untilDiffering(world: World, step: Parked['step']): Promise<void> {
  const { parked } = await eventually(
    `it is parked at ${step}`,
    async () => {
      const progress = await progressOf(world);
      if (progress?.gate?.name === 'cutover' && step === 'verify')
        throw new Error(`the comparison found nothing: ${JSON.stringify(progress.steps)}`);
      return progress?.parked && { parked: progress.parked };
    },
    { timeoutMs: 300_000, everyMs: 100 },
  ).catch(async (error: unknown) => {
    throw new Error(JSON.stringify(await progressOf(world)), { cause: error });
  });
  expect(parked).toMatchObject({ step, type: 'ContentsDiffer' });
  expect(parked.message).toContain('Source and target differ in 1 table');
  expect(parked.message).toContain('public.lamps');
  expect(parked.message).toContain(UID);
  expect(parked.message).toContain('name');
  // Values are rows of somebody's users: the plan doesn't ask for them.
  expect(JSON.stringify(parked)).not.toContain('a lamp');
}

test('a row that somebody changed on the target is found by the live comparison, and one changed later by the proof', () =>
  inWorld('corruption', async (world) => {
    await sample(world);
    await asMaster(world, SAMPLE.instance, 'shop', (client) =>
      // A table that the application doesn't know: an UPDATE of its own would replicate the whole row, and fix it.
      client.query(
        `CREATE TABLE lamps (uid uuid PRIMARY KEY, name text); INSERT INTO lamps VALUES ('${UID}', 'a lamp')`,
      ),
    );
    const app = await application(world);
    await world.startWorker();
    const gates = { 'reboot-source': { approval: false } };
    await start(world, planFile(world, { gates, keep: { source: true } }));
    await untilProgress(world, 'the target is being restored', ({ steps }) =>
      steps.some(({ name, status }) => name === 'restore' && status === 'running'),
    );
    const release = await holdCatchUp(world, 'shop', 'orders');
    await untilProgress(world, 'the target catches up', ({ steps }) =>
      steps.some(({ name, status }) => name === 'catch-up' && status === 'running'),
    );
    // One space more: nobody would see it.
    await setName(world, 'a lamp ');
    await release();
    await untilDiffering(world, 'verify');

    await setName(world, 'a lamp');
    await signal(world, 'retry', { by: 'test' });
    await untilProgress(world, 'the cutover gate is open', gateIsOpen('cutover'));
    await setName(world, 'a lamp  ');
    await approve(world, 'cutover');
    await untilDiffering(world, 'proof');

    // As docs/failures.md says: fixed where it differs, and proven again.
    await setName(world, 'a lamp');
    await signal(world, 'retry', { by: 'test' });
    const { gate } = await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    expect(gate?.findings.join('\n')).toContain('by row-versions');
    await approve(world, 'decommission');
    const end = await untilProgress(world, 'the migration is completed', ({ status }) => status === 'completed');
    expect(end.steps.find(({ name }) => name === 'proof')?.note).toContain('row');
    await app.stop();
  }));

import { RebootDBInstanceCommand } from '@aws-sdk/client-rds';
import { SAMPLE } from '../../local/app/names';
import { describeInstance } from '../../local/app/source';
import { holdCatchUp } from './support/hold-catch-up';
import { everything } from './support/listing';
import {
  application,
  approve,
  gateIsOpen,
  MIGRATION,
  planFile,
  progressOf,
  sample,
  start,
  untilProgress,
} from './support/migration';
import { asMaster, awsOf, eventually, inWorld } from './support/worlds';

/** Production outlives us: what the source keeps for us ends before its storage does, and the migration with it. */

test('when the ceiling on kept WAL is reached, the source goes on and the migration undoes itself', () =>
  inWorld('ceiling', async (world) => {
    await sample(world);
    const before = await everything(world);
    const app = await application(world);
    await world.startWorker();
    await start(world, planFile(world, { guard: { maxSlotWalKeepMiB: 64 }, acknowledge: ['wal-rate'] }));
    await untilProgress(world, 'the reboot gate is open', gateIsOpen('reboot-source'));
    await approve(world, 'reboot-source');
    await untilProgress(world, 'the target is being restored', ({ steps }) =>
      steps.some(({ name, status }) => name === 'restore' && status === 'running'),
    );
    const release = await holdCatchUp(world, 'shop', 'orders');
    await untilProgress(world, 'the target catches up', ({ steps }) =>
      steps.some(({ name, status }) => name === 'catch-up' && status === 'running'),
    );

    // The target stands still; the source writes far more than the ceiling allows.
    await asMaster(world, SAMPLE.instance, 'shop', async (client) => {
      for (let round = 0; round < 12; round += 1) {
        await client.query(`SELECT pg_logical_emit_message(false, 'fill', repeat('x', 16000000))`);
        await client.query('CHECKPOINT');
      }
    });
    const end = await eventually(
      'the migration has failed',
      async () => {
        const progress = await progressOf(world);
        return progress?.status === 'failed' && progress;
      },
      { timeoutMs: 90_000, everyMs: 200 },
    );
    await release();
    expect(end.notices.map(({ text }) => text).join('\n')).toContain('SlotLost');
    expect(end.undone.filter(({ ok }) => !ok)).toEqual([]);
    const { stdout } = await world.temporal(['workflow', 'describe', '--workflow-id', MIGRATION, '-o', 'json']);
    expect(stdout).toContain('FAILED');

    // Nobody is there who could be asked whether production may be rebooted: that stays, and the notice says so.
    const aws = awsOf(world);
    await aws.rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: SAMPLE.instance }));
    await eventually('the source is back', async () => {
      const found = await describeInstance(aws, SAMPLE.instance);
      return (
        found?.DBInstanceStatus === 'available' && found.DBParameterGroups?.[0]?.ParameterApplyStatus === 'in-sync'
      );
    });
    const totals = await app.stop();
    expect(totals?.acknowledged).toBeGreaterThan(0);
    expect(await everything(world)).toEqual(before);
  }));

import { DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import { SAMPLE, SAMPLE_PLAN } from '../../local/app/names';
import type { Report } from '../../plan/report';
import { taggedAsOurs } from './support/listing';
import { approve, gateIsOpen, keyshift, MIGRATION, planFile, sample, start, untilProgress } from './support/migration';
import { awsOf, inWorld } from './support/worlds';

const FREE = { 'reboot-source': { approval: false }, cutover: { approval: false } };

test('a migration that stops the source after the proof removes everything from it at the end', () =>
  inWorld('last-lock', async (world) => {
    await sample(world);
    const { rds } = awsOf(world);
    const statusOf = async (instance: string) => {
      const { DBInstances = [] } = await rds.send(new DescribeDBInstancesCommand({}));
      return DBInstances.find(({ DBInstanceIdentifier }) => DBInstanceIdentifier === instance)?.DBInstanceStatus;
    };
    await world.startWorker();
    const cutover = { ...(SAMPLE_PLAN as { cutover?: object }).cutover, fence: [{ type: 'stop-instance' }] };
    await start(world, planFile(world, { gates: FREE, cutover, soak: { wayBack: 'none' } }));
    const { gate } = await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    expect(gate?.findings).toContainEqual(expect.stringContaining(`${SAMPLE.instance} is stopped since`));
    expect(await statusOf(SAMPLE.instance)).toBe('stopped');
    expect(await statusOf(SAMPLE.encryptedInstance)).toBe('available');

    await approve(world, 'decommission');
    await untilProgress(world, 'it is completed', ({ status }) => status === 'completed');
    expect(await statusOf(SAMPLE.instance)).toBeUndefined();
    const { stdout } = await keyshift(world, 'report', MIGRATION, '--json');
    const { stays, proof, sourceStopped } = JSON.parse(stdout) as Report;
    expect(proof).toMatchObject({ method: 'snapshot', differences: [] });
    expect(sourceStopped?.startedAt).toBeDefined();
    const tagged = await taggedAsOurs(world);
    expect(tagged.filter((name) => !stays.some((one) => one.name === name))).toEqual([]);
  }));

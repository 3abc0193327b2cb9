import { DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import { SAMPLE, SAMPLE_PLAN } from '../../local/app/names';
import type { Report } from '../../plan/report';
import { taggedAsOurs } from './support/listing';
import { approve, gateIsOpen, keyshift, MIGRATION, planFile, sample, start, untilProgress } from './support/migration';
import { awsOf, inWorld } from './support/worlds';

const FREE = { 'reboot-source': { approval: false }, cutover: { approval: false } };
const OLD = `${SAMPLE.instance}-old`;

test('a migration that moves traffic by renaming ends with the target under the name of the source', () =>
  inWorld('rename', async (world) => {
    await sample(world);
    const { rds } = awsOf(world);
    const instances = async () => {
      const { DBInstances = [] } = await rds.send(new DescribeDBInstancesCommand({}));
      return new Map(DBInstances.map((one) => [one.DBInstanceIdentifier ?? '', one]));
    };
    const before = await instances();
    await world.startWorker();
    const cutover = { ...(SAMPLE_PLAN as { cutover?: object }).cutover, traffic: [{ type: 'rds-rename' }] };
    await start(world, planFile(world, { gates: FREE, cutover, keep: { encryptFinalSnapshot: true } }));
    const { gate, notices } = await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    expect(gate?.findings).toContainEqual(expect.stringContaining(`${OLD} is deleted, after a final snapshot`));
    expect(notices.map(({ text }) => text)).toContainEqual(expect.stringContaining('the proof goes by row versions'));
    const renamed = await instances();
    const [source, old, target] = [before.get(SAMPLE.instance), renamed.get(OLD), renamed.get(SAMPLE.instance)];
    expect(old?.DbiResourceId).toBe(source?.DbiResourceId);
    expect(target?.Endpoint).toEqual(source?.Endpoint);
    expect(target?.StorageEncrypted).toBe(true);
    expect(renamed.has(SAMPLE.encryptedInstance)).toBe(false);

    await approve(world, 'decommission');
    await untilProgress(world, 'it is completed', ({ status }) => status === 'completed');
    const after = await instances();
    expect(after.get(SAMPLE.instance)?.DbiResourceId).toBe(target?.DbiResourceId);
    expect(after.has(OLD)).toBe(false);
    const { stdout } = await keyshift(world, 'report', MIGRATION, '--json');
    const { stays, proof, cutover: facts } = JSON.parse(stdout) as Report;
    expect(stays).toContainEqual({ what: 'target', name: SAMPLE.instance, why: 'the new home' });
    expect(proof).toMatchObject({ method: 'row-versions', differences: [], goneSince: 0 });
    expect(facts?.timeline.map(({ step }) => step)).toContain('switch');
    const tagged = await taggedAsOurs(world);
    expect(tagged).toContain(SAMPLE.instance);
    expect(tagged.filter((name) => !stays.some((one) => one.name === name))).toEqual([]);
  }));

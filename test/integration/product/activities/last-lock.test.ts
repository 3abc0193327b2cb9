import { CreateDBInstanceReadReplicaCommand, StopDBInstanceCommand } from '@aws-sdk/client-rds';
import { lookAtFences } from '../../../../activities/cutover/fence-set';
import type { StopSourceInput } from '../../../../activities/rds/stop-source';
import { subscriptionName } from '../../../../plan/names';
import { migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { SwitchLab } from '../../../support/switch-lab';

const ref = migrationRef({
  ...SMALLEST_PLAN,
  cutover: { fence: [{ type: 'stop-instance' }] },
  soak: { wayBack: 'none' },
});
const SOURCE = ref.plan.source.instance;
const TARGET = ref.plan.target.instance;

let both: SwitchLab;
let input: StopSourceInput;
beforeAll(async () => {
  both = await SwitchLab.open();
  input = { ...ref, resourceId: (await both.lab.standIn.instance(SOURCE)).DbiResourceId ?? '' };
});
afterAll(() => both?.close());

const status = async () => (await both.lab.standIn.instance(SOURCE)).DBInstanceStatus;

/** What RDS works on stays in its transitional state until the answer is called. */
async function stalled(operation: string): Promise<() => Promise<unknown>> {
  const { standIn } = both.lab;
  await standIn.control('POST', 'faults', { operation, kind: 'stall' });
  return () => standIn.control('DELETE', 'faults');
}

it('is on the board, and is no fence of the pause', async () => {
  await expect(lookAtFences(both.lab.dependencies, ref)).resolves.toEqual({
    others: [],
    findings: [`after the proof ${SOURCE} is stopped, until the decommission`],
    red: [],
  });
});

it('stops the source once, and starts it with the fence in its catalogs', async () => {
  const { lab } = both;
  await lab.standIn.query(SOURCE, 'CREATE ROLE app LOGIN');
  await lab.standIn.query(SOURCE, 'ALTER ROLE app NOLOGIN');
  await lab.twice('stopSource', input);
  expect(await status()).toBe('stopped');
  await expect(lab.standIn.connect(SOURCE)).rejects.toThrow();
  await lab.twice('startSource', input);
  expect(await status()).toBe('available');
  const roles = await lab.standIn.query(SOURCE, `SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app'`);
  expect(roles).toEqual([{ rolcanlogin: false }]);
});

it('lets the target look for the source no more', async () => {
  const { standIn, run } = { standIn: both.lab.standIn, run: both.lab.run.bind(both.lab) };
  const [ours, foreign] = [subscriptionName(ref, 'postgres'), 'of_others'];
  for (const name of [ours, foreign]) {
    await standIn.query(
      TARGET,
      `CREATE SUBSCRIPTION "${name}" CONNECTION 'host=127.0.0.1 port=1 password=none' PUBLICATION p WITH (connect = false, slot_name = 's')`,
    );
    await standIn.query(TARGET, `ALTER SUBSCRIPTION "${name}" ENABLE`);
  }
  await run('stopSource', input);
  const enabled = await standIn.query(TARGET, 'SELECT subname FROM pg_subscription WHERE subenabled');
  expect(enabled).toEqual([{ subname: foreign }]);
  await run('startSource', input);
});

it('goes on where it was killed, on either way', async () => {
  const { lab } = both;
  for (const [name, operation, between, end] of [
    ['stopSource', 'StopDBInstance', 'stopping', 'stopped'],
    ['startSource', 'StartDBInstance', 'starting', 'available'],
  ] as const) {
    const release = await stalled(operation);
    const killed = lab.start(name, input);
    try {
      await lab.standIn.untilInstance(SOURCE, between);
      killed.cancel();
      await expect(killed.result).rejects.toThrow();
    } finally {
      await release();
    }
    await lab.run(name, input, 2);
    expect(await status()).toBe(end);
  }
});

it('waits for a stop that is under way, then starts', async () => {
  const { lab } = both;
  const release = await stalled('StopDBInstance');
  const stopping = lab.start('stopSource', input);
  await lab.standIn.untilInstance(SOURCE, 'stopping');
  stopping.cancel();
  await expect(stopping.result).rejects.toThrow();
  const starting = lab.run('startSource', input);
  await release();
  await starting;
  expect(await status()).toBe('available');
});

it('touches no instance that took over the name', async () => {
  const other = { ...input, resourceId: 'db-OF-BEFORE' };
  await expect(both.lab.run('stopSource', other)).rejects.toMatchObject({ type: 'NotOurs' });
  await expect(both.lab.run('startSource', other)).rejects.toMatchObject({ type: 'NotOurs' });
  expect(await status()).toBe('available');
});

it('has nothing to start where an attempt before has deleted it', async () => {
  const gone = { ...input, plan: { ...ref.plan, source: { ...ref.plan.source, instance: 'gone-db' } } };
  await expect(both.lab.run('startSource', gone)).resolves.toBeUndefined();
  await expect(both.lab.run('stopSource', gone)).rejects.toMatchObject({ type: 'ResourceGone' });
});

it('says before, and then, that RDS does not stop an instance with read replicas', async () => {
  const { lab } = both;
  await lab
    .aws()
    .rds.send(
      new CreateDBInstanceReadReplicaCommand({ SourceDBInstanceIdentifier: SOURCE, DBInstanceIdentifier: 'reader' }),
    );
  await lab.standIn.untilInstance('reader');
  const { red } = await lookAtFences(lab.dependencies, ref);
  expect(red).toEqual([`RDS does not stop an instance that has read replicas, and ${SOURCE} has reader.`]);
  await expect(lab.run('stopSource', input)).rejects.toMatchObject({ type: 'InvalidRequest' });
  expect(await status()).toBe('available');
  for (const DBInstanceIdentifier of [SOURCE, 'reader']) {
    const stopped = lab.aws().rds.send(new StopDBInstanceCommand({ DBInstanceIdentifier }));
    await expect(stopped).rejects.toMatchObject({ name: 'InvalidDBInstanceStateFault' });
  }
});

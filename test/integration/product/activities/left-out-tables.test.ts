import {
  CreateDBParameterGroupCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { publicationName, replicationRole } from '../../../../plan/names';
import { waitFor } from '../../../../local/world/wait-for';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  MARK,
  ordersOf,
  type Steps,
  writeOrders,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';

const [SOURCE, TARGET] = ['app-db', 'app-db-encrypted'];

/** pg_cron's tables belong to rdsadmin, and its jobs write there: apply would stop at the first row of them. */
describe.each(['14', '16'])('a database with pg_cron in PostgreSQL %s', (version) => {
  let lab: ActivityLab;
  let steps: Steps;
  const inShop = <Row extends object>(instance: string, sql: string) => lab.sql<Row>(instance, sql, 'shop');
  const knownTo = async (instance: string): Promise<string[]> =>
    (
      await inShop<{ name: string }>(
        instance,
        'SELECT srrelid::regclass::text AS name FROM pg_subscription_rel ORDER BY 1',
      )
    ).map(({ name }) => name);
  /** What only the moment knows in which a subscription learns its tables. */
  const listings = async (instance: string) =>
    inShop(instance, `SELECT pubname FROM pg_publication WHERE pubname LIKE '%\\_\\_tables'`);

  beforeAll(async () => {
    lab = await ActivityLab.open(version);
    const { rds } = lab.aws();
    const group = { DBParameterGroupName: 'with-cron' };
    await rds.send(
      new CreateDBParameterGroupCommand({
        ...group,
        DBParameterGroupFamily: `postgres${version}`,
        Description: 'cron',
      }),
    );
    const parameters = {
      'rds.logical_replication': '1',
      shared_preload_libraries: 'pg_cron',
      'cron.database_name': 'shop',
    };
    await rds.send(
      new ModifyDBParameterGroupCommand({
        ...group,
        Parameters: Object.entries(parameters).map(([ParameterName, ParameterValue]) => ({
          ParameterName,
          ParameterValue,
          ApplyMethod: 'pending-reboot',
        })),
      }),
    );
    await rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: SOURCE, ...group, ApplyImmediately: true }));
    await waitFor('the group waits for a reboot', async () => {
      const { DBInstanceStatus, DBParameterGroups } = await lab.standIn.instance(SOURCE);
      return DBInstanceStatus === 'available' && DBParameterGroups?.[0]?.DBParameterGroupName === 'with-cron';
    });
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: SOURCE }));
    await waitFor('it is in force', async () => (await lab.standIn.instance(SOURCE)).DBInstanceStatus === 'available');
    await createApplication(lab);
    await inShop(SOURCE, `CREATE EXTENSION pg_cron; SELECT cron.schedule('tick', '* * * * *', 'SELECT 1')`);
    steps = await captureAndClone(lab, migrationRef({ ...SMALLEST_PLAN, carry: { cronJobs: 'move' } }));
  });
  afterAll(() => lab?.close());

  it('catches up though its jobs run, and knows no table of theirs', async () => {
    const runs = async () =>
      (
        await lab.standIn.asService<{ n: number }>(
          SOURCE,
          'SELECT count(*)::int AS n FROM cron.job_run_details',
          'shop',
        )
      )[0]?.n ?? 0;
    const before = await runs();
    await waitFor('jobs run', async () => (await runs()) > before, { timeoutMs: 90_000 });
    const { input, ref, slots } = steps;
    const { lsn: position } = await lab.run('readPosition', { ...ref, slots });
    await lab.run('quarantineClone', { ...input, mark: MARK });
    await lab.run('endQuarantine', ref);
    await lab.run('createSubscriptions', { ...input, position });
    await lab.run('enableSubscriptions', { ...input, position });
    await lab.run('waitForCatchUp', input);
    await inShop(SOURCE, `SELECT cron.alter_job(jobid, schedule := '*/5 * * * *') FROM cron.job`);
    await writeOrders(lab, 'after a change of a job');
    await lab.run('waitForCatchUp', steps.input);
    await waitFor(
      'all of it is there',
      async () => (await ordersOf(lab, TARGET, 'shop')).length === (await ordersOf(lab, SOURCE, 'shop')).length,
    );
    await expect(knownTo(TARGET)).resolves.toEqual(expect.arrayContaining(['orders', 'events']));
    expect((await knownTo(TARGET)).filter((name) => name.startsWith('cron.'))).toEqual([]);
    await expect(listings(SOURCE)).resolves.toEqual([]);
    await expect(
      inShop(TARGET, 'SELECT subpublications::text FROM pg_subscription ORDER BY subname'),
    ).resolves.toContainEqual({
      subpublications: `{${publicationName(steps.ref.id)}}`,
    });
  });

  it('has its job off on the target, and a changed one named on the board', async () => {
    await expect(inShop(TARGET, 'SELECT jobname FROM cron.job WHERE active')).resolves.toEqual([]);
    const { lines } = await lab.run('readGoNoGo', steps.input);
    expect(lines.filter(({ code, red }) => code === 'carry' && red).map(({ text }) => text)).toEqual([
      expect.stringMatching(/^job 1 of pg_cron \(database shop\) is another on the target/),
    ]);
    await inShop(
      TARGET,
      `SET default_transaction_read_only = off; SELECT cron.alter_job(jobid, schedule := '*/5 * * * *') FROM cron.job`,
    );
    const again = await lab.run('readGoNoGo', steps.input);
    expect(again.lines.filter(({ code, red }) => code === 'carry' && red)).toEqual([]);
  });

  it('takes a new table along, and still none of theirs, also where it may not grant pg_read_all_data', async () => {
    if (version === '16') await lab.standIn.asService(SOURCE, 'REVOKE pg_read_all_data FROM rds_superuser');
    for (const instance of [SOURCE, TARGET])
      await inShop(instance, 'SET default_transaction_read_only = off; CREATE TABLE late (id int PRIMARY KEY)');
    await inShop(SOURCE, 'INSERT INTO late VALUES (1)');
    await lab.run('readGoNoGo', steps.input);
    await inShop(SOURCE, 'INSERT INTO late VALUES (2)');
    await waitFor('its rows are there', async () => (await inShop(TARGET, 'SELECT id FROM late')).length === 2);
    expect((await knownTo(TARGET)).filter((name) => /^cron\.|late/.test(name))).toEqual(['late']);
    // A role with rights could not be dropped in the end.
    await expect(
      inShop(SOURCE, `SELECT has_table_privilege('${replicationRole(steps.ref.id)}', 'late', 'SELECT') AS reads`),
    ).resolves.toEqual([{ reads: false }]);
  });

  it('has a way back that leaves them out, too', async () => {
    await lab.run('prepareWayBack', steps.input);
    const known = await knownTo(SOURCE);
    expect(known).toEqual(expect.arrayContaining(['late', 'orders']));
    expect(known.filter((name) => name.startsWith('cron.'))).toEqual([]);
    await expect(listings(TARGET)).resolves.toEqual([]);
    await lab.twice('preparePause', steps.input);
  });
});

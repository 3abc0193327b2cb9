import { Client } from 'pg';
import { comparable, countRelations, coverageOf } from '../../../../activities/compare/coverage';
import { countObjects } from '../../../../activities/compare/inventory';
import { listTables } from '../../../../activities/compare/list-tables';
import { copySequences, listSequences } from '../../../../activities/cutover/sequences';
import { databaseLacks } from '../../../../activities/preflight/check-privileges';
import { cronJobs } from '../../../../activities/preflight/neighbours/jobs';
import { extensionTables } from '../../../../activities/preflight/schema/extensions';
import { rowLevelSecurity } from '../../../../activities/preflight/schema/firing';
import { bareTables } from '../../../../activities/preflight/schema/replica-identity';
import type { DatabaseCheck, Sight } from '../../../../activities/preflight/sql-check';
import { settingsOf } from '../../../../activities/postgres/session';
import {
  activeJobs,
  installKeepOff,
  jobsStay,
  keepJobsOff,
  setActive,
} from '../../../../activities/quarantine/cron-jobs';
import { applyTriggers } from '../../../../activities/quarantine/triggers';
import type { Check } from '../../../../plan/checks';
import type { PlanInput } from '../../../../plan/plan';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { BareServer } from '../../../support/postgres';

describe.each([14, 16] as const)('tables of RDS extensions in PostgreSQL %d', (major) => {
  let server: BareServer;
  let master: Client;
  let app: Client;

  async function connect(user: string): Promise<Client> {
    const client = new Client({ ...server.address, user, database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
  const service = (statement: string) => server.server.withSession((client) => client.query(statement));
  const made = async (check: DatabaseCheck, plan: Partial<PlanInput> = {}): Promise<Check[]> => {
    const sight = {
      plan: parsedPlan({ ...SMALLEST_PLAN, ...plan }),
      username: 'master',
      version: major * 10_000,
    } as Sight;
    const rows = await check.look(master, sight);
    return check.judge(
      rows.map((row) => ({ ...row, database: 'postgres' })),
      sight,
    );
  };

  beforeAll(async () => {
    server = await BareServer.asRds(major);
    await service('CREATE ROLE app LOGIN');
    [master, app] = [await connect('master'), await connect('app')];
    await master.query(
      'CREATE EXTENSION pg_cron; CREATE EXTENSION citext; CREATE SCHEMA s; CREATE TABLE s.orders (id serial PRIMARY KEY)',
    );
    await master.query(`SELECT cron.schedule('mine', '* * * * *', 'VACUUM')`);
    await service(
      `CREATE TABLE spatial_ref_sys (srid int PRIMARY KEY); GRANT SELECT ON spatial_ref_sys TO PUBLIC; INSERT INTO spatial_ref_sys VALUES (4326);
       CREATE TABLE measured (at timestamptz); ALTER EXTENSION citext ADD TABLE spatial_ref_sys; ALTER EXTENSION citext ADD TABLE measured`,
    );
    await master.query(settingsOf({}));
  });
  afterAll(async () => {
    await Promise.allSettled([master?.end(), app?.end()]);
    await server?.remove();
  });

  it('are no lack of the master user, and named by a check that says that they are not replicated', async () => {
    await expect(databaseLacks(master, 'postgres', 'master', parsedPlan(SMALLEST_PLAN))).resolves.toEqual([]);
    const [found] = await made(extensionTables);
    expect(found).toMatchObject({ level: 'ok' });
    expect(found?.message).toMatch(
      /4 tables of extensions that belong to rdsadmin.*cron\.job of pg_cron.*cron\.job_run_details.*public\.measured.*public\.spatial_ref_sys.*not replicated.*Jobs of pg_cron/,
    );
    expect(found?.message).not.toContain('Somebody may write');
  });

  it('warn where somebody may write into them', async () => {
    await service('GRANT INSERT, UPDATE ON measured TO app');
    const [found] = await made(extensionTables);
    expect(found).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/may write into postgres: public\.measured.*no replica identity/) as string,
    });
    await service('REVOKE ALL ON measured FROM app');
  });

  it('hide nothing that a comparison would not say, and take no identity, trigger or sequence of theirs', async () => {
    await expect(made(rowLevelSecurity)).resolves.toMatchObject([{ level: 'ok' }]);
    await expect(bareTables(master)).resolves.toEqual([]);
    await expect(applyTriggers(master, 'm')).resolves.toEqual([]);
    const sequences = await listSequences(master, 'm');
    expect(sequences.map(({ name }) => name)).toEqual(['orders_id_seq']);
    await expect(copySequences(master, master, sequences)).resolves.toBe(1);
    const tables = await listTables(master, 'm');
    expect(tables.map(({ name }) => name)).toEqual(['spatial_ref_sys', 'orders']);
    const counted = await countRelations(master, 'm');
    expect(comparable(counted)).toBe(tables.length);
    expect(
      coverageOf(counted, { tables: 2, partitions: 0 }).notCompared.map(({ kind, why }) => `${kind}: ${why}`),
    ).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^cron\.job_run_details: .*belongs to rdsadmin/),
        expect.stringMatching(/^public\.measured: .*may not read/),
        expect.stringMatching(/^cron\.job: /),
      ]),
    );
    await expect(countObjects(master, { id: 'm', plan: parsedPlan(SMALLEST_PLAN) })).resolves.toBeDefined();
  });

  it('show jobs of pg_cron as they are seen, and say where others may have some', async () => {
    await expect(activeJobs(master)).resolves.toMatchObject([{ name: 'mine' }]);
    const own = await made(cronJobs);
    expect(own).toMatchObject([{ level: 'block', message: expect.stringContaining('1 job of pg_cron') as string }]);
    await service('GRANT USAGE ON SCHEMA cron TO app');
    await app.query(`SELECT cron.schedule('theirs', '@daily', 'ANALYZE')`);
    const both = await made(cronJobs, { carry: { cronJobs: 'move' } });
    expect(both).toMatchObject([
      { level: 'ok', message: expect.stringContaining('1 job of pg_cron') as string },
      { code: 'cron-jobs', level: 'block', message: expect.stringMatching(/shows master only its own jobs/) as string },
    ]);
  });

  it('let the master user set its own jobs inactive, and no trigger of ours be made', async () => {
    await expect(jobsStay(master)).resolves.toBe(true);
    await expect(installKeepOff(master, 'm')).resolves.toBe(false);
    await expect(keepJobsOff(master)).resolves.toHaveLength(1);
    await expect(activeJobs(master)).resolves.toEqual([]);
    await service('REVOKE UPDATE ON cron.job FROM rds_superuser');
    await setActive(master, ['1', '2'], true);
    await expect(activeJobs(master)).resolves.toMatchObject([{ name: 'mine' }]);
    const { rows } = await service(`SELECT jobname FROM cron.job WHERE active ORDER BY 1`);
    expect(rows).toEqual([{ jobname: 'mine' }, { jobname: 'theirs' }]);
  });
});

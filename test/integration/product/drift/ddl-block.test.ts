import { Client } from 'pg';
import { createDdlBlock } from '../../../../activities/drift/ddl-block';
import { createFenceTable, dropFenceTable } from '../../../../activities/postgres/fence-table';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { BareServer } from '../../../support/postgres';

/** `ddl.mode: block`: who changes the schema of the source is refused, with the reason; whoever may, passes. */

const ID = 'm-block';
const plan = parsedPlan({ ...SMALLEST_PLAN, ddl: { mode: 'block', passRole: 'dba' } });

describe.each([13, 18] as const)('PostgreSQL %s', (major) => {
  let server: BareServer;
  let master: Client;
  const sessions: Client[] = [];

  async function connect(user: string, application_name = 'test'): Promise<Client> {
    const client = new Client({ ...server.address, user, database: 'postgres', application_name });
    client.on('error', () => undefined);
    await client.connect();
    sessions.push(client);
    return client;
  }

  beforeAll(async () => {
    server = await BareServer.asRds(major);
    master = await connect('master');
    await master.query(
      `CREATE ROLE dba; CREATE ROLE app LOGIN; GRANT app TO CURRENT_USER; CREATE ROLE boss LOGIN IN ROLE dba; GRANT ALL ON SCHEMA public TO app, boss;
       CREATE TABLE public.t (id int); ALTER TABLE public.t OWNER TO app`,
    );
    await createFenceTable(master, ID);
    // Twice, as after a lost answer.
    await createDdlBlock(master, { id: ID, plan });
    await createDdlBlock(master, { id: ID, plan });
  });

  afterAll(async () => {
    for (const session of sessions) await session.end();
    await server.remove();
  });

  test('an application is refused, and told why', async () => {
    const app = await connect('app');
    for (const statement of [
      'CREATE TABLE public.n (id int)',
      'ALTER TABLE public.t ADD COLUMN x int',
      'DROP TABLE public.t',
      'GRANT SELECT ON public.t TO boss',
    ]) {
      await expect(app.query(statement)).rejects.toMatchObject({
        code: '42501',
        message: expect.stringContaining(`Keyshift migration ${ID}`) as string,
        hint: expect.stringContaining('role dba') as string,
      });
    }
  });

  test('rows, temporary objects, the pass role, rds_superuser and our own sessions pass', async () => {
    const app = await connect('app');
    for (const statement of [
      'INSERT INTO public.t VALUES (1)',
      'CREATE TEMPORARY TABLE passing (id int PRIMARY KEY)',
      'CREATE INDEX ON passing (id)',
      'ALTER TABLE passing ADD COLUMN more text',
      'DROP TABLE passing',
    ]) {
      await app.query(statement);
    }
    await (await connect('boss')).query('CREATE TABLE public.of_boss (id int)');
    await (await connect('master', `keyshift/${ID}/step`)).query('CREATE TABLE public.of_ours (id int)');
    await master.query('CREATE TABLE public.of_master (id int)');
  });

  test('who only takes the name of our sessions is refused', async () => {
    const app = await connect('app', `keyshift/${ID}/step`);
    await expect(app.query('CREATE TABLE public.n (id int)')).rejects.toMatchObject({ code: '42501' });
  });

  test('goes with our schema', async () => {
    await dropFenceTable(master, ID);
    expect((await master.query("SELECT 1 FROM pg_event_trigger WHERE evtname NOT LIKE '_rds'")).rows).toEqual([]);
    await (await connect('app')).query('CREATE TABLE public.n (id int)');
  });
});

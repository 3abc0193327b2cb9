import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import type { ApplicationFailure } from '@temporalio/common';
import type { Client } from 'pg';
import type { CutOverResult } from '../../../../activities/cutover/cut-over-input';
import { waitFor } from '../../../../local/world/wait-for';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  fenceOf,
  ordersOf,
  type Steps,
  subscribe,
  writeOrders,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';

const TARGET = 'app-db-encrypted';
const PARAMETER = '/app/database';
const APP = { user: 'app', password: 'app-password' };
const ref = migrationRef({
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  cutover: { pauseBudgetMs: 1_000, traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
});
const input = { ...ref, databases: DATABASES };

let lab: ActivityLab;
let steps: Steps;
const opened: Client[] = [];

async function connect(
  instance: string,
  database = 'shop',
  login: { user?: string; password?: string } = APP,
): Promise<Client> {
  const client = await lab.standIn.connect(instance, { database, ...login });
  opened.push(client);
  return client;
}

const parameter = async () => (await lab.aws().ssm.send(new GetParameterCommand({ Name: PARAMETER }))).Parameter?.Value;

/** Everything that the fence changes on the source. */
const settings = () =>
  lab.sql(
    'app-db',
    `SELECT rolname AS name, rolcanlogin::text AS value FROM pg_roles WHERE rolname IN ('app', 'reporter', 'retired')
      UNION ALL SELECT datname, setconfig::text FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
      ORDER BY 1`,
  );

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  await lab.sql(
    'app-db',
    `CREATE ROLE reporter LOGIN PASSWORD 'reporter-password'; CREATE ROLE retired NOLOGIN;
     ALTER DATABASE ledger SET default_transaction_read_only = off; ALTER DATABASE ledger SET work_mem = '8MB'`,
  );
  const { Endpoint } = await lab.standIn.instance('app-db');
  await lab
    .aws()
    .ssm.send(
      new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value: `${Endpoint?.Address}:${Endpoint?.Port}` }),
    );
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
});
afterEach(async () => {
  for (const client of opened.splice(0)) await client.end().catch(() => undefined);
});
afterAll(() => lab?.close());

describe('the comparison while both sides live', () => {
  const onTarget = (statement: string) => lab.sql(TARGET, statement, 'shop');

  /** The one table that differs, and what the operator is told. */
  async function found(): Promise<{ difference: unknown; message: string }> {
    const failure = await lab.run('verifyContents', input).then(
      () => {
        throw new Error('found nothing');
      },
      (error: unknown) => error as ApplicationFailure,
    );
    expect(failure.type).toBe('ContentsDiffer');
    const { tables, first } = failure.details?.[0] as { tables: number; first: unknown[] };
    expect(tables).toBe(1);
    return { difference: first[0], message: failure.message };
  }

  it('finds nothing where nothing differs, while rows are written', async () => {
    const writing = writeOrders(lab, 'while comparing');
    await expect(lab.run('verifyContents', input)).resolves.toMatchObject({ differences: [], undecided: 0 });
    await writing;
  });

  it('finds one changed row, and names its key', async () => {
    await onTarget(`UPDATE orders SET note = note || '!' WHERE id = 77`);
    await expect(found()).resolves.toMatchObject({
      difference: {
        database: 'shop',
        table: 'public.orders',
        different: 1,
        onlyOnSource: 0,
        onlyOnTarget: 0,
      },
      message: expect.stringContaining('(77)') as string,
    });
    await onTarget(`UPDATE orders SET note = rtrim(note, '!') WHERE id = 77`);
  });

  it('finds a missing row', async () => {
    await onTarget('DELETE FROM orders WHERE id = 77');
    await expect(found()).resolves.toMatchObject({
      difference: {
        onlyOnSource: 1,
        onlyOnTarget: 0,
        different: 0,
      },
      message: expect.stringContaining('(77)') as string,
    });
    await onTarget(`INSERT INTO orders (id, note) VALUES (77, 'before 77')`);
  });

  it('finds a row too many', async () => {
    await onTarget(`INSERT INTO orders (id, note) VALUES (-1, 'invented')`);
    await expect(found()).resolves.toMatchObject({
      difference: {
        onlyOnSource: 0,
        onlyOnTarget: 1,
        different: 0,
      },
      message: expect.stringContaining('(-1)') as string,
    });
    await onTarget('DELETE FROM orders WHERE id = -1');
  });

  it('finds a doubled row in a table without a key', async () => {
    await onTarget(`INSERT INTO events VALUES ('event 7')`);
    await expect(found()).resolves.toMatchObject({ difference: { table: 'public.events', different: 1 } });
    await onTarget(`DELETE FROM events WHERE ctid = (SELECT max(ctid) FROM events WHERE what = 'event 7')`);
    await expect(lab.run('verifyContents', input)).resolves.toMatchObject({ differences: [] });
  });
});

describe('a pause that is given up', () => {
  it('takes the fence down again: roles and settings are what they were, nothing is lost, writes go on', async () => {
    const before = await settings();
    const fence = await fenceOf(lab, steps);
    expect(fence.roles).toEqual(['app', 'reporter']);
    // Apply waits for this lock, readers don't, so the drain outlasts the budget.
    const blocker = await connect(TARGET, 'shop', {});
    await blocker.query(`BEGIN; LOCK TABLE keyshift_${ref.id.replaceAll('-', '_')}.fence IN SHARE MODE`);
    await lab.run('preparePause', input);
    const result = await lab.run('cutOver', { ...input, fence });
    await blocker.query('ROLLBACK');
    expect(result).toMatchObject({ switched: false, reason: 'the budget of 1000 ms ended' });
    expect((result as { pauseMs: number }).pauseMs).toBeLessThan(5_000);
    await expect(settings()).resolves.toEqual(before);
    await expect(parameter()).resolves.toMatch(/^(?!.*encrypted)/);
    const app = await connect('app-db');
    await app.query(`INSERT INTO orders (note) VALUES ('after the pause')`);
  });

  it('cuts off a statement that waits for a lock when the budget ends', async () => {
    const before = await settings();
    const fence = await fenceOf(lab, steps);
    await lab.run('preparePause', input);
    const blocker = await connect(TARGET, 'shop', {});
    const running = lab.run('cutOver', { ...input, fence });
    const inPause = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'keyshift/${ref.id}/pause'`;
    const begun = async () => (await blocker.query(inPause)).rows.length > 0;
    await waitFor('the pause has its sessions', begun, { everyMs: 2 });
    // The pause sets this sequence; it would wait for twice the budget.
    await blocker.query('BEGIN READ WRITE; ALTER SEQUENCE orders_id_seq INCREMENT BY 1');
    const result = await running;
    await blocker.query('ROLLBACK');
    expect(result).toMatchObject({ switched: false, reason: expect.stringContaining('did not answer') as string });
    expect((result as { pauseMs: number }).pauseMs).toBeLessThan(2_000);
    await expect(settings()).resolves.toEqual(before);
  });
});

describe('a pause that switches', () => {
  let result: CutOverResult;
  let sessions: Record<'override' | 'inTransaction' | 'reporter', Client>;

  it('ends every session that could still write', async () => {
    sessions = {
      override: await connect('app-db'),
      inTransaction: await connect('app-db', 'ledger'),
      reporter: await connect('app-db', 'shop', { user: 'reporter', password: 'reporter-password' }),
    };
    const ended = Object.values(sessions).map(
      (session) => new Promise<void>((resolve) => session.once('end', resolve)),
    );
    await sessions.override.query('SET default_transaction_read_only = off');
    await sessions.override.query(`INSERT INTO orders (note) VALUES ('committed before the fence')`);
    await sessions.inTransaction.query(`BEGIN; INSERT INTO orders (note) VALUES ('never committed')`);
    const fence = await fenceOf(lab, steps);
    await lab.run('preparePause', input);
    result = await lab.run('cutOver', { ...input, fence });
    expect(result).toMatchObject({ switched: true, fencedRoles: ['app', 'reporter'], sequences: 2 });
    await Promise.all(ended);
    await expect(sessions.override.query(`INSERT INTO orders (note) VALUES ('too late')`)).rejects.toThrow();
  });

  it('lets nobody write on the source any more', async () => {
    for (const login of [APP, { user: 'reporter', password: 'reporter-password' }]) {
      await expect(lab.standIn.connect('app-db', { database: 'shop', ...login })).rejects.toThrow(
        'not permitted to log in',
      );
    }
    const [shown] = await lab.sql('app-db', 'SHOW default_transaction_read_only', 'shop');
    expect(shown).toEqual({ default_transaction_read_only: 'on' });
  });

  it('leaves both sides the same: what was committed is there, what was not is nowhere', async () => {
    for (const database of DATABASES) {
      await expect(ordersOf(lab, TARGET, database)).resolves.toEqual(await ordersOf(lab, 'app-db', database));
    }
    const orders = (await ordersOf(lab, TARGET, 'shop')).join('\n');
    expect(orders).toContain('committed before the fence');
    expect((await ordersOf(lab, TARGET, 'ledger')).join('\n')).not.toContain('never committed');
  });

  it('lets the application go on where it stopped: logins, sequences, the address', async () => {
    const { Endpoint } = await lab.standIn.instance(TARGET);
    await expect(parameter()).resolves.toBe(`${Endpoint?.Address}:${Endpoint?.Port}`);
    const app = await connect(TARGET);
    const { rows } = await app.query<{ id: string }>(`INSERT INTO orders (note) VALUES ('on the target') RETURNING id`);
    const [last] = await lab.sql<{ id: string }>('app-db', 'SELECT max(id) AS id FROM orders', 'shop');
    expect(Number(rows[0]?.id)).toBeGreaterThan(Number(last?.id));
  });

  it('is not undone any more', async () => {
    const fence = { roles: ['app', 'reporter'], unlockable: [], databases: [] };
    await expect(lab.run('lowerFence', { ...input, fence })).rejects.toMatchObject({ type: 'AlreadySwitched' });
    await expect(lab.standIn.connect('app-db', { database: 'shop', ...APP })).rejects.toThrow(
      'not permitted to log in',
    );
  });

  it('is proven exactly, though the target is written to since', async () => {
    const { targetSnapshots } = result as Extract<CutOverResult, { switched: true }>;
    await expect(lab.run('proveContents', { ...input, targetSnapshots })).resolves.toMatchObject({ differences: [] });
  });
});

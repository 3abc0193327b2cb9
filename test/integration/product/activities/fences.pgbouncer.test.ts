import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { closeFences, lookAtFences, lowerOthers, openFences } from '../../../../activities/cutover/fence-set';
import type { Fence, PauseClock } from '../../../../activities/cutover/fences/fence';
import { poolerName } from '../../../../activities/poolers/console';
import type { Pooler } from '../../../../local/pgbouncer/pooler';
import type { PlanInput } from '../../../../plan/plan';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { inPlan, PoolerLab } from '../../../support/pooler-lab';
import { until } from '../../../support/stand-in';

const APP = { user: 'app', password: 'app-password' };
const NO_FENCE = { roles: [], unlockable: [], databases: [] };
const WAIT_MS = 400;

let lab: ActivityLab;
let poolers: PoolerLab;
let one: Pooler;
let two: Pooler;
const clients: Client[] = [];
const fences: Fence[] = [];

/** A pause with so much time, from now. */
function clock(budgetMs = 10_000): PauseClock {
  const deadline = Date.now() + budgetMs;
  return {
    mayGoOn: () => {
      if (Date.now() > deadline) throw new Error('the budget ended');
    },
    remainingMs: () => deadline - Date.now(),
  };
}

function refFor(
  { list = [one, two], cutover = {} }: { list?: Pooler[]; cutover?: PlanInput['cutover'] } = {},
  fence: object = {},
) {
  return migrationRef({
    ...SMALLEST_PLAN,
    cutover: {
      poolers: list.map((pooler) => inPlan(pooler)),
      fence: [{ type: 'pgbouncer', waitMs: WAIT_MS, ...fence }],
      traffic: [{ type: 'pgbouncer' }],
      ...cutover,
    },
  });
}

const lookAt = (ref: ReturnType<typeof refFor>) => lookAtFences(lab.dependencies, ref);

/** Looks, as the board does, and connects. */
async function opened(ref: ReturnType<typeof refFor>): Promise<{ fence: Fence; others: unknown[] }> {
  const { others, red } = await lookAt(ref);
  expect(red).toEqual([]);
  const [fence] = await openFences(lab.dependencies, ref, { fence: NO_FENCE, others });
  if (!fence) throw new Error('no fence');
  fences.push(fence);
  return { fence, others };
}

async function connect(pooler: Pooler, database: string, name?: string): Promise<Client> {
  const client = await poolers.connect(pooler, APP, database, name);
  clients.push(client);
  return client;
}

/** Whether a statement is answered soon. */
const answers = (client: Client) =>
  Promise.race([client.query('SELECT 1').then(() => true), sleep(150).then(() => false)]);

beforeAll(async () => {
  lab = await ActivityLab.open();
  await lab.sql('app-db', `CREATE ROLE app LOGIN PASSWORD 'app-password'`);
  for (const database of ['shop', 'ledger', 'elsewhere']) await lab.sql('app-db', `CREATE DATABASE ${database}`);
  poolers = new PoolerLab(lab);
  const entries = await poolers.entries('app-db', ['shop', 'ledger']);
  // By another name of the same machine: who reaches the source has to be found out, not read.
  const byAddress = Object.fromEntries(
    Object.entries(entries).map(([name, at]) => [name, { ...at, host: 'localhost' }]),
  );
  const nowhere = { elsewhere: { host: '127.0.0.1', port: 9 } };
  one = await poolers.start({ ...entries, ...nowhere }, [APP]);
  two = await poolers.start(byAddress, [APP]);
});
afterEach(async () => {
  await closeFences(fences.splice(0));
  for (const pooler of [one, two]) {
    for (const name of await poolers.paused(pooler)) await pooler.console((console) => console.query(`RESUME ${name}`));
  }
  for (const client of clients.splice(0)) await client.end().catch(() => undefined);
});
afterAll(async () => {
  await poolers?.close();
  await lab?.close();
});

describe('the board', () => {
  it('shows who will wait, on each pooler, and for how long', async () => {
    await connect(one, 'shop').then((client) => client.query('SELECT 1'));
    const { others, findings, red } = await lookAt(refFor());
    expect(red).toEqual([]);
    expect(others).toEqual([
      {
        poolers: [
          { pooler: poolerName(one), entries: ['ledger', 'shop'] },
          { pooler: poolerName(two), entries: ['ledger', 'shop'] },
        ],
      },
    ]);
    expect(findings[0]).toMatch(/^PgBouncer [\d.]+ at .*: PAUSE ledger, shop \(1 clients, 1 servers\).* 120 s/);
  });

  it('is red where a pooler does not listen, or has another password', async () => {
    const gone = { ...inPlan(one), port: 9 };
    await lab.secret('another-password', 'master', 'not-it', 'pooler');
    const ref = refFor({ cutover: { poolers: [gone, inPlan(two, 'another-password')] } });
    const { red } = await lookAt(ref);
    expect(red).toEqual([
      expect.stringMatching(/^PgBouncer 127.0.0.1:9: the login to its admin console failed: .*ECONNREFUSED/),
      expect.stringMatching(new RegExp(`^${poolerName(two)}: the login to its admin console failed`)),
    ]);
  });

  it('is red where no entry leads to the source, or a named one is nowhere', async () => {
    const stranger = await poolers.start({ shop: { host: '127.0.0.1', port: 9 } }, [APP]);
    await expect(lookAt(refFor({ list: [stranger] }))).resolves.toMatchObject({
      red: [expect.stringMatching(/no entry of \[databases\] leads to/)],
    });
    await expect(lookAt(refFor({ list: [one] }, { databases: ['shop', 'nope'] }))).resolves.toMatchObject({
      red: ['no PgBouncer of the plan has an entry nope in [databases]'],
      findings: expect.arrayContaining([
        expect.stringContaining('ledger leads to the source, but the plan does not name it'),
      ]) as string[],
    });
  });

  it('is red where clients would be disconnected before the pause may end, and where nothing leads them on', async () => {
    const hasty = await poolers.start(await poolers.entries('app-db', ['shop']), [APP], { query_wait_timeout: 5 });
    const { red } = await lookAt(refFor({ list: [hasty], cutover: { traffic: [], poolers: [inPlan(hasty)] } }));
    expect(red).toEqual([
      expect.stringContaining('query_wait_timeout is 5 s, the pause may last 30 s'),
      expect.stringContaining('nothing in cutover.traffic leads the entries'),
    ]);
  });

  it('is red where somebody has paused already, and where the user may only look', async () => {
    await one.console((console) => console.query('PAUSE shop'));
    await expect(lookAt(refFor({ list: [one] }))).resolves.toMatchObject({
      red: [`${poolerName(one)}: shop is paused already, by somebody else`],
    });
    const watched = await poolers.start(await poolers.entries('app-db', ['shop']), [APP], { stats_users: 'app' });
    await lab.secret('watcher', APP.user, APP.password, 'pooler');
    const cutover = { poolers: [inPlan(watched, 'watcher')] };
    await expect(lookAt(refFor({ cutover }))).resolves.toMatchObject({
      red: [`${poolerName(watched)}: app is not in admin_users, so it may not PAUSE`],
    });
  });

  it('says what pooling of sessions means', async () => {
    const sessions = await poolers.start(await poolers.entries('app-db', ['shop']), [APP], { pool_mode: 'session' });
    await expect(lookAt(refFor({ list: [sessions] }))).resolves.toMatchObject({
      red: [],
      findings: expect.arrayContaining([expect.stringContaining('shop pools sessions: PAUSE waits')]) as string[],
    });
  });
});

describe('the fence', () => {
  it('makes clients of every pooler wait instead of failing, and lets them go on; other databases are left alone', async () => {
    const shop = await connect(one, 'shop');
    const ledger = await connect(two, 'ledger');
    await shop.query('SELECT 1');
    await ledger.query('SELECT 1');
    const { fence } = await opened(refFor());
    await fence.raise(clock());
    await expect(poolers.paused(one)).resolves.toEqual(['ledger', 'shop']);
    await expect(poolers.paused(two)).resolves.toEqual(['ledger', 'shop']);
    const sessions = await lab.sql('app-db', `SELECT 1 FROM pg_stat_activity WHERE usename = 'app'`);
    expect(sessions).toEqual([]);
    const late = connect(two, 'shop').then((client) => client.query('SELECT 2 AS two'));
    const waiting = [shop.query('SELECT 1 AS one'), ledger.query('SELECT 1 AS one')];
    await expect(answers(shop)).resolves.toBe(false);
    // An attempt that takes over raises it again.
    await fence.raise(clock());
    await fence.release();
    await expect(Promise.all(waiting)).resolves.toMatchObject([{ rows: [{ one: 1 }] }, { rows: [{ one: 1 }] }]);
    await expect(late).resolves.toMatchObject({ rows: [{ two: 2 }] });
    await fence.release();
  });

  it('gives up with the names of those whose transactions do not end, and nobody stays paused', async () => {
    const busy = await connect(two, 'ledger', 'nightly report');
    await busy.query('BEGIN');
    const { fence } = await opened(refFor());
    const from = Date.now();
    const refused = fence.raise(clock());
    await expect(refused).rejects.toThrow(
      new RegExp(
        `^PAUSE took longer than ${WAIT_MS} ms; ${poolerName(two)} waits for app on ledger \\(nightly report, from 127.0.0.1:\\d+\\)$`,
      ),
    );
    expect(Date.now() - from).toBeLessThan(WAIT_MS + 1_000);
    await fence.lower();
    await expect(poolers.paused(one)).resolves.toEqual([]);
    await expect(poolers.paused(two)).resolves.toEqual([]);
    await busy.query('COMMIT');
    await expect(answers(busy)).resolves.toBe(true);
    // The PAUSE that was waiting is gone, too.
    await expect(poolers.paused(two)).resolves.toEqual([]);
  });

  it('waits for a transaction that ends in time', async () => {
    const busy = await connect(one, 'shop');
    await busy.query('BEGIN');
    const { fence } = await opened(refFor());
    const raising = fence.raise(clock());
    await until('new transactions wait', async () => (await poolers.paused(one)).includes('shop'));
    await busy.query('COMMIT');
    await raising;
    await fence.lower();
  });

  it('ends with the budget of the pause, if that is shorter', async () => {
    const busy = await connect(one, 'shop');
    await busy.query('BEGIN');
    const { fence } = await opened(refFor({}, { waitMs: 60_000 }));
    await expect(fence.raise(clock(150))).rejects.toThrow('the budget ended');
    await fence.lower();
  });

  it('is lowered by a process that has never raised it; one pooler that is gone keeps no other paused', async () => {
    const mortal = await poolers.start(await poolers.entries('app-db', ['shop']), [APP]);
    const ref = refFor({ list: [mortal, two] });
    const { fence, others } = await opened(ref);
    await fence.raise(clock());
    await mortal.kill();
    await lowerOthers(lab.dependencies, ref, { fence: NO_FENCE, others });
    await expect(poolers.paused(two)).resolves.toEqual([]);
    await lowerOthers(lab.dependencies, ref, { fence: NO_FENCE, others });
  });

  it('pauses many entries of one pooler with a few consoles', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `alias_${index}`);
    const entries = await poolers.entries('app-db', names);
    const many = await poolers.start(entries, [APP]);
    const { fence } = await opened(refFor({ list: [many] }));
    const from = Date.now();
    await fence.raise(clock());
    expect(Date.now() - from).toBeLessThan(WAIT_MS);
    await expect(poolers.paused(many)).resolves.toHaveLength(25);
    await fence.release();
    await expect(poolers.paused(many)).resolves.toEqual([]);
  });
});

import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import type { Client } from 'pg';
import type { CutOverInput, CutOverResult } from '../../../../activities/cutover/cut-over-input';
import { notePause, pausedFor } from '../../../../activities/cutover/pause-mark';
import { endPause } from '../../../../activities/cutover/watchdog/end-pause';
import type { Pooler } from '../../../../local/pgbouncer/pooler';
import { childrenOf, isRunning } from '../../../../local/postgres/processes';
import { ActivityLab, awsEnvironment, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  ordersOf,
  type Steps,
  subscribe,
} from '../../../support/migration-steps';
import type { PauseProcessInput } from '../../../support/pause-process';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { inPlan, PoolerLab } from '../../../support/pooler-lab';
import { until } from '../../../support/stand-in';

const TARGET = 'app-db-encrypted';
const PARAMETER = '/app/database';
const APP = { user: 'app', password: 'app-password' };
const BUDGET_MS = 3_000;
/** What worker/watchdog/main.ts adds, and what a busy machine does. */
const GRACE_MS = 3_000;
const BUSY_MS = 4_000;
/** What a worker that stands still is waited for. */
const SILENCE_MS = 7_000;

const id = migrationRef().id;
let lab: ActivityLab;
let poolers: PoolerLab;
let pooler: Pooler;
let steps: Steps;
let blocker: Client;
const processes: ChildProcess[] = [];

const planWith = (cutover: object) =>
  parsedPlan({
    ...SMALLEST_PLAN,
    databases: [...DATABASES],
    soak: { wayBack: 'none' },
    cutover: { pauseBudgetMs: BUDGET_MS, traffic: [{ type: 'ssm-parameter', name: PARAMETER }], ...cutover },
  });
const sqlOnly = () => planWith({});
const withPooler = (more: object = {}) =>
  planWith({ poolers: [inPlan(pooler)], fence: [{ type: 'pgbouncer' }], ...more });

/** The pause with what a board saw. The pooler's way to the target is no part of this: it is not switched. */
async function inputOf(plan: ReturnType<typeof parsedPlan>): Promise<CutOverInput> {
  const input = { ...steps.input, plan };
  const { fence, others } = await lab.run('readGoNoGo', input);
  await lab.run('preparePause', input);
  return { ...input, fence, ...(others ? { others } : {}) };
}

interface PauseProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly watchdog: number;
  readonly result: Promise<CutOverResult | undefined>;
}

/** Begins the pause in a process of its own, which stands in it: the drain can't end. */
async function beginPause(input: CutOverInput, activityId: string): Promise<PauseProcess> {
  await blocker.query(`BEGIN; LOCK TABLE keyshift_${id.replaceAll('-', '_')}.fence IN SHARE MODE`);
  const started = start(input, activityId);
  await until('the fence is up', async () => {
    const fenced = lab.sql('app-db', `SELECT 1 FROM pg_roles WHERE rolname = 'app' AND NOT rolcanlogin`);
    // The fence ends sessions of the master user that aren't ours, and so those of this test.
    return fenced.then(
      (rows) => rows.length > 0,
      () => false,
    );
  });
  const [watchdog] = childrenOf(started.pid);
  if (!watchdog) throw new Error('no watchdog');
  return { ...started, watchdog: watchdog.pid };
}

function start(input: CutOverInput, activityId: string): Omit<PauseProcess, 'watchdog'> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/pause-process.ts'], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...awsEnvironment(lab.standIn), KEYSHIFT_LOG_LEVEL: 'fatal' },
  });
  processes.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const result = new Promise<CutOverResult | undefined>((resolve) =>
    child.once('exit', () => resolve(text ? (JSON.parse(text) as CutOverResult) : undefined)),
  );
  const order: PauseProcessInput = { input, rdsCaBundle: lab.dependencies.rdsCaBundle, activityId };
  child.stdin.end(JSON.stringify(order));
  return { child, pid: child.pid ?? 0, result };
}

/** An application behind the pooler, which writes whenever it is let. */
class Load {
  readonly errors: string[] = [];
  acknowledged = 0;
  longestMs = 0;
  #goesOn = true;
  readonly #loops: Promise<void>[];

  constructor(clients: readonly Client[]) {
    this.#loops = clients.map((client) => this.#write(client));
  }

  async #write(client: Client): Promise<void> {
    while (this.#goesOn) {
      const from = Date.now();
      try {
        await client.query(`INSERT INTO orders (note) VALUES ('under load')`);
        this.acknowledged += 1;
      } catch (error) {
        this.errors.push((error as Error).message);
        return;
      }
      this.longestMs = Math.max(this.longestMs, Date.now() - from);
    }
  }

  async goesOn(): Promise<void> {
    const before = this.acknowledged;
    await until('writes go on', () => Promise.resolve(this.acknowledged > before + 20));
  }

  async stop(): Promise<void> {
    this.#goesOn = false;
    await Promise.all(this.#loops);
  }
}

async function load(): Promise<Load> {
  const clients = await Promise.all(DATABASES.map((database) => poolers.connect(pooler, APP, database)));
  const under = new Load(clients);
  await under.goesOn();
  return under;
}

/** What a fence changes on the source, and what it holds. */
const state = async () => ({
  roles: await lab.sql('app-db', `SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'app%'`),
  settings: await lab.sql('app-db', 'SELECT setconfig FROM pg_db_role_setting'),
  paused: await poolers.paused(pooler),
});

const point = async (Value: string): Promise<void> => {
  await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value, Overwrite: true }));
};
const parameter = async () => (await lab.aws().ssm.send(new GetParameterCommand({ Name: PARAMETER }))).Parameter?.Value;
const addressOf = async (instance: string) => {
  const { Endpoint } = await lab.standIn.instance(instance);
  return `${Endpoint?.Address}:${Endpoint?.Port}`;
};
const gone = (pid: number) => until('the watchdog has ended', () => Promise.resolve(!isRunning(pid)), 30_000);

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  await point(await addressOf('app-db'));
  steps = await captureAndClone(lab, { id, plan: sqlOnly() });
  await subscribe(lab, steps);
  poolers = new PoolerLab(lab);
  pooler = await poolers.start(await poolers.entries('app-db', DATABASES), [APP]);
  blocker = await lab.standIn.connect(TARGET, { database: 'shop' });
});
afterEach(async () => {
  // A pause that switches ends foreign sessions on the target, and so this one.
  await blocker?.query('ROLLBACK').catch(() => undefined);
  for (const child of processes.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await blocker?.end().catch(() => undefined);
  await poolers?.close();
  await lab?.close();
});

describe('a worker that is killed in the pause, with its process group, while there is no other', () => {
  it('leaves clients of PgBouncer waiting for the budget and a grace, and then going on, on the source, without an error', async () => {
    const before = await state();
    const input = await inputOf(withPooler());
    const under = await load();
    const { pid, watchdog } = await beginPause(input, 'killed');
    await expect(poolers.paused(pooler)).resolves.toEqual([...DATABASES]);
    for (const file of ['cmdline', 'environ']) {
      const text = readFileSync(`/proc/${watchdog}/${file}`, 'utf8');
      for (const secret of ['correct-horse', APP.password, 'console', id]) expect(text).not.toContain(secret);
    }
    process.kill(-pid, 'SIGKILL');
    await under.goesOn();
    await under.stop();
    expect(under.errors).toEqual([]);
    expect(under.longestMs).toBeGreaterThan(BUDGET_MS);
    expect(under.longestMs).toBeLessThan(BUDGET_MS + GRACE_MS + BUSY_MS);
    await gone(watchdog);
    await expect(state()).resolves.toEqual(before);
    await expect(parameter()).resolves.toBe(await addressOf('app-db'));
    // Hours later there is a worker again: what was approved is over.
    await blocker.query('ROLLBACK');
    const { result } = start(input, 'killed');
    await expect(result).resolves.toMatchObject({
      switched: false,
      reason: 'the budget ended while no worker attended to the pause',
    });
    await expect(state()).resolves.toEqual(before);
  });

  it('leaves the source open again where SQL is the only fence', async () => {
    const before = await state();
    const { pid, watchdog } = await beginPause(await inputOf(sqlOnly()), 'killed too');
    const from = Date.now();
    process.kill(-pid, 'SIGKILL');
    const login = { database: 'shop', ...APP };
    await until('the application may log in', async () =>
      lab.standIn.connect('app-db', login).then(
        (client) => client.end().then(() => true),
        () => false,
      ),
    );
    expect(Date.now() - from).toBeLessThan(BUDGET_MS + GRACE_MS + BUSY_MS);
    await gone(watchdog);
    await expect(state()).resolves.toEqual(before);
  });
});

it('kills a worker that stands still in the pause: it could switch traffic later', async () => {
  const before = await state();
  const under = await load();
  const { pid, watchdog, child } = await beginPause(await inputOf(withPooler()), 'standing still');
  process.kill(pid, 'SIGSTOP');
  await under.goesOn();
  await under.stop();
  expect(under.errors).toEqual([]);
  expect(under.longestMs).toBeLessThan(Math.max(BUDGET_MS + GRACE_MS, SILENCE_MS) + BUSY_MS);
  await until('the worker is gone', () => Promise.resolve(child.signalCode === 'SIGKILL'));
  await gone(watchdog);
  await expect(state()).resolves.toEqual(before);
});

it('only lets clients go on where traffic is switched already', async () => {
  const input = await inputOf(withPooler());
  const before = await state();
  const { pid, watchdog } = await beginPause(input, 'switched');
  process.kill(-pid, 'SIGKILL');
  await point(await addressOf(TARGET));
  await gone(watchdog);
  const { paused, roles } = await state();
  expect(paused).toEqual([]);
  expect(roles).toEqual([{ rolname: 'app', rolcanlogin: false }]);
  await point(await addressOf('app-db'));
  await lab.run('lowerFence', input);
  await expect(state()).resolves.toEqual(before);
});

it('leaves a fence alone that went up when its own worker had been gone for long', async () => {
  const input = await inputOf(sqlOnly());
  const order = { input, activity: 'of long ago', pids: [], alreadyMs: 0 };
  const source = await lab.standIn.connect('app-db', { database: input.databases[0] ?? '' });
  await notePause(source, input);
  await expect(endPause(lab.dependencies, order, 60_000)).resolves.toBe('another pause');
  await expect(endPause(lab.dependencies, order, 0)).resolves.toBe('lowered');
  await expect(pausedFor(source, input)).resolves.toBeUndefined();
});

it('does nothing to a pause that another worker took over, and ends with the activity where its worker lives', async () => {
  const input = await inputOf(withPooler({ pauseBudgetMs: 12_000 }));
  const { pid, watchdog } = await beginPause(input, 'taken over');
  process.kill(-pid, 'SIGKILL');
  await blocker.query('ROLLBACK');
  const result = await lab.run('cutOver', input);
  expect(result).toMatchObject({ switched: true });
  await expect(parameter()).resolves.toBe(await addressOf(TARGET));
  await until('its own watchdog has ended', () => Promise.resolve(watchdogs().length === 0));
  await gone(watchdog);
  await expect(parameter()).resolves.toBe(await addressOf(TARGET));
  await expect(state()).resolves.toMatchObject({ paused: [], roles: [{ rolname: 'app', rolcanlogin: false }] });
  await expect(ordersOf(lab, TARGET, 'shop')).resolves.toEqual(await ordersOf(lab, 'app-db', 'shop'));
  const { targetSnapshots } = result as Extract<CutOverResult, { switched: true }>;
  await expect(lab.run('proveContents', { ...input, targetSnapshots })).resolves.toMatchObject({ differences: [] });
});

/** Children of this process that guard a pause. */
const watchdogs = () =>
  childrenOf(process.pid).filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('watchdog');
    } catch {
      return false;
    }
  });

import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import type { Client } from 'pg';
import type { CutOverInput, CutOverResult } from '../../../../activities/cutover/cut-over-input';
import { notePause, pausedFor, WORKER_ENDED } from '../../../../activities/cutover/pause-mark';
import { endAsOwner, takePause } from '../../../../activities/cutover/pause-owner';
import { type Ended, endOrphanedPause, endPause } from '../../../../activities/cutover/watchdog/end-pause';
import type { Pooler } from '../../../../local/pgbouncer/pooler';
import { freeze, thaw } from '../../../../local/postgres/freeze';
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
/** So long that it can't be what ended the pause. */
const LONG_BUDGET_MS = 30_000;
/** What is promised of a worker that is killed: writers go on within this. */
const AT_ONCE_MS = 2_000;
/** What worker/watchdog/main.ts adds, and what a busy machine does. */
const GRACE_MS = 3_000;
const BUSY_MS = 4_000;
/** Two processes that compile what they load, on a busy machine. */
const START_MS = 150_000;
/** What a worker that stands still is waited for. */
const SILENCE_MS = 7_000;

/** SQLSTATE of a session that somebody ended: admin_shutdown. */
const ADMIN_SHUTDOWN = '57P01';

const ref = migrationRef();
const { id } = ref;
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
async function beginPause(
  input: CutOverInput,
  activityId: string,
  container: readonly string[] = [],
): Promise<PauseProcess> {
  await blocker.query(`BEGIN; LOCK TABLE keyshift_${id.replaceAll('-', '_')}.fence IN SHARE MODE`);
  const started = start(input, activityId, container);
  await until(
    'the fence is up',
    async () => {
      const fenced = lab.sql('app-db', `SELECT 1 FROM pg_roles WHERE rolname = 'app' AND NOT rolcanlogin`);
      // The fence ends sessions of the master user that aren't ours, and so those of this test.
      return fenced.then(
        (rows) => rows.length > 0,
        () => false,
      );
    },
    START_MS,
  );
  // In a container: unshare, the first process, the worker, the watchdog.
  const pid = container.length > 0 ? childOf(childOf(started.pid)) : started.pid;
  return { ...started, pid, watchdog: childOf(pid, 'watchdog') };
}

/** The compiler is a child, too. */
function childOf(pid: number, program = 'pause-process'): number {
  const child = childrenOf(pid).find((one) => readFileSync(`/proc/${one.pid}/cmdline`, 'utf8').includes(program));
  if (!child) throw new Error(`process ${pid} has no child that runs ${program}`);
  return child.pid;
}

/** What makes the process the first one of a PID namespace, as the entry point of a container is. */
const CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];

function start(
  input: CutOverInput,
  activityId: string,
  container: readonly string[] = [],
): Omit<PauseProcess, 'watchdog'> {
  const program = [process.execPath, '--import', 'tsx', 'test/support/pause-process.ts'];
  const [command = '', ...rest] = [...container, ...program];
  const child = spawn(command, rest, {
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
  /** When the last write was acknowledged, as `Date.now()`. */
  lastAt = 0;
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
        this.lastAt = Date.now();
      } catch (error) {
        this.errors.push((error as Error).message);
        return;
      }
      this.longestMs = Math.max(this.longestMs, Date.now() - from);
    }
  }

  /** Resolves with the time at which the first write was acknowledged. */
  async goesOn(): Promise<number> {
    const before = this.acknowledged;
    await until('a write is acknowledged', () => Promise.resolve(this.acknowledged > before));
    const at = this.lastAt;
    await until('writes go on', () => Promise.resolve(this.acknowledged > before + 20));
    return at;
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
  it('lets clients of PgBouncer go on at once, on the source, without an error', async () => {
    const before = await state();
    const input = await inputOf(withPooler({ pauseBudgetMs: LONG_BUDGET_MS }));
    const under = await load();
    const { pid, watchdog } = await beginPause(input, 'killed');
    await expect(poolers.paused(pooler)).resolves.toEqual([...DATABASES]);
    for (const file of ['cmdline', 'environ']) {
      const text = readFileSync(`/proc/${watchdog}/${file}`, 'utf8');
      for (const secret of ['correct-horse', APP.password, 'console', id]) expect(text).not.toContain(secret);
    }
    const killedAt = Date.now();
    process.kill(-pid, 'SIGKILL');
    const wentOnAt = await under.goesOn();
    await under.stop();
    expect(under.errors).toEqual([]);
    expect(wentOnAt - killedAt).toBeLessThan(AT_ONCE_MS + BUSY_MS);
    await gone(watchdog);
    await expect(state()).resolves.toEqual(before);
    await expect(parameter()).resolves.toBe(await addressOf('app-db'));
    // Hours later there is a worker again: what was approved is over.
    await blocker.query('ROLLBACK');
    const { result } = start(input, 'killed');
    await expect(result).resolves.toMatchObject({
      switched: false,
      reason: WORKER_ENDED,
    });
    await expect(state()).resolves.toEqual(before);
  });

  it('leaves the source open again where SQL is the only fence', async () => {
    const before = await state();
    const { pid, watchdog } = await beginPause(
      await inputOf(planWith({ pauseBudgetMs: LONG_BUDGET_MS })),
      'killed too',
    );
    const from = Date.now();
    process.kill(-pid, 'SIGKILL');
    const login = { database: 'shop', ...APP };
    await until('the application may log in', async () =>
      lab.standIn.connect('app-db', login).then(
        (client) => client.end().then(() => true),
        () => false,
      ),
    );
    expect(Date.now() - from).toBeLessThan(AT_ONCE_MS + BUSY_MS);
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

/** Host and watchdog with it: nobody is left to end anything. */
async function loseHost({ pid, watchdog }: PauseProcess): Promise<void> {
  process.kill(watchdog, 'SIGKILL');
  process.kill(-pid, 'SIGKILL');
  await gone(watchdog);
}

const ownerNow = async (): Promise<string> => {
  const [row] = await lab.sql<{ mark: string }>(
    'app-db',
    `SELECT mark FROM keyshift_${id.replaceAll('-', '_')}.fence WHERE purpose = 'pause-owner'`,
    DATABASES[0],
  );
  return row?.mark ?? '';
};

describe('in a container, of which the program is the first process', () => {
  it('kills a worker that stands still before its fence comes down', async () => {
    const before = await state();
    const input = await inputOf(planWith({ pauseBudgetMs: 8_000 }));
    const { pid, watchdog, child } = await beginPause(input, 'in a container', CONTAINER);
    process.kill(pid, 'SIGSTOP');
    const seen: string[] = [];
    await until('the fence is down', async () => {
      const isAlive = isRunning(pid);
      const [row] = await lab.sql<{ open: boolean }>(
        'app-db',
        `SELECT rolcanlogin AS open FROM pg_roles WHERE rolname = 'app'`,
      );
      const now = `${isAlive ? 'alive' : 'gone'}, ${row?.open ? 'open' : 'fenced'}`;
      if (seen.at(-1) !== now) seen.push(now);
      return row?.open;
    });
    expect(seen[0]).toBe('alive, fenced');
    expect(seen).not.toContain('alive, open');
    expect(seen.at(-1)).toBe('gone, open');
    await gone(watchdog);
    // The container ends with its worker, but not before the watchdog.
    await until('the container has ended', () => Promise.resolve(child.exitCode !== null));
    expect(child.exitCode).toBe(128 + 9);
    await expect(state()).resolves.toEqual(before);
  });

  it('outlives a worker that is killed, until the pause is ended', async () => {
    const before = await state();
    const { pid, child } = await beginPause(
      await inputOf(planWith({ pauseBudgetMs: LONG_BUDGET_MS })),
      'killed in a container',
      CONTAINER,
    );
    const killedAt = Date.now();
    process.kill(pid, 'SIGKILL');
    await until('the container has ended', () => Promise.resolve(child.exitCode !== null));
    expect(Date.now() - killedAt).toBeLessThan(AT_ONCE_MS + BUSY_MS);
    expect(child.exitCode).toBe(128 + 9);
    await expect(state()).resolves.toEqual(before);
  });
});

it('finishes the switch where traffic is switched already, and lets clients go on', async () => {
  const input = await inputOf(withPooler());
  const before = await state();
  await loseHost(await beginPause(input, 'switched'));
  await point(await addressOf(TARGET));
  const order = {
    input,
    activity: 'switched',
    owner: await ownerNow(),
    sessions: { source: [], target: [] },
    mayBeSwitched: false,
    alreadyMs: 0,
  };
  await expect(endOrphanedPause(lab.dependencies, order, true)).resolves.toBe('released');
  const { paused, roles } = await state();
  expect(paused).toEqual([]);
  expect(roles).toEqual([{ rolname: 'app', rolcanlogin: false }]);
  await point(await addressOf('app-db'));
  await lab.run('lowerFence', input);
  await expect(state()).resolves.toEqual(before);
});

it('decides between the watchdog and the next attempt by one record: never both, never none', async () => {
  const sessions = await Promise.all([1, 2].map(() => lab.standIn.connect('app-db', { database: DATABASES[0] ?? '' })));
  const [watchdog, next] = sessions as [Client, Client];
  const won = { watchdog: 0, next: 0 };
  for (let round = 0; round < 60; round += 1) {
    const [first, second, activity] = [`first ${round}`, `second ${round}`, `raced ${round}`];
    await expect(takePause(next, ref, { owner: first, activity })).resolves.toBeUndefined();
    const [ended, took] = await Promise.all([
      endAsOwner(watchdog, ref, first, { activity, pauseMs: 1, reason: 'raced' }),
      takePause(next, ref, { owner: second, activity }),
    ]);
    expect(ended).toBe(took !== undefined);
    won[ended ? 'watchdog' : 'next'] += 1;
  }
  expect(won.watchdog + won.next).toBe(60);
  await Promise.all(sessions.map((session) => session.end()));
});

it('leaves a fence alone that went up when its own worker had been gone for long', async () => {
  const input = await inputOf(sqlOnly());
  const order = {
    input,
    activity: 'of long ago',
    owner: 'of long ago',
    sessions: { source: [], target: [] },
    mayBeSwitched: false,
    alreadyMs: 0,
  };
  const source = await lab.standIn.connect('app-db', { database: input.databases[0] ?? '' });
  await notePause(source, input);
  await expect(endPause(lab.dependencies, order, 60_000)).resolves.toBe('another attempt');
  await expect(endPause(lab.dependencies, order, 0)).resolves.toBe('lowered');
  await expect(pausedFor(source, input)).resolves.toBeUndefined();
});

/** The fence of the next attempt may end the watchdog's session. The watchdog tries again, and so does this. */
async function asWatchdog(work: () => Promise<Ended>): Promise<Ended> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: unknown }).code !== ADMIN_SHUTDOWN) throw error;
    }
  }
}

it('does nothing to a pause that another worker took over before it came to act', async () => {
  const input = await inputOf(withPooler({ pauseBudgetMs: LONG_BUDGET_MS }));
  const first = await beginPause(input, 'taken over');
  // It is as late as can be: the next attempt has the pause by then.
  freeze(first.watchdog);
  process.kill(-first.pid, 'SIGKILL');
  const owner = await ownerNow();
  const second = start(input, 'taken over');
  await until('the next attempt owns the pause', async () => (await ownerNow().catch(() => owner)) !== owner);
  thaw(first.watchdog);
  const order = {
    input,
    activity: 'taken over',
    owner,
    sessions: { source: [], target: [] },
    mayBeSwitched: false,
    alreadyMs: 0,
  };
  await expect(asWatchdog(() => endOrphanedPause(lab.dependencies, order, false))).resolves.toBe('another attempt');
  await expect(lab.sql('app-db', `SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app'`)).resolves.toEqual([
    { rolcanlogin: false },
  ]);
  await blocker.query('ROLLBACK');
  await expect(second.result).resolves.toMatchObject({ switched: true });
  await expect(parameter()).resolves.toBe(await addressOf(TARGET));
  await expect(state()).resolves.toMatchObject({ paused: [], roles: [{ rolname: 'app', rolcanlogin: false }] });
  await expect(ordersOf(lab, TARGET, 'shop')).resolves.toEqual(await ordersOf(lab, 'app-db', 'shop'));
});

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { CreateDBInstanceCommand, DeleteDBInstanceCommand, DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import { Client } from 'pg';
import type { CutOverInput, CutOverResult } from '../../../../activities/cutover/cut-over-input';
import type { FenceSet } from '../../../../activities/cutover/fence-set';
import type { MigrationRef } from '../../../../activities/dependencies';
import type { Pooler } from '../../../../local/pgbouncer/pooler';
import { endPause } from '../../../../activities/cutover/watchdog/end-pause';
import { childrenOf, isRunning } from '../../../../local/postgres/processes';
import { ActivityLab, awsEnvironment, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  ordersOf,
  type Steps,
  subscribe,
  writeOrders,
} from '../../../support/migration-steps';
import type { PauseProcessInput } from '../../../support/pause-process';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { inPlan, PoolerLab } from '../../../support/pooler-lab';
import { MASTER, until } from '../../../support/stand-in';

const SOURCE = 'app-db';
const TARGET = 'app-db-encrypted';
const OLD = 'app-db-old';
const APP = { database: 'shop', user: 'app', password: 'app-password' };

const { id } = migrationRef();
let ref: MigrationRef;
let lab: ActivityLab;
let poolers: PoolerLab;
let pooler: Pooler;
let steps: Steps;
let endpoint: { host: string; port: number };
let resourceIds: Record<'source' | 'target', string>;
const processes: ChildProcess[] = [];

type Switched = Extract<CutOverResult, { switched: true }>;
const behind = () => ({ ...ref, databases: DATABASES, renamed: 'both' as const });

const boardOf = async (input: object) => {
  const { fence, others, lines } = await lab.run('readGoNoGo', { ...steps.input, ...ref, ...input });
  return { fences: { fence, ...(others ? { others } : {}) } satisfies FenceSet, lines };
};

/** Resource ids by name, of those that are there. */
async function names(): Promise<Record<string, string>> {
  const { DBInstances = [] } = await lab.aws().rds.send(new DescribeDBInstancesCommand({}));
  return Object.fromEntries(
    DBInstances.map(({ DBInstanceIdentifier = '', DbiResourceId = '' }) => [DBInstanceIdentifier, DbiResourceId]),
  );
}

/** As an application that knows one endpoint, and never learns another. */
async function asApplication<T>(work: (app: Client) => Promise<T>): Promise<T> {
  const app = new Client({ ...endpoint, ...APP, ssl: { ca: lab.dependencies.rdsCaBundle } });
  app.on('error', () => undefined);
  await app.connect();
  try {
    return await work(app);
  } finally {
    await app.end();
  }
}

/** A client of PgBouncer that wants to write while there is nobody at the endpoint: it waits, and nothing fails. */
async function waitingClient(note: string): Promise<void> {
  expect((await poolers.paused(pooler)).sort()).toEqual([...DATABASES].sort());
  const client = await poolers.connect(pooler, APP, 'shop');
  await client.query('INSERT INTO orders (note) VALUES ($1)', [note]);
  await client.end();
}

/** The pause in a process of its own, and the watchdog that it has started. */
async function inProcess(input: CutOverInput, activityId: string): Promise<{ pid: number; watchdog: () => number }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/pause-process.ts'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...awsEnvironment(lab.standIn), KEYSHIFT_LOG_LEVEL: 'fatal' },
  });
  processes.push(child);
  const order: PauseProcessInput = { input, rdsCaBundle: lab.dependencies.rdsCaBundle, activityId };
  child.stdin.end(JSON.stringify(order));
  const pid = child.pid ?? 0;
  return { pid, watchdog: () => childrenOf(pid).find((one) => isWatchdog(one.pid))?.pid ?? 0 };
}

const isWatchdog = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('watchdog');

/** RDS takes the next renaming, and then stands in it until told otherwise. */
const stall = () =>
  lab.standIn.control('POST', 'faults', { operation: 'ModifyDBInstance', kind: 'stall', state: 'renaming' });
const goOn = () => lab.standIn.control('DELETE', 'faults');
const untilRenaming = (name: string) => lab.standIn.untilInstance(name, 'renaming');

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  poolers = new PoolerLab(lab);
  pooler = await poolers.start(await poolers.entries(SOURCE, DATABASES), [APP]);
  const plan = parsedPlan({
    ...SMALLEST_PLAN,
    databases: [...DATABASES],
    cutover: {
      // No test waits for its end, and a busy machine may take long to the first name.
      pauseBudgetMs: 60_000,
      poolers: [inPlan(pooler)],
      fence: [{ type: 'pgbouncer' }],
      traffic: [{ type: 'rds-rename' }, { type: 'pgbouncer' }],
    },
  });
  ref = { id, plan };
  steps = await captureAndClone(lab, ref);
  ref = { ...ref, sourceResourceId: steps.source.resourceId };
  await subscribe(lab, steps);
  await lab.run('prepareWayBack', { ...ref, databases: DATABASES });
  const { Endpoint } = await lab.standIn.instance(SOURCE);
  endpoint = { host: Endpoint?.Address ?? '', port: Endpoint?.Port ?? 0 };
  const found = await names();
  resourceIds = { source: found[SOURCE] ?? '', target: found[TARGET] ?? '' };
});
// So that a test that fails leaves no instance in its renaming for those behind it.
afterEach(goOn);
afterAll(async () => {
  for (const { pid } of processes) if (pid && isRunning(pid)) process.kill(-pid, 'SIGKILL');
  await poolers?.close();
  await lab?.close();
});

describe('a name that somebody else has', () => {
  const input = () => ({ ...ref, databases: DATABASES });

  it('is refused by the preflight, on the board and before the pause', async () => {
    const { rds } = lab.aws();
    await rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: OLD,
        Engine: 'postgres',
        EngineVersion: '16',
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 20,
        ...MASTER,
      }),
    );
    await lab.standIn.untilInstance(OLD);
    const before = await names();
    const { checks } = await lab.run('runPreflight', ref);
    expect(checks).toContainEqual(
      expect.objectContaining({
        code: 'traffic-switch',
        level: 'block',
        message: expect.stringContaining('There is a DB instance app-db-old already') as string,
      }),
    );
    const { lines, fences } = await boardOf({});
    expect(lines).toContainEqual(
      expect.objectContaining({ code: 'traffic', red: true, text: expect.stringContaining(OLD) as string }),
    );
    await expect(lab.run('cutOver', { ...input(), ...fences })).rejects.toMatchObject({ type: 'TrafficRefused' });
    await expect(names()).resolves.toEqual(before);
    await asApplication((app) => app.query(`INSERT INTO orders (note) VALUES ('nothing was touched')`));
    await rds.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: OLD, SkipFinalSnapshot: true }));
    await until('it is gone', async () => !(OLD in (await names())));
  });

  it('is on the board with the time that it takes, apart from the forecast', async () => {
    const { lines } = await boardOf({});
    expect(lines.filter(({ red, code }) => red && (code === 'traffic' || code === 'forecast'))).toEqual([]);
    const [line] = lines.filter(({ code }) => code === 'rename');
    expect(lines.map(({ text }) => text).join('\n')).toContain(
      'query_wait_timeout is 120 s, the renaming may take 20 minutes',
    );
    expect(line?.text).toContain(
      'renaming app-db to app-db-old and app-db-encrypted to app-db takes up to about 20 minutes: a guess',
    );
  });

  it('gives the pause up, with everything as before, when RDS does not take the renaming within the budget', async () => {
    const { fences } = await boardOf({});
    await lab.run('preparePause', input());
    await lab.standIn.control('POST', 'faults', {
      operation: 'ModifyDBInstance',
      kind: 'error',
      code: 'InvalidDBInstanceState',
      status: 400,
      message: 'Database instance is not in available state.',
      times: 1_000,
    });
    const { cutover } = ref.plan;
    const plan = { ...ref.plan, cutover: { ...cutover, pauseBudgetMs: 5_000 } };
    const result = await lab.run('cutOver', { ...input(), plan, ...fences });
    await goOn();
    expect(result).toMatchObject({
      switched: false,
      reason: expect.stringMatching(/RDS does not rename app-db: .*the budget of 5000 ms ended/) as string,
    });
    await expect(names()).resolves.toEqual({ [SOURCE]: resourceIds.source, [TARGET]: resourceIds.target });
    await asApplication((app) => app.query(`INSERT INTO orders (note) VALUES ('after the pause')`));
  });
});

describe('a cutover by renaming', () => {
  const input = () => ({ ...ref, databases: DATABASES });
  let forward: FenceSet;
  let there: Switched;

  it('goes forward when its worker is killed between the two names', async () => {
    forward = (await boardOf({})).fences;
    await lab.run('preparePause', input());
    await asApplication((app) => app.query(`INSERT INTO orders (note) VALUES ('before the cutover')`));
    await stall();
    const { pid } = await inProcess({ ...input(), ...forward }, 'killed between');
    await untilRenaming(SOURCE);
    process.kill(-pid, 'SIGKILL');
    const waiting = waitingClient('waited for the new name');
    await expect(lab.run('lowerFence', { ...input(), ...forward })).rejects.toMatchObject({ type: 'AlreadySwitched' });
    await goOn();
    const result = await lab.run('cutOver', { ...input(), ...forward });
    expect(result).toMatchObject({ switched: true, fencedRoles: ['app'] });
    there = result as Switched;
    expect(there.holder).toBeUndefined();
    await waiting;
    expect((await ordersOf(lab, SOURCE, 'shop')).join('\n')).toContain('waited for the new name');
    expect(there.timeline.map(({ step }) => step)).toContain('switch');
    expect(there.traffic[0]).toMatchObject({ what: 'DB instance name app-db' });
    await expect(names()).resolves.toEqual({ [OLD]: resourceIds.source, [SOURCE]: resourceIds.target });
  });

  it('leaves the endpoint to applications, and the target without a subscription that would read from itself', async () => {
    const note = 'first on the target';
    await asApplication((app) => app.query('INSERT INTO orders (note) VALUES ($1)', [note]));
    expect((await ordersOf(lab, SOURCE, 'shop')).join('\n')).toContain(note);
    expect((await ordersOf(lab, OLD, 'shop')).join('\n')).not.toContain(note);
    await expect(lab.sql(SOURCE, 'SELECT 1 FROM pg_subscription WHERE subenabled')).resolves.toEqual([]);
    await expect(lab.standIn.connect(OLD, APP)).rejects.toThrow(/not permitted to log in/);
  });

  it('is not made twice: an attempt that comes again finds it made', async () => {
    const result = await lab.run('cutOver', { ...input(), ...forward }, 2);
    expect(result).toMatchObject({ switched: true, pauseMs: there.pauseMs });
    await expect(names()).resolves.toEqual({ [OLD]: resourceIds.source, [SOURCE]: resourceIds.target });
  });

  it('goes back by replication to what the source is called now, and is proven by row versions', async () => {
    await lab.twice('startWayBack', { ...behind(), from: there.wayBackFrom ?? '' });
    await writeOrders(lab, 'later on the target', SOURCE);
    await lab.run('waitForCatchUp', { ...behind(), direction: 'back' });
    for (const database of DATABASES) {
      await expect(ordersOf(lab, OLD, database)).resolves.toEqual(await ordersOf(lab, SOURCE, database));
    }
    const { targetSnapshots } = there;
    await expect(lab.run('proveContents', { ...behind(), targetSnapshots })).resolves.toMatchObject({
      method: 'row-versions',
      differences: [],
      goneSince: 0,
    });
  });

  it('is watched, guarded and looked at by the names that there are now', async () => {
    await expect(lab.run('guardSource', { ...behind(), direction: 'back', reportAfterMs: 100 })).resolves.toBeDefined();
    const app = new Client({ ...endpoint, ...APP, ssl: { ca: lab.dependencies.rdsCaBundle } });
    await app.connect();
    await expect(lab.run('watchTraffic', behind())).resolves.toMatchObject({
      onTarget: expect.any(Number) as number,
      stragglers: [],
    });
    await app.end();
    await expect(lab.run('checkSourceUnused', { ...behind(), fencedRoles: ['app'] })).resolves.toBeUndefined();
    const other = { ...behind(), resourceId: resourceIds.target, replicas: [] };
    await expect(lab.run('deleteSource', other)).rejects.toMatchObject({ type: 'NotOurs' });
  });

  it('is gone back by the watchdog alone when nobody else is there: the names are those of the plan again', async () => {
    const board = await lab.run('readRollbackBoard', behind());
    expect(board.red).toEqual([]);
    expect(board.findings.join('\n')).toMatch(
      /app-db to app-db-encrypted and app-db-old to app-db .*the one before took \d+ s/,
    );
    const back = {
      ...behind(),
      direction: 'back',
      fence: board.fence,
      others: board.others,
      fenceThere: forward,
    } as const;
    await lab.run('preparePause', back);
    await asApplication((app) => app.query(`INSERT INTO orders (note) VALUES ('until the fence')`));
    await stall();
    // Taken, but nobody hears of it: the SDK asks again.
    await lab.standIn.control('POST', 'faults', { operation: 'ModifyDBInstance', kind: 'drop-after' });
    const { pid, watchdog } = await inProcess(back, 'killed on the way back');
    await untilRenaming(SOURCE);
    // The watchdog of a cutover that is over may still be there: it must not rename forward again.
    const late = {
      input: { ...input(), ...forward },
      activity: 'late',
      owner: 'late',
      sessions: { source: [], target: [] },
      mayBeSwitched: true,
      alreadyMs: 0,
    };
    await expect(endPause(lab.dependencies, late, 0)).rejects.toMatchObject({ type: 'AlreadySwitched' });
    const guarding = watchdog();
    expect(guarding).toBeGreaterThan(0);
    process.kill(-pid, 'SIGKILL');
    const waiting = waitingClient('waited for the old name');
    await goOn();
    await until('the watchdog has ended', () => Promise.resolve(!isRunning(guarding)));
    await expect(names()).resolves.toEqual({ [SOURCE]: resourceIds.source, [TARGET]: resourceIds.target });
    await waiting;
    await asApplication((app) => app.query(`INSERT INTO orders (note) VALUES ('back home')`));
    const orders = (await ordersOf(lab, SOURCE, 'shop')).join('\n');
    for (const note of ['first on the target', 'until the fence', 'waited for the old name', 'back home'])
      expect(orders).toContain(note);
    // A worker comes again, and finds it made.
    const result = (await lab.run('cutOver', back)) as Switched;
    expect(result).toMatchObject({ switched: true });
    const home = { ...ref, databases: DATABASES, direction: 'back' } as const;
    await expect(lab.run('proveContents', { ...home, targetSnapshots: result.targetSnapshots })).resolves.toMatchObject(
      { differences: [] },
    );
  });

  it('leaves nothing on either side behind it', async () => {
    await lab.run('lowerFence', { ...input(), ...forward });
    await lab.twice('removeReplication', input());
    for (const instance of [SOURCE, TARGET]) {
      await expect(lab.sql(instance, 'SELECT 1 FROM pg_replication_slots')).resolves.toEqual([]);
      await expect(lab.sql(instance, 'SELECT 1 FROM pg_subscription')).resolves.toEqual([]);
      await expect(lab.sql(instance, `SELECT 1 FROM pg_roles WHERE rolname LIKE 'keyshift%'`)).resolves.toEqual([]);
    }
  });
});

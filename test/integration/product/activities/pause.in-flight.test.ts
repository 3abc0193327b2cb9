import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import type { Client } from 'pg';
import type { CutOverInput, CutOverResult } from '../../../../activities/cutover/cut-over-input';
import type { FenceSet } from '../../../../activities/cutover/fence-set';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  fenceOf,
  type Steps,
  subscribe,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { until } from '../../../support/stand-in';

const [SOURCE, TARGET] = ['app-db', 'app-db-encrypted'] as const;
const PARAMETER = '/app/database';
const APP = { user: 'app', password: 'app-password' };
const ref = migrationRef({
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  cutover: { pauseBudgetMs: 30_000, traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
});
const input = { ...ref, databases: DATABASES };
const schema = `keyshift_${ref.id.replaceAll('-', '_')}`;

type Switched = Extract<CutOverResult, { switched: true }>;

let lab: ActivityLab;
let steps: Steps;
let there: Switched;
let fences: FenceSet;

const fault = (operation: string, kind: string, more: object = {}) =>
  lab.standIn.control('POST', 'faults', { operation, kind, ...more });
const parameter = async () => (await lab.aws().ssm.send(new GetParameterCommand({ Name: PARAMETER }))).Parameter?.Value;
const addressOf = async (instance: string) => {
  const { Endpoint } = await lab.standIn.instance(instance);
  return `${Endpoint?.Address}:${Endpoint?.Port}`;
};
const asApplication = async (instance: string, statement: string) => {
  const app = await lab.standIn.connect(instance, { database: 'shop', ...APP });
  await app.query(statement).finally(() => app.end());
};
const notes = async (instance: string) =>
  (await lab.sql<{ note: string }>(instance, 'SELECT note FROM orders', 'shop')).map(({ note }) => note);

/**
 * An attempt whose worker is cut off from Temporal is taken over while its request is under way: the request takes effect, and an application
 * writes on the other side, while the next attempt stands in what it would have to drain.
 */
async function takenOverInFlight(pause: CutOverInput, to: string, note: string): Promise<Switched> {
  const id = pause.direction === 'back' ? 2 : 1;
  await lab.run('preparePause', pause);
  await fault('PutParameter', 'delay', { delayMs: 4_000, when: 'before' });
  const one = lab.start('cutOver', pause, 1);
  one.result.catch(() => undefined);
  await until('the first attempt writes the switch', async () => {
    const recorded = await lab.sql(to, `SELECT 1 FROM ${schema}.cutover WHERE id = ${id}`, 'ledger').catch(() => []);
    return recorded.length > 0;
  });
  const blocker: Client = await lab.standIn.connect(to, { database: 'shop' });
  await blocker.query(`SET default_transaction_read_only = off; BEGIN; LOCK TABLE ${schema}.fence IN SHARE MODE`);
  const two = lab.start('cutOver', pause, 2);
  const address = await addressOf(to);
  await until('traffic is switched', async () => (await parameter()) === address);
  await asApplication(to, `INSERT INTO orders (note) VALUES ('${note}')`);
  await blocker.query('ROLLBACK').catch(() => undefined);
  await blocker.end().catch(() => undefined);
  const result = await two.result;
  // The first one's request arrives at last, and changes nothing.
  await one.result.catch(() => undefined);
  await expect(parameter()).resolves.toBe(address);
  expect(result).toMatchObject({ switched: true, attempts: 2 });
  return result as Switched;
}

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  const Value = await addressOf(SOURCE);
  await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value }));
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
  await lab.run('prepareWayBack', input);
  fences = { fence: await fenceOf(lab, steps) };
});
afterEach(() => lab.standIn.control('DELETE', 'faults'));
afterAll(() => lab?.close());

it('gives the pause up at once where the only request was refused', async () => {
  await lab.run('preparePause', input);
  await fault('PutParameter', 'error', { code: 'ValidationException', status: 400, times: 10 });
  await expect(lab.run('cutOver', { ...input, ...fences })).resolves.toMatchObject({
    switched: false,
    reason: expect.stringContaining('ValidationException') as string,
  });
  await asApplication(SOURCE, `INSERT INTO orders (note) VALUES ('after the pause')`);
});

it('keeps the fence up while a request that erred may take effect, and goes forward when it does', async () => {
  await lab.run('preparePause', input);
  await fault('PutParameter', 'late', { delayMs: 3_000 });
  await fault('PutParameter', 'error', { code: 'ValidationException', status: 400, skip: 1, times: 10 });
  const running = lab.run('cutOver', { ...input, ...fences });
  const fenced = async () =>
    (await lab.sql(SOURCE, `SELECT 1 FROM pg_roles WHERE rolname = 'app' AND NOT rolcanlogin`).catch(() => [])).length >
    0;
  await until('the fence is up', fenced);
  const lookedAt: boolean[] = [];
  const target = await addressOf(TARGET);
  await until('traffic is switched', async () => {
    lookedAt.push(await fenced());
    return (await parameter()) === target;
  });
  expect(new Set(lookedAt)).toEqual(new Set([true]));
  await expect(running).resolves.toMatchObject({ switched: true });
  await asApplication(TARGET, `INSERT INTO orders (note) VALUES ('first on the target')`);
  // Back to where the next test begins.
  await lab.standIn.control('DELETE', 'faults');
  const Value = await addressOf(SOURCE);
  await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Value, Overwrite: true }));
  await lab.sql(TARGET, `DELETE FROM orders WHERE note = 'first on the target'`, 'shop');
  await lab.sql(TARGET, `DELETE FROM ${schema}.cutover`, 'ledger');
  await lab.snapshots.releaseAll();
  await lab.run('lowerFence', { ...input, ...fences });
});

it('is taken over while its request is under way: the way back begins before the first write on the target', async () => {
  there = await takenOverInFlight({ ...input, ...fences }, TARGET, 'acknowledged on the target');
  // It is not made twice: an attempt that comes again answers the same.
  const { wayBackFrom, pauseMs } = there;
  await expect(lab.run('cutOver', { ...input, ...fences }, 3)).resolves.toMatchObject({ wayBackFrom, pauseMs });
  await lab.run('startWayBack', { ...input, from: wayBackFrom ?? '' });
  await until('it came back to the old source', async () =>
    (await notes(SOURCE)).includes('acknowledged on the target'),
  );
});

it('is taken over in the other direction, too, and loses nothing', async () => {
  const board = await until('the way back has caught up', async () => {
    const found = await lab.run('readRollbackBoard', input);
    return found.red.length === 0 && found;
  });
  const back = { ...input, direction: 'back', fence: board.fence, others: board.others, fenceThere: fences } as const;
  await asApplication(TARGET, `INSERT INTO orders (note) VALUES ('last on the target')`);
  const result = await takenOverInFlight(back, SOURCE, 'acknowledged back home');
  const { targetSnapshots } = result;
  await expect(lab.run('proveContents', { ...back, targetSnapshots })).resolves.toMatchObject({ differences: [] });
  await expect(notes(SOURCE)).resolves.toEqual(
    expect.arrayContaining(['acknowledged on the target', 'last on the target', 'acknowledged back home']),
  );
});

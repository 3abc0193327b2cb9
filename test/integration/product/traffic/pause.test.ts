import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import type { Pooler } from '../../../../local/pgbouncer/pooler';
import type { MigrationRef } from '../../../../activities/dependencies';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { captureAndClone, createApplication, DATABASES, type Steps, subscribe } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { inPlan, PoolerLab } from '../../../support/pooler-lab';

const APP = { user: 'app', password: 'app-password' };
const SECRET = 'app-database';

let lab: ActivityLab;
let poolers: PoolerLab;
let pooler: Pooler;
let ref: MigrationRef;
let steps: Steps;

const secret = async () => {
  const { SecretString } = await lab.aws().secrets.send(new GetSecretValueCommand({ SecretId: SECRET }));
  return JSON.parse(SecretString ?? '') as Record<string, unknown>;
};
const portOf = async (instance: string) => (await lab.standIn.instance(instance)).Endpoint?.Port;

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  poolers = new PoolerLab(lab);
  pooler = await poolers.start(await poolers.entries('app-db', DATABASES), [APP]);
  const { Endpoint } = await lab.standIn.instance('app-db');
  const value = { engine: 'postgres', host: Endpoint?.Address, port: Endpoint?.Port, dbInstanceIdentifier: 'app-db' };
  await lab.aws().secrets.send(new CreateSecretCommand({ Name: SECRET, SecretString: JSON.stringify(value) }));
  ref = migrationRef({
    ...SMALLEST_PLAN,
    databases: [...DATABASES],
    soak: { wayBack: 'none' },
    cutover: {
      poolers: [inPlan(pooler)],
      fence: [{ type: 'pgbouncer' }],
      traffic: [
        { type: 'pgbouncer', file: pooler.databasesFile },
        { type: 'secrets-manager', secret: SECRET },
      ],
    },
  });
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
  await lab.run('applySettings', ref);
});
afterAll(async () => {
  await poolers?.close();
  await lab?.close();
});

/** Ids of rows that a client of the pooler writes, one after the other, until it is told to stop. Any error ends the test. */
function writer(database: string): { stop: () => Promise<number[]> } {
  let stopped = false;
  const writing = (async () => {
    const client = await poolers.connect(pooler, APP, database);
    const ids: number[] = [];
    while (!stopped) {
      const { rows } = await client.query<{ id: string }>(
        `INSERT INTO orders (note) VALUES ('through the pooler') RETURNING id`,
      );
      ids.push(Number(rows[0]?.id));
    }
    return ids;
  })();
  writing.catch(() => undefined);
  return {
    stop: () => {
      stopped = true;
      return writing;
    },
  };
}

it('moves clients behind a pooler without an error and without a row lost; who comes after it finds the other side', async () => {
  const writers = DATABASES.map(writer);
  const { fence, others = [], lines } = await lab.run('readGoNoGo', steps.input);
  expect(lines.filter(({ red }) => red)).toEqual([]);
  await lab.run('preparePause', steps.input);
  await expect(lab.run('cutOver', { ...steps.input, fence, others })).resolves.toMatchObject({
    switched: true,
    traffic: [{ what: expect.stringContaining('PgBouncer') as string }, { what: `secret ${SECRET}` }],
  });
  const target = await portOf('app-db-encrypted');
  await expect(secret()).resolves.toMatchObject({ port: target, dbInstanceIdentifier: 'app-db-encrypted' });
  for (const [index, database] of DATABASES.entries()) {
    const ids = (await writers[index]?.stop()) ?? [];
    expect(ids.length).toBeGreaterThan(10);
    expect(new Set(ids).size).toBe(ids.length);
    const rows = await lab.sql<{ id: string }>('app-db-encrypted', 'SELECT id FROM orders', database);
    const there = new Set(rows.map(({ id }) => Number(id)));
    expect(ids.filter((id) => !there.has(id))).toEqual([]);
  }
  await expect(lab.run('lowerFence', { ...steps.input, fence, others })).rejects.toMatchObject({
    type: 'AlreadySwitched',
  });
});

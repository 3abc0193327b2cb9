import { SAMPLE } from '../../local/app/names';
import { statementsOf } from '../support/psql';
import { holdCatchUp } from './support/hold-catch-up';
import {
  application,
  approve,
  gateIsOpen,
  progressOf,
  planFile,
  sample,
  signal,
  start,
  untilProgress,
} from './support/migration';
import { asMaster, eventually, inWorld } from './support/worlds';

/** Whoever changes the schema of the source during a migration gets the change for the target, as SQL that runs. */

/** The statements of a parked SchemaDrifted, per database: as of a client that sends them all at once. */
function scriptsOf(message: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { database = '', sql } of statementsOf(message.slice(message.indexOf('\n') + 1))) {
    found.set(database, `${found.get(database) ?? ''}${sql}\n`);
  }
  return found;
}

test('DDL on the source during catch-up parks with the SQL for the target; run there, the migration completes', () =>
  inWorld('drift', async (world) => {
    await sample(world);
    const app = await application(world);
    await world.startWorker();
    const gates = { 'reboot-source': { approval: false }, decommission: { approval: false } };
    await start(world, planFile(world, { gates, keep: { source: true } }));
    await untilProgress(world, 'the target is being restored', ({ steps }) =>
      steps.some(({ name, status }) => name === 'restore' && status === 'running'),
    );
    const release = await holdCatchUp(world, 'shop', 'orders');
    await untilProgress(world, 'the target catches up', ({ steps }) =>
      steps.some(({ name, status }) => name === 'catch-up' && status === 'running'),
    );
    await asMaster(world, SAMPLE.instance, 'shop', async (client) => {
      await client.query(`ALTER TABLE orders ADD COLUMN gift boolean NOT NULL DEFAULT false`);
      await client.query(`UPDATE orders SET gift = true WHERE id % 3 = 0`);
      await client.query(`CREATE TABLE vouchers (code text PRIMARY KEY, worth numeric(8, 2), CHECK (worth > 0))`);
      await client.query(`INSERT INTO vouchers SELECT 'V' || n, n FROM generate_series(1, 500) AS n`);
      await client.query(`GRANT SELECT ON vouchers TO PUBLIC`);
    });
    await release();
    const parked = await eventually(
      'the migration is parked',
      async () => {
        const progress = await progressOf(world);
        return progress?.parked;
      },
      { timeoutMs: 60_000, everyMs: 100 },
    );
    expect(parked).toMatchObject({ step: 'catch-up', type: 'SchemaDrifted' });
    for (const [database, sql] of scriptsOf(parked.message)) {
      await asMaster(world, SAMPLE.encryptedInstance, database, (client) => client.query(sql));
    }
    await signal(world, 'retry', { by: 'test' });
    await untilProgress(world, 'the cutover gate is open', gateIsOpen('cutover'));

    // One more while the gate is open: the approval comes too late, the board is looked at again.
    await asMaster(world, SAMPLE.instance, 'ledger', (client) =>
      client.query(`CREATE TABLE late (id integer PRIMARY KEY); INSERT INTO late VALUES (1), (2)`),
    );
    await approve(world, 'cutover');
    const again = await eventually('parked at the board', async () => (await progressOf(world))?.parked, {
      timeoutMs: 60_000,
      everyMs: 100,
    });
    expect(again).toMatchObject({ step: 'go-no-go', type: 'SchemaDrifted' });
    for (const [database, sql] of scriptsOf(again.message)) {
      await asMaster(world, SAMPLE.encryptedInstance, database, (client) => client.query(sql));
    }
    await signal(world, 'retry', { by: 'test' });
    await untilProgress(world, 'the cutover gate is open again', gateIsOpen('cutover'));
    await approve(world, 'cutover');
    const end = await untilProgress(world, 'the migration is completed', ({ status }) => status === 'completed');
    expect(end.steps.filter(({ status }) => status === 'failed')).toEqual([]);
    await app.stop();

    const onTarget = await asMaster(world, SAMPLE.encryptedInstance, 'shop', async (client) => {
      const { rows } = await client.query<{ gifts: string; vouchers: string; granted: boolean }>(
        `SELECT (SELECT count(*) FROM orders WHERE gift)::text AS gifts, (SELECT count(*) FROM vouchers)::text AS vouchers,
                (SELECT relacl::text LIKE '%{=r/%' OR relacl::text LIKE '%,=r/%' FROM pg_class WHERE relname = 'vouchers') AS granted`,
      );
      return rows[0];
    });
    expect(Number(onTarget?.gifts)).toBeGreaterThan(0);
    expect(onTarget).toMatchObject({ vouchers: '500', granted: true });
    const late = await asMaster(world, SAMPLE.encryptedInstance, 'ledger', (client) =>
      client.query('SELECT id FROM late ORDER BY id'),
    );
    expect(late.rows).toEqual([{ id: 1 }, { id: 2 }]);
  }));

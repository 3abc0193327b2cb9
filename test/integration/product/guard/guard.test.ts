import { waitFor } from '../../../../local/world/wait-for';
import { readChain, writeLink } from '../../../../activities/guard/mark-chain';
import { slotName } from '../../../../plan/names';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { captureAndClone, createApplication, DATABASES, type Steps, subscribe } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';

const SOURCE = SMALLEST_PLAN.source.instance;
const ref = migrationRef({ ...SMALLEST_PLAN, databases: [...DATABASES], acknowledge: ['wal-rate'] });

let lab: ActivityLab;
let steps: Steps;
beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
});
afterAll(() => lab?.close());

const slots = () =>
  lab.sql<{ slot: string; confirmed: string }>(
    SOURCE,
    `SELECT slot_name AS slot, confirmed_flush_lsn::text AS confirmed FROM pg_replication_slots ORDER BY 1`,
  );
const guard = (reportAfterMs: number) => lab.run('guardSource', { ...steps.input, reportAfterMs });

test('the slot of a database in which nobody writes moves', async () => {
  const before = await slots();
  const report = await guard(0);
  await guard(100);
  expect(report.source?.freeStoragePercent).toBeGreaterThan(50);
  await waitFor('every slot has moved', async () => {
    const now = await slots();
    return now.every(({ confirmed }, place) => confirmed !== before[place]?.confirmed);
  });
});

test('marks grow, also where the guard moves to a worker whose clock is behind', async () => {
  const client = await lab.standIn.connect(SOURCE, { database: 'shop' });
  try {
    const links = async () => [...(await readChain(client, ref.id))].map(([, mark]) => mark).sort();
    await writeLink(client, ref.id, 20, '2099-01-01T00:00:10.000Z');
    await writeLink(client, ref.id, 21, '2099-01-01T00:00:03.000Z');
    expect((await links()).slice(-2)).toEqual(['2099-01-01T00:00:10.000Z', '2099-01-01T00:00:10.000Z0']);
  } finally {
    await client.end();
  }
});

describe('apply that fails again and again', () => {
  const { target } = SMALLEST_PLAN;
  const onTarget = (statement: string) =>
    lab.sql(
      target.instance,
      `SET default_transaction_read_only = off; SET transaction_read_only = off; ${statement}`,
      'shop',
    );
  const boardLine = async () => {
    const { lines } = await lab.run('readGoNoGo', { ...steps.input, onlyLook: true });
    return lines.find(({ code }) => code === 'apply');
  };
  const why =
    /duplicate key value violates unique constraint "orders_pkey" \(processing remote data .*"public\.orders"/;

  test('is no trouble while it works', async () => {
    await expect(boardLine()).resolves.toEqual({ code: 'apply', red: false, text: 'apply works in 2 databases' });
  });

  test('is told by the guard, by the board and by whoever waits for it, with the error of the log but no row', async () => {
    await onTarget(`INSERT INTO orders VALUES (4711, 'in the way')`);
    await lab.sql(SOURCE, `INSERT INTO orders VALUES (4711, 'a secret')`, 'shop');
    const warned = await waitFor(
      'the guard warns',
      async () => (await guard(0)).warnings?.find(({ code }) => code === 'apply-fails-shop'),
      { timeoutMs: 120_000, everyMs: 2_000 },
    );
    expect(warned.text).toMatch(/^apply in database shop of app-db-encrypted has failed \d+ times at the same place/);
    expect(warned.text).toMatch(why);
    const board = await boardLine();
    expect(board).toMatchObject({ red: true, final: true, text: expect.stringMatching(why) as string });
    const failure = expect(lab.run('verifyContents', steps.input)).rejects;
    await failure.toMatchObject({ type: 'SubscriptionFailed', message: expect.stringMatching(why) as string });
    for (const text of [warned.text, board?.text]) {
      expect(text).not.toContain('4711');
      expect(text).not.toContain('secret');
    }
  });

  test('is over by itself when what was in the way is gone', async () => {
    await onTarget('DELETE FROM orders WHERE id = 4711');
    await waitFor('the board is green again', async () => (await boardLine())?.red === false, {
      timeoutMs: 120_000,
      everyMs: 2_000,
    });
    expect((await guard(0)).warnings ?? []).toEqual([]);
    await lab.run('waitForCatchUp', steps.input);
  });
});

test('statistics that can not be gathered fail at the table whose index asks for them', async () => {
  const onTarget = (statement: string) =>
    lab.sql(
      SMALLEST_PLAN.target.instance,
      `SET default_transaction_read_only = off; SET transaction_read_only = off; ${statement}`,
      'shop',
    );
  await onTarget(`CREATE FUNCTION kind(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT max(note) FROM orders';
    CREATE INDEX events_kind ON events (kind(what))`);
  await expect(lab.run('warmTarget', steps.input)).rejects.toMatchObject({ code: '42P01', table: 'public.events' });
  await onTarget('DROP FUNCTION kind(text) CASCADE');
  await lab.run('warmTarget', steps.input);
});

test('a source that runs out of storage is rid of our slots, and of ours only; the reason is kept', async () => {
  await lab.sql(SOURCE, `SELECT pg_create_logical_replication_slot('of_others', 'test_decoding')`);
  // Apply stands still, and the source keeps WAL for it.
  for (const database of DATABASES) {
    const name = slotName(ref, database);
    const [subscription] = await lab.sql<{ name: string }>(
      SMALLEST_PLAN.target.instance,
      `SELECT subname AS name FROM pg_subscription WHERE subslotname = '${name}'`,
      database,
    );
    await lab.sql(SMALLEST_PLAN.target.instance, `ALTER SUBSCRIPTION "${subscription?.name}" DISABLE`, database);
  }
  await lab.sql(
    SOURCE,
    `SELECT count(pg_logical_emit_message(false, 'fill', repeat('x', 16000000))) FROM generate_series(1, 16)`,
  );
  await lab.standIn.control('PATCH', `instances/${SOURCE}`, { ballastBytes: 96 * 2 ** 30 });
  // CloudWatch has a value of each minute; an answer of half a minute ago is not asked again.
  await expect(
    waitFor('the guard gives up', () => guard(0).then(() => undefined), { timeoutMs: 60_000, everyMs: 1_000 }),
  ).rejects.toMatchObject({
    type: 'SourceAtRisk',
    message: expect.stringMatching(/app-db has .* of free storage left .* They were dropped/) as string,
  });
  expect((await slots()).map(({ slot }) => slot)).toEqual(['of_others']);
  // Whoever looks next knows who dropped them.
  await expect(guard(0)).rejects.toMatchObject({ type: 'SourceAtRisk' });
});

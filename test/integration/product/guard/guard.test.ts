import type { Warning } from '../../../../activities/guard/judge-source';
import { waitFor } from '../../../../local/world/wait-for';
import { readChain, writeLink } from '../../../../activities/guard/mark-chain';
import { slotName } from '../../../../plan/names';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { captureAndClone, createApplication, DATABASES, type Steps, subscribe } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { until } from '../../../support/stand-in';

const SOURCE = SMALLEST_PLAN.source.instance;
const TARGET = SMALLEST_PLAN.target.instance;
const ref = migrationRef({ ...SMALLEST_PLAN, databases: [...DATABASES], acknowledge: ['wal-rate'] });

let lab: ActivityLab;
let steps: Steps;
beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  const nothing = () => Promise.resolve();
  steps = await captureAndClone(lab, ref, nothing, () => lab.sql(SOURCE, 'CREATE TABLE early (what text)', 'shop'));
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
    expect((await guard(0)).warnings?.filter(({ code }) => code.startsWith('apply-fails')) ?? []).toEqual([]);
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

describe('tables without a replica identity that come after the publication', () => {
  /** What the application and the drift's SQL make on both sides. */
  const TABLES = `
    CREATE SCHEMA "New One";
    CREATE TABLE "New One"."Bare" (what text);
    CREATE TABLE late_index (id int NOT NULL UNIQUE, note text);
    CREATE TABLE late_parts (day date NOT NULL) PARTITION BY RANGE (day);
    CREATE TABLE late_part PARTITION OF late_parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE late_json (doc json);
    CREATE UNLOGGED TABLE late_unlogged (what text)`;
  const GIVEN = [
    '"New One"."Bare" FULL',
    'public.early FULL',
    'public.late_index USING INDEX late_index_id_key',
    'public.late_part FULL',
  ];
  const remove = (table: string) => lab.sql(SOURCE, `DELETE FROM ${table}`, 'shop');
  const identities = async (instance: string) => {
    const rows = await lab.sql<{ line: string }>(
      instance,
      `SELECT relname || ' ' || relreplident::text AS line FROM pg_class WHERE relname IN ('Bare', 'early', 'late_index', 'late_part') ORDER BY 1`,
      'shop',
    );
    return rows.map(({ line }) => line);
  };
  const recorded = async (instance: string) => {
    const rows = await lab.sql<{ line: string }>(
      instance,
      `SELECT relation || ' ' || set_to AS line FROM keyshift_${ref.id.replaceAll('-', '_')}.replica_identity ORDER BY relation COLLATE "C"`,
      'shop',
    );
    return rows.map(({ line }) => line);
  };
  /** Comes back early, since there is something new to tell. */
  const watch = async () => (await guard(60_000)).warnings ?? [];
  const textOf = (warnings: readonly Warning[], code: string) =>
    warnings.find((one) => one.code.startsWith(code))?.text;

  it('have one before the slots are made: those may wait long for open transactions', async () => {
    await remove('early');
  });

  it('get the cheapest one within one interval, and what can be given none now is named with its command', async () => {
    await lab.sql(SOURCE, `${TABLES}; CREATE TABLE locked (what text)`, 'shop');
    for (const table of ['"New One"."Bare"', 'late_index', 'late_parts', 'late_json']) {
      await expect(remove(table)).rejects.toThrow(/does not have a replica identity and publishes deletes/);
    }
    const session = await lab.standIn.connect(SOURCE, { database: 'shop' });
    let warnings: readonly Warning[];
    try {
      await session.query('BEGIN; LOCK TABLE locked IN ACCESS SHARE MODE');
      const watching = watch();
      await until('it waits for the table', async () => {
        const waiting = await lab.sql(
          SOURCE,
          `SELECT FROM pg_stat_activity WHERE application_name LIKE 'keyshift/%/guard' AND wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
      // Whoever comes after it is held up for a second at most.
      await lab.sql(SOURCE, 'SELECT FROM locked', 'shop');
      warnings = await watching;
    } finally {
      await session.end();
    }
    for (const table of ['"New One"."Bare"', 'late_index', 'late_parts', 'late_unlogged']) await remove(table);
    expect(textOf(warnings, 'replica-identity-given-shop-20')).toMatch(/^Keyshift set the replica identity of /);
    const given = warnings
      .filter(({ code }) => code.startsWith('replica-identity-given-shop-'))
      .map(({ text }) => text);
    expect(given.join()).toContain('public.early (FULL) in database shop of app-db: ');
    expect(given.join()).toContain(
      '"New One"."Bare" (FULL), public.late_index (USING INDEX late_index_id_key), public.late_part (FULL) in database shop',
    );
    const left = textOf(warnings, 'no-replica-identity-shop') ?? '';
    expect(left).toMatch(
      /^UPDATE and DELETE FAIL ON app-db for public\.late_json \(FULL would not do: doc .* public\.locked \(somebody has it/,
    );
    const [command = ''] = /ALTER TABLE public\.late_json .*?;/.exec(left) ?? [];
    await lab.sql(SOURCE, command, 'shop');
    await remove('late_json');
  });

  it('are tried again at the next interval', async () => {
    const codes = (await watch()).map(({ code }) => code).filter((code) => code.includes('identity'));
    await remove('locked');
    await lab.sql(SOURCE, 'DROP TABLE locked', 'shop');
    expect(codes).toEqual(Array(3).fill(expect.stringMatching(/^replica-identity-given-shop-20/)));
  });

  it('are on the board', async () => {
    const { lines } = await lab.run('readGoNoGo', { ...steps.input, onlyLook: true });
    const texts = lines.filter(({ code, red }) => code === 'replica-identity' && !red).map(({ text }) => text);
    expect(texts).toHaveLength(GIVEN.length);
    expect(texts).toContainEqual(
      expect.stringMatching(
        /^public\.late_part in database shop of app-db has REPLICA IDENTITY FULL from Keyshift since 20.*Z: .*undone/,
      ),
    );
  });

  it('are recorded on both sides', async () => {
    const open = 'SET default_transaction_read_only = off; SET transaction_read_only = off;';
    const given = `ALTER TABLE "New One"."Bare" REPLICA IDENTITY FULL; ALTER TABLE late_part REPLICA IDENTITY FULL;
      ALTER TABLE late_index REPLICA IDENTITY USING INDEX late_index_id_key`;
    await lab.sql(TARGET, `${open} ${TABLES}; ${given}`, 'shop');
    await waitFor('the record is on the target', async () => (await recorded(TARGET)).length > GIVEN.length);
    expect((await recorded(TARGET)).filter((line) => !line.includes('locked'))).toEqual(GIVEN);
    expect(await identities(TARGET)).toEqual(['Bare f', 'early f', 'late_index i', 'late_part f']);
    expect(await identities(SOURCE)).toEqual(await identities(TARGET));
  });
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

test('what the guard has given is taken back with the publication, on both sides', async () => {
  await lab.run('removeReplication', { ...steps.input, serving: 'source' });
  for (const instance of [SOURCE, TARGET]) {
    const rows = await lab.sql<{ relname: string; identity: string }>(
      instance,
      `SELECT relname, relreplident AS identity FROM pg_class WHERE relname IN ('Bare', 'early', 'late_index', 'late_part') ORDER BY 1`,
      'shop',
    );
    expect(rows.map(({ relname, identity }) => `${relname} ${identity}`)).toEqual([
      'Bare d',
      'early d',
      'late_index d',
      'late_part d',
    ]);
    const schemas = await lab.sql(instance, `SELECT 1 FROM pg_namespace WHERE nspname LIKE 'keyshift%'`, 'shop');
    expect(schemas).toEqual([]);
  }
});

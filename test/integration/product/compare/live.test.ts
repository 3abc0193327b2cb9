import { setTimeout as sleep } from 'node:timers/promises';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { ApplicationFailure } from '@temporalio/common';
import { redLines } from '../../../../plan/board';
import { equalRowsText } from '../../../../plan/report';
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

const TARGET = 'app-db-encrypted';
const PARAMETER = '/app/database';
const APP = { user: 'app', password: 'app-password' };
const ref = migrationRef({
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  verify: { dutyPercent: 100 },
  cutover: { traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
});
const input = { ...ref, databases: DATABASES };
/** Transactions a second, by all writers together. */
const RATE = 500;
const WRITERS = 4;

let lab: ActivityLab;
let steps: Steps;

const onTarget = (statement: string) => lab.sql<Record<string, string>>(TARGET, statement, 'shop');
const onSource = (statement: string) => lab.sql('app-db', statement, 'shop');

/** An application at work on `orders` and `events`: rows come, change and go; row 1 changes in every third transaction. */
class Application {
  #stopped = false;
  #written = 0;
  #since = Date.now();
  readonly #writers: Promise<void>[];

  constructor() {
    this.#writers = Array.from({ length: WRITERS }, (_, n) => this.#write(n));
  }

  get rate(): number {
    return (this.#written * 1000) / (Date.now() - this.#since);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#writers);
  }

  async #write(writer: number): Promise<void> {
    const client = await lab.standIn.connect('app-db', { database: 'shop', ...APP });
    const statements = [
      (n: number) => `INSERT INTO orders (note) VALUES ('live ${writer} ${n}')`,
      (n: number) => `UPDATE orders SET note = 'hot ${writer} ${n}' WHERE id = 1`,
      (n: number) => `UPDATE orders SET note = 'changed ${n}' WHERE id = ${100 + (n % 300)} AND id NOT IN (200, 201)`,
      (n: number) =>
        `DELETE FROM orders WHERE id = (SELECT max(id) FROM orders WHERE note LIKE 'live ${writer} %' AND id % 5 = ${n % 5})`,
      (n: number) => `INSERT INTO events VALUES ('live ${writer} ${n % 10}')`,
      (n: number) => `UPDATE orders SET note = 'hot ${n}' WHERE id = 1`,
    ];
    try {
      for (let n = 0; !this.#stopped; n++) {
        await client.query((statements[n % statements.length] as (n: number) => string)(n));
        this.#written += 1;
        const due = this.#since + ((n + 1) * WRITERS * 1000) / RATE;
        if (due > Date.now()) await sleep(due - Date.now());
      }
    } finally {
      await client.end();
    }
  }
}

async function failureOf(running: Promise<unknown>): Promise<ApplicationFailure> {
  return running.then(
    () => {
      throw new Error('found nothing');
    },
    (error: unknown) => error as ApplicationFailure,
  );
}

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  const { Endpoint } = await lab.standIn.instance('app-db');
  const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
  await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value }));
  await onSource(`CREATE TABLE wide (id bigint PRIMARY KEY, a text, b text);
    INSERT INTO wide SELECT i, repeat(md5(i::text), 3), md5(i::text) FROM generate_series(1, 60000) AS i;
    GRANT ALL ON wide TO app;
    CREATE TABLE cents (amount numeric, at float8, doc jsonb, what text, touched int NOT NULL DEFAULT 0, twice int GENERATED ALWAYS AS (touched * 2) STORED);
    ALTER TABLE cents REPLICA IDENTITY FULL;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.touched := old.touched + 1; RETURN new; END $$;
    CREATE TRIGGER touch BEFORE UPDATE ON cents FOR EACH ROW EXECUTE FUNCTION touch();
    INSERT INTO cents VALUES (1.0, 0, '{"n":1.0}', 'same'), (1.00, '-0', '{"n":1.00}', 'same'), (1.000, 0, '{"n":1}', NULL), (2, 0, NULL, 'other')`);
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
  await lab.run('applySettings', ref);
  await lab.run('prepareWayBack', input);
});
afterAll(() => lab?.close());

describe('the warm-up', () => {
  it('reads tables, TOAST and indexes, leaves nothing behind, and goes on where an attempt that died had come to', async () => {
    const all = await lab.run('warmTarget', input);
    const [{ blocks: ofWide } = { blocks: '0' }] = await onTarget(
      `SELECT (pg_relation_size('wide') + pg_relation_size('wide_pkey')) / 8192 AS blocks`,
    );
    expect(all.notRead).toBeUndefined();
    expect(all.blocks).toBeGreaterThan(Number(ofWide));
    const [wide] = await onTarget(`SELECT 'wide_pkey'::regclass::oid AS oid`);
    const place = { databases: ['ledger'], oid: Number(wide?.oid), block: 0 };
    const resume = { ...place, relations: 100, blocks: 10_000, refused: 0 };
    const rest = await lab.run('warmTarget', input, 2, { resume });
    expect(rest.blocks).toBeGreaterThan(10_000);
    expect(rest.blocks).toBeLessThan(10_000 + all.blocks - 500);
    await expect(onTarget(`SELECT 1 FROM pg_extension WHERE extname = 'pg_prewarm'`)).resolves.toEqual([]);
  });

  it('is seen on the board as far as RDS says how the volume loads', async () => {
    await lab.standIn.control('PATCH', `instances/${TARGET}`, { storageLoadSeconds: 3_600 });
    const { lines } = await lab.run('readGoNoGo', input);
    await lab.standIn.control('PATCH', `instances/${TARGET}`, { storageLoadSeconds: 0 });
    expect(redLines(lines)).toEqual([]);
    expect(lines.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^storage of the target: Initializing, \d+ % done/),
    );
    const { lines: later } = await lab.run('readGoNoGo', input);
    expect(JSON.stringify(later)).not.toContain('Initializing');
  });
});

describe('the live comparison under 500 writes a second', () => {
  it('gives no false alarm and leaves nothing undecided, again and again, a row that never holds still included', async () => {
    const application = new Application();
    try {
      for (let round = 0; round < 5; round++) {
        await expect(lab.run('verifyContents', input)).resolves.toMatchObject({
          differences: [],
          undecided: 0,
          tables: 6,
        });
      }
      // How fast is for the bench to say; here it only has to write all the time.
      expect(application.rate).toBeGreaterThan(0.2 * RATE);
    } finally {
      await application.stop();
    }
  });

  it('finds real differences although their neighbours change, and names them by key and column', async () => {
    const application = new Application();
    try {
      await onTarget(`UPDATE orders SET note = note || ' ' WHERE id = 200; DELETE FROM orders WHERE id = 201;
        UPDATE wide SET b = NULL WHERE id = 31415; INSERT INTO events VALUES ('only here')`);
      const failure = await failureOf(lab.run('verifyContents', input));
      expect(failure.type).toBe('ContentsDiffer');
      expect(failure.message).toContain('(200) in note');
      expect(failure.message).toContain('(201) only on the source');
      expect(failure.message).toContain('(31415) in b');
      expect(failure.message).toMatch(/events: 0 only on the source, 1 only on the target, 0 different/);
      expect(failure.message).toContain('differ in 3 tables');
    } finally {
      await application.stop();
    }
    await onSource(`UPDATE orders SET note = note WHERE id = 200; UPDATE wide SET b = b WHERE id = 31415`);
    await onTarget(`DELETE FROM events WHERE what = 'only here'; INSERT INTO orders SELECT 201, '(fixed)'`);
    await onSource(`UPDATE orders SET note = '(fixed)' WHERE id = 201`);
    await expect(lab.run('verifyContents', input)).resolves.toMatchObject({ differences: [], undecided: 0 });
  });

  it('counts rows that are equal, but not identical, since apply could not tell them apart, and asks who accepts them', async () => {
    const amounts = async (instance: string) => {
      const line = `concat_ws(' ', amount, at, doc, what, touched, twice) AS line`;
      const rows = await lab.sql<{ line: string }>(instance, `SELECT ${line} FROM cents`, 'shop');
      return rows.map((row) => row.line).sort();
    };
    // On the target, the first of the two equal rows is changed.
    await onSource(`UPDATE cents SET what = 'changed' WHERE amount::text = '1.00'`);
    await lab.run('waitForCatchUp', input);
    const there = await amounts('app-db');
    const here = await amounts(TARGET);
    expect(here).not.toEqual(there);
    const compared = await lab.run('verifyContents', input);
    expect(compared).toMatchObject({
      differences: [],
      undecided: 0,
      equalRows: [{ database: 'shop', table: 'public.cents', rows: 1 }],
    });
    // Nobody but apply writes on the target.
    expect(await amounts(TARGET)).toEqual(here);
    const equal = equalRowsText(compared) ?? '';
    expect(equal).toBe(
      'rows equal, not identical (1.0 and 1.00), in tables with REPLICA IDENTITY FULL and no key: shop public.cents 1',
    );
    const known = { warmUp: 'done', verify: { at: new Date().toISOString(), what: 'all', equal } };
    const { lines } = await lab.run('readGoNoGo', { ...input, known });
    expect(redLines(lines)).toEqual([{ code: 'last-verify', red: true, text: equal }]);
  });

  it('takes none for equal where one is different', async () => {
    await onTarget(`SET session_replication_role = replica; UPDATE cents SET amount = 3 WHERE what = 'other'`);
    const failure = await failureOf(lab.run('verifyContents', input));
    expect(failure.message).toMatch(/public\.cents: \d only on the source, \d only on the target/);
    await onTarget(`SET session_replication_role = replica; UPDATE cents SET amount = 2 WHERE what = 'other'`);
    await expect(lab.run('verifyContents', input)).resolves.toMatchObject({
      differences: [],
      equalRows: [{ rows: 1 }],
    });
  });

  it('goes on where an attempt that died had come to', async () => {
    const done = {
      databases: ['ledger'],
      upTo: 'public.orders',
      tables: 4,
      rows: 1_000,
      undecided: 0,
      changedSince: 0,
      goneSince: 0,
      differences: [],
      open: {},
    };
    const { rows } = await lab.run('verifyContents', input, 2, { resume: done });
    // Of the two databases only `wide` was left.
    expect(rows).toBe(61_000);
  });
});

describe('a row that is corrupted behind our back between the approval and the cutover', () => {
  it('is found by the proof, while applications already write to the target', async () => {
    await onTarget(`UPDATE wide SET a = overlay(a placing 'X' from 5) WHERE id = 2718`);
    const switched = await lab.run('cutOver', { ...input, fence: await fenceOf(lab, steps) });
    if (!switched.switched) throw new Error(switched.reason);
    expect(switched.timeline.find(({ step }) => step === 'snapshots')?.ms).toBeLessThan(50);
    const { targetSnapshots } = switched;
    // What applications do on the target from now on is no difference: writes, deletes, a table emptied.
    await onTarget(`UPDATE wide SET b = 'new' WHERE id < 100; DELETE FROM wide WHERE id BETWEEN 200 AND 300;
      INSERT INTO wide SELECT i, 'a', 'b' FROM generate_series(100001, 101000) AS i; TRUNCATE events`);
    const failure = await failureOf(lab.run('proveContents', { ...input, targetSnapshots }));
    expect(failure.type).toBe('ContentsDiffer');
    expect(failure.message).toContain('differ in 1 table:');
    expect(failure.message).toContain(
      'shop public.wide: 0 only on the source, 0 only on the target, 1 different; for example (2718) in a',
    );

    // The snapshots are gone now. By row versions it is found as well, and nothing else.
    const again = await failureOf(lab.run('proveContents', { ...input, targetSnapshots }, 2));
    expect(again.message).toContain('(2718) in a');
    expect(again.message).toContain('differ in 1 table:');
    await onTarget(`UPDATE wide SET a = repeat(md5('2718'), 3) WHERE id = 2718`);
    await expect(lab.run('proveContents', { ...input, targetSnapshots }, 3)).resolves.toMatchObject({
      method: 'row-versions',
      tablesBySnapshot: 0,
      differences: [],
      // What was equal at the cutover, but not identical, is told, and is nothing to stop for.
      equalRows: [{ database: 'shop', table: 'public.cents', rows: 1 }],
      sequencesBehind: [],
    });
  });
});

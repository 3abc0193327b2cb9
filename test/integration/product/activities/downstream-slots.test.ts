import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { Client } from 'pg';
import type { CutOverResult } from '../../../../activities/cutover/cut-over-input';
import { compareLsn } from '../../../../plan/lsn';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  fenceOf,
  ordersOf,
  type Steps,
  subscribe,
  writeOrders,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';

const SOURCE = 'app-db';
const TARGET = 'app-db-encrypted';
const PARAMETER = '/app/database';

/** Somebody downstream: what it has read, in the order in which it came. */
interface Reader {
  readonly slot: string;
  readonly plugin: 'test_decoding' | 'pgoutput';
  readonly database: (typeof DATABASES)[number];
  readonly read: string[];
}

const reader = (slot: string, plugin: Reader['plugin'], database: Reader['database'] = 'shop'): Reader => ({
  slot,
  plugin,
  database,
  read: [],
});

/** Slots of others, with readers that consume before and after the cutover. */
describe('slots of others', () => {
  const ref = migrationRef({
    ...SMALLEST_PLAN,
    databases: [...DATABASES],
    carry: { slots: 'recreate' },
    cutover: { pauseBudgetMs: 5_000, traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
  });
  const input = { ...ref, databases: DATABASES };
  const [debezium, fivetran, ledger] = [
    reader('debezium', 'test_decoding'),
    reader('fivetran', 'pgoutput'),
    reader('ledger_feed', 'test_decoding', 'ledger'),
  ];
  const readers = [debezium, fivetran, ledger];
  let lab: ActivityLab;
  let steps: Steps;
  let there: Extract<CutOverResult, { switched: true }>;
  let fence: Awaited<ReturnType<typeof fenceOf>>;
  const opened: Client[] = [];

  /** Takes what is in the slot, and confirms it; notes of orders are what counts. */
  async function consume({ slot, plugin, database, read }: Reader, instance: string, upTo = 'NULL'): Promise<void> {
    const sql =
      plugin === 'test_decoding'
        ? `SELECT data AS line FROM pg_logical_slot_get_changes('${slot}', ${upTo}, NULL) WHERE data LIKE 'table public.orders: INSERT%'`
        : `SELECT encode(data, 'escape') AS line
             FROM pg_logical_slot_get_binary_changes('${slot}', ${upTo}, NULL, 'proto_version', '1', 'publication_names', 'feed')
            WHERE get_byte(data, 0) = ascii('I')`;
    for (const { line } of await lab.sql<{ line: string }>(instance, sql, database)) {
      const note = /(?:row|between|after|before)[a-z0-9 ]+\d/.exec(line)?.[0];
      if (!note) throw new Error(`a row without a note: ${line}`);
      read.push(note);
    }
  }
  const slotsOn = async (instance: string) =>
    (
      await lab.sql<{ name: string }>(
        instance,
        `SELECT slot_name AS name FROM pg_replication_slots WHERE slot_name NOT LIKE 'keyshift%' ORDER BY 1`,
      )
    ).map(({ name }) => name);

  /** A reader that streams, as Debezium does, and lets go only when it is made to. */
  async function stream({ slot, database }: Reader, instance: string): Promise<{ ended: Promise<void> }> {
    const client = await lab.standIn.connect(instance, { database, replication: true });
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    opened.push(client);
    client.query(`START_REPLICATION SLOT ${slot} LOGICAL 0/0`).catch(() => undefined);
    for (;;) {
      const [one] = await lab.sql<{ active: boolean }>(
        instance,
        `SELECT active FROM pg_replication_slots WHERE slot_name = '${slot}'`,
      );
      if (one?.active) return { ended };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  beforeAll(async () => {
    lab = await ActivityLab.open();
    await createApplication(lab);
    await lab.sql(SOURCE, 'CREATE PUBLICATION feed FOR TABLE orders', 'shop');
    const { Endpoint } = await lab.standIn.instance(SOURCE);
    const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
    await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value }));
    steps = await captureAndClone(lab, ref);
    await subscribe(lab, steps);
    for (const { slot, plugin, database } of readers) {
      await lab.sql(
        SOURCE,
        `SELECT pg_create_logical_replication_slot('${slot}', '${plugin}', false, ${slot === 'ledger_feed'})`,
        database,
      );
    }
    await lab.run('prepareWayBack', input);
  });
  afterAll(async () => {
    for (const client of opened) await client.end().catch(() => undefined);
    await lab?.close();
  });

  it('are announced by the preflight', async () => {
    const { checks } = await lab.run('runPreflight', ref);
    expect(checks.find(({ code }) => code === 'replication-slots')).toMatchObject({
      level: 'ok',
      message: expect.stringMatching(/3 replication slots of others, made anew on the target/) as string,
    });
  });

  it('are made on the target before the pause, and dropped again where it is given up', async () => {
    await lab.twice('preparePause', input);
    await expect(slotsOn(TARGET)).resolves.toEqual(['debezium', 'fivetran', 'ledger_feed']);
    const [twoPhase] = await lab.sql(
      TARGET,
      `SELECT two_phase FROM pg_replication_slots WHERE slot_name = 'ledger_feed'`,
    );
    expect(twoPhase).toEqual({ two_phase: true });
    await lab.twice('dropIdleSlots', input);
    await expect(slotsOn(TARGET)).resolves.toEqual([]);
  });

  it('go to the target at the fence', async () => {
    await writeOrders(lab, 'row of the source');
    for (const one of [debezium, fivetran]) await consume(one, SOURCE);
    await writeOrders(lab, 'row not read yet');
    await lab.run('preparePause', input);
    // Replicated behind the new slots: their readers have it from the old ones.
    await writeOrders(lab, 'row before the fence');
    fence = await fenceOf(lab, steps);
    there = (await lab.run('cutOver', { ...input, fence })) as typeof there;
    expect(there.switched).toBe(true);
    await writeOrders(lab, 'row first on the target', TARGET);

    const early = await stream(debezium, TARGET);
    await consume(ledger, SOURCE);
    const from = there.wayBackFrom ?? '';
    const { fenceLsn } = there;
    const { moved, left } = await lab.run('moveSlots', { ...input, from, fenceLsn });
    await early.ended;
    await expect(lab.run('moveSlots', { ...input, from, fenceLsn }, 2)).resolves.toEqual({ moved, left });
    expect(left).toEqual([]);
    const at = { fenceLsn, newPosition: from };
    expect(moved).toMatchObject([
      { slot: 'debezium', database: 'shop', plugin: 'test_decoding', ...at },
      { slot: 'fivetran', database: 'shop', plugin: 'pgoutput', ...at },
      { slot: 'ledger_feed', database: 'ledger', plugin: 'test_decoding', ...at },
    ]);
    // Who had read all of it, and who had not.
    expect(moved.map(({ oldConfirmed }) => compareLsn(oldConfirmed, fenceLsn) >= 0)).toEqual([false, false, true]);

    await lab.run('startWayBack', { ...input, from });
    await writeOrders(lab, 'row later on the target', TARGET);
    await lab.run('waitForCatchUp', { ...input, direction: 'back' });
  });

  it('give every row exactly once to who reads the old slot to the fence, and then the new one', async () => {
    const phases = ['of the source', 'not read yet', 'before the fence', 'first on the target', 'later on the target'];
    const expected = phases.flatMap((phase) => [1, 2, 3, 4, 5].map((n) => `row ${phase} ${n}`));
    await consume(debezium, SOURCE, `'${there.fenceLsn}'`);
    await consume(fivetran, SOURCE, `'${there.fenceLsn}'`);
    for (const one of readers) {
      await consume(one, TARGET);
      expect(one.read).toEqual(expected);
    }
    await expect(ordersOf(lab, SOURCE, 'shop')).resolves.toEqual(await ordersOf(lab, TARGET, 'shop'));
  });

  it('are dropped from the target when the migration was rolled back, whoever reads there', async () => {
    const back = { ...input, direction: 'back' as const };
    const board = await lab.run('readRollbackBoard', input);
    await lab.run('preparePause', back);
    await expect(
      lab.run('cutOver', {
        ...back,
        fence: board.fence,
        ...(board.others ? { others: board.others } : {}),
        fenceThere: { fence },
      }),
    ).resolves.toMatchObject({ switched: true });
    const reading = await stream(debezium, TARGET);
    // Its old slot is gone meanwhile: what was moved is known by name.
    await lab.sql(SOURCE, `SELECT pg_drop_replication_slot('ledger_feed')`);
    await lab.twice('dropIdleSlots', { ...input, slots: readers.map(({ slot }) => slot), endReaders: true });
    await reading.ended;
    await expect(slotsOn(TARGET)).resolves.toEqual([]);
    await expect(slotsOn(SOURCE)).resolves.toEqual(['debezium', 'fivetran']);
  });
});

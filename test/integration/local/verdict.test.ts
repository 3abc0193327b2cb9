import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabases, withClient, type Login } from '../../../local/app/databases';
import { NoteBook, readNotes, type Note } from '../../../local/app/notes';
import { DATABASES } from '../../../local/app/schema';
import { Writer } from '../../../local/app/writer';
import { judgeContents, type Contents } from '../../../local/demo/verdict/contents';
import { waitFor } from '../../../local/world/wait-for';
import { BareServer } from '../../support/postgres';

const MASTER: Login = { user: 'rdsadmin', password: 'unused' };
const APP: Login = { user: 'app', password: 'unused' };

/**
 * The whole of the sample application and of the verdict without AWS and Temporal: the writer writes to one server, goes on on its
 * copy, and then somebody tampers with the copy.
 */
describe('the verdict', () => {
  let folder: string;
  let source: BareServer;
  let target: BareServer;
  let notesFile: string;
  let notes: Note[];

  const judge = (): Promise<Contents> =>
    judgeContents({ server: source.address, login: MASTER }, { server: target.address, login: MASTER }, notesFile);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyshift-verdict-'));
    notesFile = join(folder, 'notes.jsonl');
    source = await BareServer.create();
    await createDatabases(source.address, MASTER, APP, 4_000);

    let endpoint = source.endpoint;
    const book = new NoteBook(notesFile);
    const endpoints = { current: async () => endpoint, refresh: async () => endpoint };
    const writer = new Writer({ endpoints, credentials: APP, connections: 6, rate: 400, notes: book });
    writer.start();
    await waitFor('writes on the source', () => writer.totals.acknowledged > 1_000);
    // The server goes away under the writer: commits under way stay unknown, and nobody is let in until the copy is there.
    const login = (server: BareServer, may: string): Promise<unknown> =>
      withClient(server.address, MASTER, 'postgres', (client) => client.query(`ALTER ROLE app ${may}`));
    await login(source, 'NOLOGIN');
    target = await source.twin();
    endpoint = target.endpoint;
    await login(target, 'LOGIN');
    const before = writer.totals.acknowledged;
    await waitFor('writes on the target', () => writer.totals.acknowledged > before + 600);
    await writer.stop();
    notes = [];
    for await (const note of readNotes(notesFile)) notes.push(note);
    for (const database of DATABASES) {
      await withClient(target.address, MASTER, 'postgres', (client) =>
        client.query(`CREATE DATABASE ${database}_untouched TEMPLATE ${database}`),
      );
    }
  });

  afterAll(async () => {
    await source?.remove();
    await target?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  afterEach(async () => {
    await withClient(target.address, MASTER, 'postgres', async (client) => {
      for (const database of DATABASES) {
        await client.query(`DROP DATABASE ${database} WITH (FORCE)`);
        await client.query(`CREATE DATABASE ${database} TEMPLATE ${database}_untouched`);
      }
    });
  });

  const onTarget = (database: string, ...statements: string[]): Promise<void> =>
    withClient(target.address, MASTER, database, async (client) => {
      await client.query('SET session_replication_role = replica');
      for (const statement of statements) {
        const { rowCount } = await client.query(statement);
        expect(rowCount).toBeGreaterThan(0);
      }
    });

  /** The last acknowledged write of a row that was not touched again, before or after the cutover. */
  const lastWrite = (table: string, what: string, side: BareServer): string => {
    const touched = new Map<string, string>();
    for (const { outcome, endpoint, writes } of notes) {
      if (outcome === 'failed') continue;
      for (const [name, done, uid] of writes) touched.set(`${name} ${uid}`, `${outcome} ${done} ${endpoint}`);
    }
    const wanted = `acknowledged ${what} ${side.endpoint}`;
    const found = [...touched].find(([key, value]) => key.startsWith(`${table} `) && value === wanted);
    if (!found) throw new Error(`no ${table} with ${wanted}`);
    return found[0].slice(table.length + 1);
  };

  it('finds nothing wrong with what is right', async () => {
    const contents = await judge();
    expect(contents.examples).toEqual([]);
    expect(contents.behind).toEqual([]);
    expect(contents).toMatchObject({ missing: 0, duplicated: 0, stale: 0, mismatches: 0, tables: 13 });
    expect(contents.rowsCompared).toBeGreaterThan(4_000);
    expect(contents.notes.acknowledged).toBeGreaterThan(1_600);
  });

  it('the application used everything that it has', () => {
    const done = new Set(
      notes.flatMap(({ database, writes }) => writes.map(([table, what]) => `${database}.${table} ${what}`)),
    );
    for (const table of ['shop.products', 'shop.customers', 'ledger.entries'])
      expect(done).toContain(`${table} update`);
    for (const table of ['shop.orders', 'shop.order_items', 'shop.stock_levels', 'ledger.accounts']) {
      expect(done).toContain(`${table} delete`);
    }
    expect(done).toContain('shop.customer_audit insert');
    expect(done).toContain('shop.events insert');
    expect(done).toContain('ledger.events insert');
    expect(notes.filter(({ outcome }) => outcome === 'failed').map(({ code }) => code)).not.toContain('ROW_CHANGED');
  });

  it.each(['before', 'after'])('finds a row that was written %s the cutover and is gone', async (when) => {
    const uid = lastWrite('events', 'insert', when === 'before' ? source : target);
    const { database } = notes.find(({ writes }) => writes.some((write) => write[2] === uid)) ?? {};
    await onTarget(database ?? '', `DELETE FROM events WHERE uid = '${uid}'`);
    await expect(judge()).resolves.toMatchObject({ missing: 1, mismatches: 1, duplicated: 0, stale: 0 });
  });

  it.each(['before', 'after'])('finds a row written %s the cutover in an older version', async (when) => {
    const uid = lastWrite('entries', 'update', when === 'before' ? source : target);
    await onTarget('ledger', `UPDATE entries SET version = version - 1 WHERE uid = '${uid}'`);
    await expect(judge()).resolves.toMatchObject({ stale: 1, mismatches: 1, missing: 0, duplicated: 0 });
  });

  it.each(['before', 'after'])('finds a row that was deleted %s the cutover and is back', async (when) => {
    const uid = lastWrite('accounts', 'delete', when === 'before' ? source : target);
    await onTarget('ledger', `INSERT INTO accounts (id, uid, currency) VALUES (-1, '${uid}', 'EUR')`);
    await expect(judge()).resolves.toMatchObject({ stale: 1, mismatches: 1, missing: 0, duplicated: 0 });
  });

  it('finds a row that is there twice', async () => {
    await onTarget('shop', 'INSERT INTO events SELECT * FROM (SELECT * FROM events LIMIT 3) e');
    await expect(judge()).resolves.toMatchObject({ duplicated: 3, missing: 0, stale: 0 });
  });

  it('finds a change that the version does not show, in one column of one seeded row', async () => {
    const somewhere = `ctid = (SELECT ctid FROM documents WHERE title LIKE 'document %' AND version = 1 LIMIT 1)`;
    await onTarget('shop', `UPDATE documents SET attachment = attachment || '\\x00' WHERE ${somewhere}`);
    await expect(judge()).resolves.toMatchObject({ mismatches: 1, missing: 0, duplicated: 0, stale: 0 });
  });

  it('finds a row that nobody wrote, and a table that one side lacks', async () => {
    await onTarget('shop', `INSERT INTO events (uid, what) VALUES (gen_random_uuid(), 'invented')`);
    await expect(judge()).resolves.toMatchObject({ mismatches: 1 });
    await onTarget('ledger', 'CREATE TABLE extra AS SELECT 1 AS id');
    await expect(judge()).resolves.toMatchObject({ mismatches: 3 });
  });

  it.each([
    [
      'shop',
      'one short of what rows have',
      `SELECT setval('customers_id_seq', (SELECT max(id) FROM customers), false)`,
    ],
    ['shop', 'not fed to a column', `SELECT setval('stock_sku', 1)`],
    ['ledger', 'counting by ten', `SELECT setval('statements_id_seq', (SELECT max(id) FROM statements) - 10)`],
  ])('finds a sequence of %s that is behind: %s', async (database, _, statement) => {
    await onTarget(database, statement);
    const contents = await judge();
    expect(contents.behind).toHaveLength(1);
    expect(contents.mismatches).toBe(0);
  });
});

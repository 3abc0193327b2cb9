import { Client } from 'pg';
import { compareSchemas, type SchemaDifference } from '../../../../activities/drift/compare-schemas';
import { describeDatabase } from '../../../../activities/drift/describe-database';
import { fingerprintSchema } from '../../../../activities/drift/fingerprint';
import { BareServer } from '../../../support/postgres';
import { CASES, FIXTURE } from './cases';

/** Drift, said as SQL: whatever is changed on one side, the statements that are found make the other side like it. */

const MIGRATION = 'drift';

async function connect(server: BareServer, database: string): Promise<Client> {
  const client = new Client({ ...server.address, user: 'rdsadmin', database });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SET search_path = pg_catalog');
  return client;
}

async function difference(source: Client, target: Client, shared = false): Promise<SchemaDifference> {
  return compareSchemas(
    await describeDatabase(source, MIGRATION, shared),
    nameless(await describeDatabase(target, MIGRATION, shared)),
  );
}

/** In the tests both databases are in one server, so they have different names. */
const nameless = (objects: Awaited<ReturnType<typeof describeDatabase>>): typeof objects =>
  JSON.parse(JSON.stringify(objects).replaceAll('keyshift_two', 'keyshift_one')) as typeof objects;

async function runAll(client: Client, statements: readonly string[]): Promise<void> {
  await client.query('SET check_function_bodies = off');
  for (const statement of statements) {
    await client.query(statement.replaceAll('keyshift_one', 'keyshift_two')).catch((error: Error) => {
      throw new Error(`${statement}: ${error.message}\n${statements.join(';\n')}`);
    });
  }
}

describe.each([13, 18] as const)('PostgreSQL %s', (major) => {
  let server: BareServer;
  let source: Client;
  let target: Client;

  beforeAll(async () => {
    server = await BareServer.create(major);
    const first = await connect(server, 'postgres');
    await first.query('CREATE ROLE reader');
    await first.query('CREATE ROLE writer');
    await first.query('CREATE DATABASE keyshift_one');
    await first.query('CREATE DATABASE keyshift_two');
    await first.end();
    [source, target] = [await connect(server, 'keyshift_one'), await connect(server, 'keyshift_two')];
    for (const client of [source, target]) await client.query(FIXTURE);
  });

  afterAll(async () => {
    await Promise.all([source.end(), target.end()]);
    await server.remove();
  });

  test('equal databases have no difference', async () => {
    expect(await difference(source, target)).toEqual({ found: [], sql: [], byHand: [] });
  });

  test.each(CASES.filter(({ since = 13 }) => since <= major))('$change', async ({ change, byHand, oneWay }) => {
    const before = await fingerprintSchema(source, MIGRATION);
    if (!byHand && !oneWay) {
      // Too much on the target is taken back.
      await target.query(change);
      const back = await difference(source, target);
      expect(back.found).not.toEqual([]);
      expect(back.byHand).toEqual([]);
      await runAll(target, back.sql);
      expect(await difference(source, target)).toEqual({ found: [], sql: [], byHand: [] });
    }
    await source.query(change);
    expect(await fingerprintSchema(source, MIGRATION)).not.toBe(before);
    const forth = await difference(source, target);
    expect(forth.found).not.toEqual([]);
    if (byHand) {
      expect(forth.byHand).not.toEqual([]);
      await target.query(change);
    } else {
      expect(forth.byHand).toEqual([]);
      await runAll(target, forth.sql);
    }
    expect(await difference(source, target)).toEqual({ found: [], sql: [], byHand: [] });
  });

  test('rows, statistics, temporary tables and vacuum change no fingerprint', async () => {
    const before = await fingerprintSchema(source, MIGRATION);
    await source.query(`INSERT INTO app.lines (order_id) OVERRIDING SYSTEM VALUE VALUES (2)`).catch(() => undefined);
    await source.query('CREATE TEMPORARY TABLE passing (id integer PRIMARY KEY)');
    await source.query('VACUUM ANALYZE');
    await source.query('REFRESH MATERIALIZED VIEW app.daily');
    expect(await fingerprintSchema(source, MIGRATION)).toBe(before);
  });
});

test('roles, their attributes, memberships and settings', async () => {
  const servers = await Promise.all([BareServer.create(16), BareServer.create(16)]);
  const clients = await Promise.all(servers.map((server) => connect(server, 'postgres')));
  try {
    const [source, target] = clients as [Client, Client];
    for (const change of [
      `CREATE ROLE "Odd Role" LOGIN CONNECTION LIMIT 5 VALID UNTIL '2030-01-01'`,
      `CREATE ROLE team NOINHERIT; GRANT team TO "Odd Role" WITH ADMIN OPTION`,
      `ALTER ROLE team CREATEDB BYPASSRLS`,
      `ALTER ROLE "Odd Role" SET search_path = a, "$user"; ALTER ROLE "Odd Role" SET work_mem = '64MB'`,
      `ALTER ROLE "Odd Role" NOLOGIN; ALTER ROLE "Odd Role" RESET work_mem; REVOKE ADMIN OPTION FOR team FROM "Odd Role"`,
      `REVOKE team FROM "Odd Role"; DROP ROLE team`,
    ]) {
      await source.query(change);
      const found = await difference(source, target, true);
      expect(found.found).not.toEqual([]);
      await runAll(target, found.sql);
      expect(await difference(source, target, true)).toEqual({ found: [], sql: [], byHand: [] });
    }
  } finally {
    for (const client of clients) await client.end();
    for (const server of servers) await server.remove();
  }
});

test('ten thousand tables are fingerprinted in well under a few seconds', async () => {
  const server = await BareServer.create(16);
  const client = await connect(server, 'postgres');
  try {
    for (let start = 0; start < 10_000; start += 500) {
      await client.query(
        `DO $$ BEGIN FOR n IN ${start}..${start + 499} LOOP
           EXECUTE format('CREATE TABLE public.t%s (id integer PRIMARY KEY, a text DEFAULT ''x'', b numeric NOT NULL, c timestamptz)', n); END LOOP; END $$`,
      );
    }
    const startedAt = Date.now();
    await fingerprintSchema(client, MIGRATION);
    const fingerprintMs = Date.now() - startedAt;
    const objects = await describeDatabase(client, MIGRATION);
    const describeMs = Date.now() - startedAt - fingerprintMs;
    console.info(
      `10,000 tables: fingerprint ${fingerprintMs} ms, description ${describeMs} ms of ${objects.length} objects`,
    );
    expect(fingerprintMs).toBeLessThan(5_000);
  } finally {
    await client.end();
    await server.remove();
  }
});

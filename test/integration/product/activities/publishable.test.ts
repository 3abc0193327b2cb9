import { Client } from 'pg';
import { bareTables, remedyOf } from '../../../../activities/preflight/schema/replica-identity';
import { BareServer } from '../../../support/postgres';

const TABLES = `
  CREATE TABLE keyed (id int PRIMARY KEY);
  CREATE TABLE keyed_generated (id int PRIMARY KEY, half int, twice int GENERATED ALWAYS AS (half * 2) STORED);
  CREATE TABLE full_plain (what text); ALTER TABLE full_plain REPLICA IDENTITY FULL;
  CREATE TABLE full_generated (half int, twice int GENERATED ALWAYS AS (half * 2) STORED);
  ALTER TABLE full_generated REPLICA IDENTITY FULL;
  CREATE TABLE full_keyed_generated (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
  ALTER TABLE full_keyed_generated REPLICA IDENTITY FULL;
  CREATE TABLE bare (what text);
  CREATE TABLE bare_generated (half int, twice int GENERATED ALWAYS AS (half * 2) STORED);
  CREATE TABLE bare_deferrable (id int PRIMARY KEY DEFERRABLE);
  CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
  CREATE TABLE parent (id int, day date NOT NULL) PARTITION BY RANGE (day);
  CREATE TABLE "Part 1" PARTITION OF parent FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE UNLOGGED TABLE unlogged (what text)`;

/** What the server says of each table, published or not: it looks before it reads a row, so EXPLAIN is enough. */
async function refusedBy(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'parent' ORDER BY 1`,
  );
  const refused: string[] = [];
  for (const { name } of rows) {
    const says = await client.query(`EXPLAIN DELETE FROM ${name}`).catch((error: Error) => error);
    if (says instanceof Error) refused.push(name);
  }
  return refused;
}

describe.each([14, 16, 18] as const)('PostgreSQL %s, with everything published', (major) => {
  let server: BareServer;
  let client: Client;
  beforeAll(async () => {
    server = await BareServer.asRds(major);
    client = new Client({ ...server.address, user: 'master', database: 'postgres' });
    await client.connect();
    await client.query(TABLES);
    if (major >= 18) {
      await client.query(
        'CREATE TABLE full_virtual (half int, twice int GENERATED ALWAYS AS (half * 2)); ALTER TABLE full_virtual REPLICA IDENTITY FULL',
      );
    }
  });
  afterAll(async () => {
    await client?.end();
    await server?.remove();
  });

  it('refuses to write to the tables that the preflight names, and to no others, until their remedies are run', async () => {
    const bare = await bareTables(client);
    await client.query('CREATE PUBLICATION all_of_it FOR ALL TABLES');
    expect(bare.map(({ name }) => name).sort()).toEqual((await refusedBy(client)).sort());
    expect(bare.length).toBeGreaterThan(3);
    for (const table of bare) await client.query(remedyOf(table));
    await expect(refusedBy(client)).resolves.toEqual([]);
    await expect(bareTables(client)).resolves.toEqual([]);
  });
});

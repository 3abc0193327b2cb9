import { Client, escapeIdentifier } from 'pg';
import { countObjects } from '../../../../activities/compare/inventory';
import type { CatalogObject } from '../../../../activities/drift/catalog/part';
import { compareSchemas, type SchemaDifference } from '../../../../activities/drift/compare-schemas';
import { describeDatabase } from '../../../../activities/drift/describe-database';
import { fingerprintSchema } from '../../../../activities/drift/fingerprint';
import { printDrift } from '../../../../activities/drift/print-drift';
import { readLoginRoles, readPasswordDigests } from '../../../../activities/settings/password-digests';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { BareServer } from '../../../support/postgres';
import { runScript, withDeletions } from '../../../support/psql';
import { withEventTriggers } from '../../../support/event-triggers';
import { CASES, FIXTURE } from './cases';

/** Drift, said as SQL: whatever is changed on one side, the statements that are printed, run on the target, make it like the source. */

const MIGRATION = 'drift';
/** A name that has to be quoted wherever it is printed. */
const DATABASE = 'the "shop"';
const SAME: SchemaDifference = { found: [], statements: [], byHand: [] };

async function connect(server: BareServer, database: string, user = 'master'): Promise<Client> {
  const client = new Client({ ...server.address, user, database });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SET search_path = pg_catalog');
  if (user === 'master') allowEventTriggers(client);
  return client;
}

/** What RDS lets a master user do, see `withEventTriggers`. */
function allowEventTriggers(client: Client): void {
  const query = client.query.bind(client) as (sql: unknown, ...rest: unknown[]) => Promise<unknown>;
  client.query = ((sql: unknown, ...rest: unknown[]) =>
    query(typeof sql === 'string' ? withEventTriggers(sql) : sql, ...rest)) as typeof client.query;
}

const describeSide = (side: Client, ignored: readonly string[] = []) =>
  describeDatabase(side, MIGRATION, true, ignored);
const difference = async (source: Client, target: Client, ignored: readonly string[] = []): Promise<SchemaDifference> =>
  compareSchemas(await describeSide(source, ignored), await describeSide(target, ignored));

/** What is printed for an operator. */
function printed(found: SchemaDifference): string {
  const { text, left } = printDrift([{ database: DATABASE, ...found }]);
  expect(left).toBe(0);
  return text;
}

/** Of those that are tried: what depends on the major is how a thing is read, and made. */
const NEWEST = 18;

describe.each([13, NEWEST] as const)('PostgreSQL %s', (major) => {
  let servers: BareServer[] = [];
  let source: Client;
  let target: Client;
  const run = (script: string, user = 'master') =>
    runScript((database) => connect(servers[1] as BareServer, database, user), script);
  /** What no master user may do, the service does. */
  const asService = async (server: BareServer | undefined, sql: string) => {
    const client = await connect(server as BareServer, DATABASE, 'rdsadmin');
    await client.query(sql).finally(() => client.end());
  };
  const clear = async (found: SchemaDifference) => {
    expect(found.found).not.toEqual([]);
    expect(found.byHand).toEqual([]);
    await run(withDeletions(printed(found)));
    expect(await difference(source, target)).toEqual(SAME);
  };

  beforeAll(async () => {
    const server = await BareServer.asRds(major);
    servers = [server];
    const first = await connect(server, 'postgres');
    await first.query(`CREATE DATABASE "the ""shop"""`);
    await first.end();
    const preparing = await connect(server, DATABASE);
    await preparing.query(FIXTURE);
    await preparing.end();
    servers.push(await server.twin());
    [source, target] = (await Promise.all(servers.map((one) => connect(one, DATABASE)))) as [Client, Client];
  });

  afterAll(async () => {
    await Promise.all([source?.end(), target?.end()]);
    await Promise.all(servers.map((server) => server.remove()));
  });

  test('equal databases have no difference', async () => {
    expect(await difference(source, target)).toEqual(SAME);
  });

  test('whatever is of roles that the plan ignores is left out, and nothing else', async () => {
    const plan = parsedPlan({ ...SMALLEST_PLAN, ignore: { roles: ['v-*'] } });
    const ignored = plan.ignore.roles;
    const onDatabase = `DATABASE ${escapeIdentifier(DATABASE)}`;
    const objects = `CREATE SCHEMA rotating; CREATE TABLE rotating.t (id int PRIMARY KEY, note text); CREATE SEQUENCE rotating.s;
      CREATE DOMAIN rotating.d AS int; CREATE FUNCTION rotating.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE ROLE staff; GRANT staff TO CURRENT_USER`;
    for (const client of [source, target]) await client.query(objects);
    const fingerprint = () => fingerprintSchema(source, MIGRATION, { ignored });
    const counted = (client: Client) => countObjects(client, { id: MIGRATION, plan });
    const before = await fingerprint();
    await source.query(
      `CREATE ROLE "v-1" LOGIN; GRANT "v-1" TO CURRENT_USER; GRANT staff TO "v-1"; COMMENT ON ROLE "v-1" IS 'until noon'`,
    );
    await source.query(
      `CREATE ROLE "v-2" LOGIN VALID UNTIL '2026-12-01'; ALTER ROLE "v-2" SET work_mem = '8MB'; GRANT "v-2" TO CURRENT_USER; GRANT "v-2" TO staff`,
    );
    for (const what of [
      'SCHEMA rotating',
      'TABLE rotating.t',
      'SEQUENCE rotating.s',
      'DOMAIN rotating.d',
      'FUNCTION rotating.f()',
      onDatabase,
    ]) {
      await source.query(`GRANT ALL ON ${what} TO "v-1"`);
    }
    await source.query(`GRANT UPDATE (note) ON rotating.t TO "v-2"; ALTER ROLE "v-2" IN ${onDatabase} SET work_mem = '9MB';
      ALTER DEFAULT PRIVILEGES IN SCHEMA rotating GRANT SELECT ON TABLES TO "v-1";
      ALTER DEFAULT PRIVILEGES FOR ROLE "v-2" GRANT SELECT ON TABLES TO staff`);
    expect((await difference(source, target)).found.length).toBeGreaterThan(10);
    expect(await difference(source, target, ignored)).toEqual(SAME);
    expect(await fingerprint()).toBe(before);
    expect(await counted(source)).toEqual(await counted(target));
    // Nor is anything left of them when they go.
    await source.query(`DROP OWNED BY "v-1", "v-2"; DROP ROLE "v-1", "v-2"`);
    expect(await difference(source, target)).toEqual(SAME);
    expect(await fingerprint()).toBe(before);
    for (const change of [
      'CREATE ROLE v_3',
      'GRANT SELECT ON rotating.t TO staff',
      'GRANT EXECUTE ON FUNCTION rotating.f() TO staff',
      'ALTER DEFAULT PRIVILEGES IN SCHEMA rotating GRANT SELECT ON TABLES TO staff',
      'ALTER DEFAULT PRIVILEGES FOR ROLE staff REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC',
      `ALTER ROLE staff SET work_mem = '8MB'`,
    ]) {
      const unchanged = await fingerprint();
      await source.query(change);
      expect(await fingerprint()).not.toBe(unchanged);
      const found = await difference(source, target, ignored);
      expect(found.found).not.toEqual([]);
      await run(withDeletions(printed(found)));
      expect(await difference(source, target, ignored)).toEqual(SAME);
    }
    for (const client of [source, target]) {
      await client.query('DROP OWNED BY staff; DROP ROLE staff, v_3; DROP SCHEMA rotating CASCADE');
    }
    expect(await difference(source, target)).toEqual(SAME);
  });

  describe('a change of either side is said for the target', () => {
    // As they were described last: what nobody has changed since is not described again.
    let there: CatalogObject[] = [];
    let here: CatalogObject[] = [];
    beforeAll(async () => {
      [there, here] = [await describeSide(source), await describeSide(target)];
    });
    const clearLast = async (user?: string) => {
      const found = compareSchemas(there, here);
      expect(found.found).not.toEqual([]);
      expect(found.byHand).toEqual([]);
      await run(withDeletions(printed(found)), user);
      here = await describeSide(target);
      expect(compareSchemas(there, here)).toEqual(SAME);
    };

    test.each(CASES.filter(({ since = 13 }) => since <= major))(
      '$change',
      async ({ change, byHand, oneWay, service }) => {
        const make = (server: number) =>
          service ? asService(servers[server], change) : (server === 0 ? source : target).query(change);
        const by = service ? 'rdsadmin' : undefined;
        const before = await fingerprintSchema(source, MIGRATION);
        if (!byHand && !oneWay && major === NEWEST) {
          // Too much on the target is taken back. Once is enough: it takes as long as the rest.
          await make(1);
          here = await describeSide(target);
          await clearLast(by);
        }
        await make(0);
        there = await describeSide(source);
        expect(await fingerprintSchema(source, MIGRATION)).not.toBe(before);
        if (!byHand) return clearLast(by);
        const found = compareSchemas(there, here);
        expect(found.found).not.toEqual([]);
        expect(found.byHand).not.toEqual([]);
        await make(1);
        here = await describeSide(target);
        expect(compareSchemas(there, here)).toEqual(SAME);
      },
    );
  });

  test('what deletes rows is printed as a comment, and deletes only without its dashes', async () => {
    await target.query(
      `CREATE TABLE app.kept (id integer, extra text); INSERT INTO app.kept VALUES (1, 'x'); CREATE VIEW app.of_kept AS SELECT id FROM app.kept`,
    );
    const script = printed(await difference(source, target));
    await run(script);
    await expect(target.query('SELECT * FROM app.kept')).resolves.toMatchObject({ rows: [{ id: 1, extra: 'x' }] });
    const left = await difference(source, target);
    expect(left.found).toEqual(['too much: table app.kept']);
    await clear(left);
  });

  test('an index of a partition that was attached to that of its parent is made and attached', async () => {
    for (const side of [source, target]) await side.query('CREATE INDEX later ON ONLY app.parent (everywhere, id)');
    await source.query(
      'CREATE INDEX later_2031 ON app.parent_2031 (everywhere, id); ALTER INDEX app.later ATTACH PARTITION app.later_2031',
    );
    const found = await difference(source, target);
    expect(found.found).toEqual(['missing: index of partition app.parent_2031 of app.later']);
    await clear(found);
  });

  test('an index that a failed build has left on the target is built again', async () => {
    const index = 'CREATE UNIQUE INDEX CONCURRENTLY dups_once ON app.dups (v)';
    for (const side of [source, target]) await side.query('CREATE TABLE app.dups (v integer)');
    await target.query('INSERT INTO app.dups VALUES (1), (1)');
    await expect(target.query(index)).rejects.toThrow('dups_once');
    await target.query('TRUNCATE app.dups');
    await source.query(index);
    const found = await difference(source, target);
    expect(found.found).toEqual(['missing: valid index app.dups_once']);
    await clear(found);
    await target.query('INSERT INTO app.dups VALUES (1)');
    await expect(target.query('INSERT INTO app.dups VALUES (1)')).rejects.toThrow('dups_once');
  });

  test('roles of RDS, by their exact names, are none of it, nor is what was granted to them', async () => {
    await source.query(
      `CREATE ROLE rds_extension; CREATE ROLE rdstopmgr LOGIN; GRANT SELECT ON app.lines TO rdstopmgr; GRANT rds_extension TO rdstopmgr`,
    );
    expect(await difference(source, target)).toEqual(SAME);
  });

  test('rows, statistics, temporary tables, vacuum and another refresh change no fingerprint', async () => {
    const before = await fingerprintSchema(source, MIGRATION);
    await source.query(`INSERT INTO app.lines (order_id) OVERRIDING SYSTEM VALUE VALUES (2)`).catch(() => undefined);
    await source.query('CREATE TEMPORARY TABLE passing (id integer PRIMARY KEY)');
    await source.query('VACUUM ANALYZE');
    await source.query('REFRESH MATERIALIZED VIEW app.daily');
    expect(await fingerprintSchema(source, MIGRATION)).toBe(before);
  });

  test('a password is known by a digest, to whom it may be known at all', async () => {
    await source.query(`CREATE ROLE boss LOGIN CREATEROLE; CREATE ROLE "user" LOGIN PASSWORD 'x'`);
    await expect(readPasswordDigests(source, MIGRATION)).resolves.toBeUndefined();
    await asService(servers[0], 'GRANT SELECT ON pg_authid TO master');
    const digests = await readPasswordDigests(source, MIGRATION);
    expect([...(digests ?? [])].sort()).toContainEqual(['"user"', expect.stringMatching(/^[0-9a-f]{64}$/) as string]);
    expect([...(digests?.keys() ?? [])]).not.toContain('rdsadmin');
    await expect(readLoginRoles(source, MIGRATION)).resolves.toEqual(
      expect.arrayContaining(['"user"', 'boss', 'rds_pgaudit']),
    );
    const boss = new Client({ ...servers[0]?.address, user: 'boss', database: DATABASE });
    await boss.connect();
    try {
      await expect(readPasswordDigests(boss, MIGRATION)).resolves.toBeUndefined();
    } finally {
      await boss.end();
    }
  });

  test('a fingerprint of an earlier build is compared with its like', async () => {
    const earlier = await fingerprintSchema(source, MIGRATION, {
      like: 'd41d8cd98f00b204e9800998ecf8427e',
    });
    await source.query(`COMMENT ON TABLE app.orders IS 'of no interest to it'`);
    expect(await fingerprintSchema(source, MIGRATION, { like: earlier })).toBe(earlier);
    await source.query('ALTER TABLE app.orders ADD COLUMN later integer');
    expect(await fingerprintSchema(source, MIGRATION, { like: earlier })).not.toBe(earlier);
  });
});

test('ten thousand tables are fingerprinted in well under a few seconds', async () => {
  const server = await BareServer.asRds(16);
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

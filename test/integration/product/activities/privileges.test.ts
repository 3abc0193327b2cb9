import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { copyUnloggedTables } from '../../../../activities/carry/unlogged-tables';
import {
  checkPrivileges,
  databaseLacks,
  type Lack,
  serverLacks,
} from '../../../../activities/preflight/check-privileges';
import { settingsOf } from '../../../../activities/postgres/session';
import { waitFor } from '../../../../local/world/wait-for';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { BareServer } from '../../../support/postgres';

/** What an application's role owns, in a schema of its own. */
const CONTENTS = `
  CREATE SCHEMA s;
  CREATE TABLE s.orders (id serial PRIMARY KEY, note text);
  CREATE TABLE s.emptied (id int PRIMARY KEY);
  CREATE UNLOGGED TABLE s.cache (id int PRIMARY KEY);
  CREATE MATERIALIZED VIEW s.latest AS SELECT max(id) FROM s.orders;
  CREATE FUNCTION s.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE TRIGGER noted BEFORE INSERT ON s.orders FOR EACH ROW EXECUTE FUNCTION s.note();
  ALTER TABLE s.orders ENABLE ALWAYS TRIGGER noted;
  SELECT lo_from_bytea(0, 'one')`;
/** What apply says without its rights. */
const REFUSED = /ERROR: .*(permission denied for table|cannot SET ROLE)/;
const EVERYTHING = parsedPlan({
  ...SMALLEST_PLAN,
  carry: { unloggedTables: 'copy', largeObjects: 'copy', materializedViews: 'refresh' },
});

describe.each([14, 15, 16, 18] as const)('a master user of PostgreSQL %d', (major) => {
  let server: BareServer;
  const opened: Client[] = [];

  async function connect(user: string, database = 'shop'): Promise<Client> {
    const client = new Client({ ...server.address, user, database, password: 'secret' });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(settingsOf({}));
    opened.push(client);
    return client;
  }
  const service = (statement: string, database = 'shop') =>
    server.server.withSession((client) => client.query(statement), database);
  const log = () => readFileSync(join(server.server.places.logDir, 'postgres.log'), 'utf8');
  let master: Client;
  let app: Client;
  const lacks = (plan?: typeof EVERYTHING): Promise<Lack[]> => databaseLacks(master, 'shop', 'master', plan);

  beforeAll(async () => {
    server = await BareServer.asRds(major);
    const { dataDir } = server.server.places;
    appendFileSync(join(dataDir, 'postgresql.conf'), '\nwal_level = logical\nwal_retrieve_retry_interval = 500\n');
    writeFileSync(
      join(dataDir, 'pg_hba.conf'),
      'local all all trust\nhost all sender 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n',
    );
    await server.server.stop('fast');
    await server.server.start();
    await service(
      `CREATE ROLE app LOGIN; CREATE ROLE sender LOGIN REPLICATION PASSWORD 'secret'; CREATE ROLE keeper LOGIN CREATEROLE`,
      'postgres',
    );
    if (major >= 16) await service('GRANT app TO keeper WITH ADMIN OPTION', 'postgres');
    for (const database of ['shop', 'there']) {
      await service(`CREATE DATABASE ${database} OWNER app`, 'postgres');
      await (await connect('app', database)).query(CONTENTS);
    }
    [master, app] = [await connect('master'), await connect('app')];
  });
  afterAll(async () => {
    for (const client of opened) await client.end().catch(() => undefined);
    await server?.remove();
  });

  it('lacks nothing in the server, and in a database what it says', async () => {
    await expect(serverLacks(master, 'master')).resolves.toEqual([]);
    const found = await lacks(EVERYTHING);
    const text = found.map(({ what }) => what).join('\n');
    expect(text).toMatch(/^shop: CREATE on database shop$/m);
    expect(text).toMatch(/^shop: USAGE on schema s$/m);
    expect(text).toMatch(/the rights of app, .*to read 3 tables \(s\.cache, s\.emptied, s\.orders\)/);
    expect(text).toMatch(/to read and set 1 sequence \(s\.orders_id_seq\)/);
    expect(text).toMatch(/to fill 1 unlogged table \(s\.cache\)/);
    expect(text).toMatch(/to refresh 1 materialized view \(s\.latest\)/);
    expect(text).toMatch(/to switch off triggers of 1 table \(s\.orders\)/);
    expect(text).toMatch(/to copy 1 large object/);
    expect(/to apply changes \(INSERT/.test(text)).toBe(major === 15);
    expect(/to apply changes, as their owner, to 2 tables/.test(text)).toBe(major >= 16);
    // RDS allows it before 15, the stand-in can't.
    expect(/session_replication_role/.test(text)).toBe(major < 15);
  });

  it('names what it asks for: apply writes with that, and not with less', async () => {
    const sender = await connect('master', 'there');
    await service('GRANT CREATE ON DATABASE shop TO master; GRANT CREATE ON DATABASE there TO master', 'postgres');
    await sender.query('CREATE PUBLICATION p FOR ALL TABLES');
    await sender.query(`SELECT pg_create_logical_replication_slot('sub', 'pgoutput')`);
    const rows = async () => (await service('SELECT id FROM s.orders', 'shop')).rows.length;
    const enough: Record<number, readonly string[]> = {
      14: ['GRANT USAGE ON SCHEMA s TO master'],
      15: [
        'GRANT USAGE ON SCHEMA s TO master',
        'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON s.orders, s.emptied TO master',
      ],
      16: [
        'GRANT USAGE ON SCHEMA s TO master',
        'GRANT app TO master WITH INHERIT FALSE, SET TRUE; GRANT TRUNCATE ON s.orders, s.emptied TO master',
      ],
    };
    const [schema = '', rights] = enough[Math.min(major, 16)] ?? [];
    await service(schema);
    await master.query(
      `CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=${server.address.port} dbname=there user=sender password=secret'
         PUBLICATION p WITH (create_slot = false, copy_data = false)`,
    );
    const inApp = await connect('app', 'there');
    await inApp.query(`INSERT INTO s.orders VALUES (1, 'a'), (2, 'b'); UPDATE s.orders SET note = 'c'; DELETE FROM s.orders WHERE id = 2;
      INSERT INTO s.emptied VALUES (1); TRUNCATE s.emptied`);
    if (rights !== undefined) {
      await waitFor('apply is refused', () => Promise.resolve(REFUSED.test(log())));
      await expect(rows()).resolves.toBe(0);
      await service(rights);
    }
    await waitFor('apply has written', async () => (await rows()) === 1);
    const left = (await lacks()).map(({ what }) => what).join('\n');
    expect(left).not.toMatch(/to apply/);
    if (major === 14) expect(left).toMatch(/to read 2 tables/);
    await master.query('ALTER SUBSCRIPTION sub DISABLE');
    await service(`REVOKE ALL ON ALL TABLES IN SCHEMA s FROM master${major < 16 ? '' : '; REVOKE app FROM master'}`);
    await service('REVOKE ALL ON SCHEMA s FROM master; REVOKE ALL ON DATABASE shop FROM master');
  });

  it('lacks nothing after the printed statements were run by who is named', async () => {
    if (major >= 16)
      await app.query('REVOKE UPDATE, SELECT ON s.emptied FROM app; REVOKE ALL ON SEQUENCE s.orders_id_seq FROM app');
    const found = (await lacks(EVERYTHING)).filter(({ grant }) => !grant.startsWith('--'));
    const { remedy = '' } = checkPrivileges(
      {
        migration: 'm',
        endpoint: { address: '', port: 0 },
        credentials: { username: 'master', password: '' },
        rdsCaBundle: '',
      },
      found,
    );
    for (const { grant, by } of found) {
      expect(remedy).toContain(grant);
      if (by !== undefined) expect(remedy).toContain(`as ${by}`);
      const who = by === undefined ? master : by === 'app' ? app : await connect(by.split(',')[0] ?? '');
      await who.query(grant);
    }
    expect((await lacks(EVERYTHING)).filter(({ grant }) => !grant.startsWith('--'))).toEqual([]);
  });

  it('that may not set session_replication_role fails to copy unlogged tables for good, with words', async () => {
    await service('REVOKE SET ON PARAMETER session_replication_role FROM rds_superuser').catch(() => undefined);
    const copied = copyUnloggedTables(app, master, 'm', () => undefined);
    await expect(copied).rejects.toMatchObject({
      type: 'AccessDenied',
      nonRetryable: true,
      message: expect.stringMatching(
        /may not set session_replication_role.*carry: \{ unloggedTables: empty \}/,
      ) as string,
    });
    await expect(master.query('SELECT 1')).resolves.toBeDefined();
  });

  it('is not told to become a superuser', async () => {
    // What the service owns is a matter of `extension-tables`; what another superuser owns is not.
    await service('CREATE TABLE s.odd (id int PRIMARY KEY)');
    await expect(lacks()).resolves.toEqual([]);
    await service('CREATE ROLE overseer SUPERUSER');
    await service('ALTER TABLE s.odd OWNER TO overseer');
    const [odd] = await lacks();
    expect(odd?.what).toMatch(/^shop: the rights of overseer, to .*s\.odd/);
    expect(odd?.grant).toMatch(/^-- nobody can be let into overseer/);
    await service('ALTER EXTENSION plpgsql ADD TABLE s.odd');
    await expect(lacks()).resolves.toEqual([]);
  });
});

import { Client } from 'pg';
import { syncLargeObjects } from '../../../../activities/carry/large-objects';
import { listMaterializedViews } from '../../../../activities/carry/refresh-views';
import { noteRefreshed, readViewStates, staleViews } from '../../../../activities/carry/view-states';
import { copyUnloggedTables } from '../../../../activities/carry/unlogged-tables';
import { copySequences, listSequences } from '../../../../activities/cutover/sequences';
import { applyTriggers, switchTriggers } from '../../../../activities/quarantine/triggers';
import { BareServer } from '../../../support/postgres';

/** What logical replication leaves behind, between two real servers that began as one. */

const ID = 'm';
const SOURCE_CONTENTS = `
  CREATE SCHEMA keyshift_m;
  CREATE ROLE app LOGIN; CREATE ROLE reader; GRANT app TO CURRENT_USER; GRANT CREATE ON SCHEMA public TO app;
  CREATE SCHEMA seqs;
  DO $$ BEGIN FOR n IN 1..1990 LOOP
    EXECUTE format('CREATE SEQUENCE seqs.s%s', n);
    IF n % 10 <> 0 THEN PERFORM setval(format('seqs.s%s', n)::regclass, n); END IF;
  END LOOP; END $$;
  CREATE SEQUENCE cycling MAXVALUE 5 CYCLE; SELECT setval('cycling', 5);
  CREATE SEQUENCE descending INCREMENT -3 MINVALUE -1000 MAXVALUE 0 START 0; SELECT setval('descending', -30);
  CREATE SEQUENCE untouched START 5000;
  CREATE TABLE small (id smallserial PRIMARY KEY); SELECT setval('small_id_seq', 32760);
  CREATE TABLE narrow (id int2 GENERATED ALWAYS AS IDENTITY PRIMARY KEY); SELECT setval('narrow_id_seq', 100);
  CREATE SEQUENCE wide AS bigint; CREATE TABLE owned (id int4 PRIMARY KEY); ALTER SEQUENCE wide OWNED BY owned.id;
  SELECT setval('wide', 2147483640);
  SELECT lo_from_bytea(20000 + n, convert_to('object ' || n, 'UTF8')) FROM generate_series(1, 250) AS n;
  SELECT lo_from_bytea(30000, decode(repeat('c0ffee', 1000000), 'hex')), lo_create(30001);
  ALTER LARGE OBJECT 20007 OWNER TO app; GRANT SELECT ON LARGE OBJECT 20007 TO reader;
  CREATE UNLOGGED TABLE parents (id int PRIMARY KEY, at timestamptz DEFAULT now());
  CREATE UNLOGGED TABLE children (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int REFERENCES parents,
    odd text, twice int GENERATED ALWAYS AS (parent * 2) STORED);
  INSERT INTO parents SELECT n FROM generate_series(1, 5000) AS n;
  INSERT INTO children (parent, odd) SELECT n, E'tab\\there\\\\N \\u00e9 ' || repeat('x', 100) FROM generate_series(1, 5000) AS n;
  INSERT INTO children (parent, odd) VALUES (NULL, NULL), (1, '');
  CREATE MATERIALIZED VIEW z_base AS SELECT count(*) AS n FROM owned;
  CREATE VIEW between_both AS SELECT n FROM z_base;
  CREATE MATERIALIZED VIEW a_above AS SELECT n FROM between_both;
  CREATE MATERIALIZED VIEW never_filled AS SELECT 1 AS one WITH NO DATA;
  CREATE VIEW "order" AS SELECT id FROM owned; CREATE VIEW reads_order AS SELECT id FROM "order";
  CREATE RULE instead AS ON UPDATE TO "order" DO INSTEAD UPDATE owned SET id = new.id WHERE id = old.id
    AND NOT EXISTS (SELECT FROM reads_order r WHERE r.id = new.id);
  CREATE MATERIALIZED VIEW b_of_rule AS SELECT count(*) AS n FROM "order";
  CREATE VIEW round AS SELECT 1 AS one; CREATE VIEW about AS SELECT one FROM round;
  CREATE OR REPLACE VIEW round AS SELECT one FROM about;
  CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
  CREATE TABLE watched (id int PRIMARY KEY) PARTITION BY RANGE (id);
  CREATE TABLE watched_1 PARTITION OF watched FOR VALUES FROM (1) TO (100);
  ALTER TABLE watched OWNER TO app; ALTER TABLE watched_1 OWNER TO app;
  CREATE TRIGGER always AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION nothing();
  CREATE TRIGGER apply_only AFTER INSERT ON owned FOR EACH ROW EXECUTE FUNCTION nothing();
  CREATE TRIGGER plain AFTER INSERT ON owned FOR EACH ROW EXECUTE FUNCTION nothing();
  ALTER TABLE watched ENABLE ALWAYS TRIGGER always; ALTER TABLE watched_1 ENABLE ALWAYS TRIGGER always;
  ALTER TABLE owned ENABLE REPLICA TRIGGER apply_only`;

let servers: BareServer[] = [];
let source: Client;
let target: Client;
const goOn = () => undefined;

async function open({ address }: BareServer): Promise<Client> {
  const client = new Client({ ...address, user: 'master', database: 'postgres' });
  await client.connect();
  return client;
}

beforeAll(async () => {
  const first = await BareServer.asRds();
  servers = [first];
  const preparing = await open(first);
  await preparing.query(SOURCE_CONTENTS);
  await preparing.end();
  servers.push(await first.twin());
  [source, target] = (await Promise.all(servers.map(open))) as [Client, Client];
});
afterAll(async () => {
  await Promise.all([source?.end(), target?.end()]);
  await Promise.all(servers.map((server) => server.remove()));
});

const rows = async (client: Client, sql: string) => (await client.query<Record<string, unknown>>(sql)).rows;
const both = async (sql: string) => Promise.all([rows(source, sql), rows(target, sql)]);

async function expectSame(sql: string): Promise<void> {
  const [there, here] = await both(sql);
  expect(here).toEqual(there);
}

describe('two thousand sequences', () => {
  const names = () => listSequences(source, ID);
  const at = async (client: Client, name: string) =>
    (await rows(client, `SELECT last_value::text AS value, is_called AS called FROM ${name}`))[0];

  it('are brought to the state of the source, whatever kind they are', async () => {
    await source.query(
      `SELECT nextval(oid::regclass) FROM pg_class WHERE relkind = 'S' AND relname <> 'untouched'; SELECT setval('seqs.s10', 77, false)`,
    );
    const listed = await names();
    expect(listed).toHaveLength(1997);
    const startedAt = performance.now();
    await expect(copySequences(source, target, listed)).resolves.toBe(1997);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    await expectSame(`SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2`);
    for (const name of ['cycling', 'descending', 'untouched', 'small_id_seq', 'seqs.s10'])
      await expect(at(target, name)).resolves.toEqual(await at(source, name));
  });

  it('never go backwards, but for one that cycles', async () => {
    await target.query(`SELECT setval('seqs.s1', 900), setval('descending', -900), setval('cycling', 4)`);
    await copySequences(source, target, await names());
    await expect(at(target, 'seqs.s1')).resolves.toMatchObject({ value: '900' });
    await expect(at(target, 'descending')).resolves.toMatchObject({ value: '-900' });
    await expect(at(target, 'cycling')).resolves.toEqual(await at(source, 'cycling'));
  });

  it('are set back with those of the source where the pause has both sides still', async () => {
    const exactly = async (margin = 0) => copySequences(source, target, await names(), margin, 'exactly');
    await source.query(
      `SELECT setval('seqs.s2', 1), setval('seqs.s3', 2, false); ALTER SEQUENCE seqs.s4 RESTART WITH 1; ALTER SEQUENCE descending RESTART WITH -3`,
    );
    await exactly();
    for (const name of ['seqs.s1', 'seqs.s2', 'seqs.s3', 'seqs.s4', 'descending'])
      await expect(at(target, name)).resolves.toEqual(await at(source, name));
    await exactly(10);
    await expect(at(target, 'seqs.s3')).resolves.toEqual({ value: '12', called: false });
    await exactly(10);
    await expect(at(target, 'seqs.s3')).resolves.toEqual({ value: '12', called: false });
    await exactly();
  });

  it('stand ahead by the margin, and never behind the end of the sequence or of its column', async () => {
    await copySequences(source, target, await names(), 1_000);
    await expect(at(target, 'seqs.s5')).resolves.toEqual({ value: '1006', called: true });
    await expect(at(target, 'small_id_seq')).resolves.toEqual({ value: '32767', called: true });
    await expect(at(target, 'wide')).resolves.toEqual({ value: '2147483647', called: true });
    await expect(at(target, 'descending')).resolves.toEqual({ value: '-999', called: false });
    await expect(at(target, 'untouched')).resolves.toEqual({ value: '6000', called: false });
    // A second time, as after a pause that was given up.
    await copySequences(source, target, await names(), 1_000);
    await expect(at(target, 'seqs.s5')).resolves.toEqual({ value: '1006', called: true });
  });
});

describe('large objects', () => {
  const SAME = `SELECT m.oid, pg_get_userbyid(lomowner) AS owner, lomacl::text, md5(lo_get(m.oid)) FROM pg_largeobject_metadata m ORDER BY 1`;
  const sync = () => syncLargeObjects(source, target, ID, goOn);

  it('that came with the snapshot are not moved', async () => {
    await expect(sync()).resolves.toEqual({ objects: 252, moved: 0, removed: 0 });
  });

  it('move if anything of them changed: contents, length, owner, privileges; new ones come, others go', async () => {
    await source.query(
      `SELECT lo_put(20001, 3, 'ECT'), lo_unlink(20002), lo_from_bytea(40000, 'new'), lo_truncate64(lo_open(30000, 131072), 2000000);
       ALTER LARGE OBJECT 20003 OWNER TO app; GRANT SELECT, UPDATE ON LARGE OBJECT 20004 TO reader, PUBLIC;
       REVOKE ALL ON LARGE OBJECT 20007 FROM reader`,
    );
    await expect(sync()).resolves.toEqual({ objects: 252, moved: 6, removed: 1 });
    await expectSame(SAME);
    await expect(sync()).resolves.toEqual({ objects: 252, moved: 0, removed: 0 });
  });

  it('that somebody damaged on the target before they were noted are made good', async () => {
    await target.query(`TRUNCATE keyshift_m.large_objects; SELECT lo_put(20100, 0, 'X')`);
    await expect(sync()).resolves.toMatchObject({ moved: 1 });
    await expectSame(SAME);
  });
});

describe('unlogged tables', () => {
  it('are copied whole, with what is odd in them, and again the same', async () => {
    await target.query('TRUNCATE parents, children; INSERT INTO parents VALUES (99999)');
    for (let run = 0; run < 2; run++) {
      await expect(copyUnloggedTables(source, target, ID, goOn)).resolves.toEqual({ tables: 2, rows: 10_002 });
      await expectSame('SELECT * FROM parents ORDER BY 1');
      await expectSame('SELECT * FROM children ORDER BY 1');
    }
  });

  it('leave the target as it was when one fails, and both sessions usable', async () => {
    await target.query('ALTER TABLE children ADD CONSTRAINT short CHECK (length(odd) < 50)  NOT VALID');
    await expect(copyUnloggedTables(source, target, ID, goOn)).rejects.toThrow('short');
    await target.query('ALTER TABLE children DROP CONSTRAINT short');
    await expectSame('SELECT count(*) FROM children');
    await expectSame('SELECT 1 AS one');
  });
});

describe('materialized views', () => {
  it('are found in the order in which they are made of each other, whatever circles there are, those without data left out', async () => {
    const names = (await listMaterializedViews(target)).map(({ name }) => name);
    expect(names).toEqual(['z_base', 'b_of_rule', 'a_above']);
  });

  describe('of the target that may be older than on the source', () => {
    const refresh = (client: Client, view: string, how = '') =>
      client.query(`REFRESH MATERIALIZED VIEW ${how} ${view}; SELECT pg_stat_force_next_flush()`);
    const refreshTarget = async (view: string) => {
      const state = (await readViewStates(source, ID)).get(`public.${view}`) ?? '';
      await refresh(target, view);
      await noteRefreshed(target, ID, `public.${view}`, state);
    };
    const stale = async () =>
      (await staleViews(await readViewStates(source, ID), target, ID)).map(({ view }) => view.replace('public.', ''));
    /** The statistics come to light a moment after the statement. */
    const untilStale = async (expected: string[]) => {
      for (let tries = 0; tries < 100 && (await stale()).join() !== expected.join(); tries++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      await expect(stale()).resolves.toEqual(expected);
    };

    it('are those that were not refreshed there since', async () => {
      await target.query('CREATE UNIQUE INDEX ON z_base (n)');
      await source.query('CREATE UNIQUE INDEX ON z_base (n)');
      await expect(stale()).resolves.toEqual(['a_above', 'b_of_rule', 'z_base']);
      for (const view of ['z_base', 'b_of_rule', 'a_above']) await refreshTarget(view);
      await expect(stale()).resolves.toEqual([]);
      await refresh(source, 'a_above');
      await expect(stale()).resolves.toEqual(['a_above']);
      await expect(stale()).resolves.toEqual(['a_above']);
    });

    it('are not any more when somebody has refreshed them on the target after the look that found them', async () => {
      await refresh(target, 'a_above');
      await untilStale([]);
      // Both since the last look: nobody knows which came first.
      await refresh(target, 'a_above');
      await refresh(source, 'a_above');
      await expect(stale()).resolves.toEqual(['a_above']);
      await refresh(target, 'a_above');
      await untilStale([]);
    });

    it('count as such after REFRESH ... CONCURRENTLY if that changed a row, and only then', async () => {
      await refresh(source, 'z_base', 'CONCURRENTLY');
      await expect(stale()).resolves.toEqual([]);
      await source.query('INSERT INTO owned VALUES (1)');
      await refresh(source, 'z_base', 'CONCURRENTLY');
      await untilStale(['z_base']);
    });

    it('count as such when what was noted is lost', async () => {
      await target.query('TRUNCATE keyshift_m.views');
      await expect(stale()).resolves.toEqual(['a_above', 'b_of_rule', 'z_base']);
      await refresh(target, 'b_of_rule');
      await expect(stale()).resolves.toEqual(['a_above', 'z_base']);
    });
  });
});

describe('triggers that fire for what is applied', () => {
  const states = () =>
    rows(target, `SELECT tgrelid::regclass::text AS "table", tgname, tgenabled FROM pg_trigger ORDER BY 1, 2`);

  it('are switched off, those on partitions too, and on again as they were', async () => {
    const before = await states();
    const found = await applyTriggers(target, ID);
    expect(found.map(({ table, trigger, state }) => `${table} ${trigger} ${state}`)).toEqual([
      'owned apply_only R',
      'watched always A',
      'watched_1 always A',
    ]);
    await switchTriggers(target, found, 'off');
    await expect(applyTriggers(target, ID)).resolves.toEqual([]);
    expect((await states()).filter(({ tgenabled }) => tgenabled === 'D')).toEqual([
      { table: 'owned', tgname: 'apply_only', tgenabled: 'D' },
    ]);
    await switchTriggers(target, found, 'on');
    await expect(states()).resolves.toEqual(before);
  });
});

import fc from 'fast-check';
import type { Client } from 'pg';
import { ComparisonProgress, type SavedComparison } from '../../../../activities/compare/progress';
import { fingerprintsOf } from '../../../../activities/compare/row-fingerprints';
import type { TableDifference } from '../../../../plan/report';
import { CompareLab, openPlain, type Place } from '../../../support/compare-lab';
import { BareServer } from '../../../support/postgres';

const ROWS = 150_000;

/** Tables of several chunks and many buckets, with every kind of key, filled in another order on the other side. */
const TABLES = {
  integers: `CREATE TABLE integers (id bigint PRIMARY KEY, note text);`,
  texts: `CREATE TABLE texts (name text COLLATE "C" PRIMARY KEY, id bigint, note text);`,
  pairs: `CREATE TABLE pairs (tenant int, name text, id bigint, note text, PRIMARY KEY (tenant, name));`,
  keyless: `CREATE TABLE keyless (id bigint, note text);`,
} as const;
type Kind = keyof typeof TABLES;
const KINDS = Object.keys(TABLES) as Kind[];

const FILL: Record<Kind, string> = {
  integers: `INSERT INTO integers SELECT i - ${ROWS / 2}, repeat(md5(i::text), 2) FROM numbers`,
  texts: `INSERT INTO texts SELECT md5(i::text), i, repeat(md5(i::text), 2) FROM numbers`,
  pairs: `INSERT INTO pairs SELECT i % 7, md5(i::text), i, repeat(md5(i::text), 2) FROM numbers`,
  // Some rows are there twice or three times.
  keyless: `INSERT INTO keyless SELECT i / 3, repeat(md5((i / 3)::text), 2) FROM numbers`,
};

describe('tables of many chunks', () => {
  let source: BareServer;
  let target: BareServer;
  let there: Client;
  let here: Client;
  let lab: CompareLab;
  let places: [Place, Place];

  beforeAll(async () => {
    [source, target] = await Promise.all([BareServer.asRds(14), BareServer.asRds(17)]);
    places = [
      { server: source, database: 'postgres' },
      { server: target, database: 'postgres' },
    ];
    [there, here] = await Promise.all([openPlain(places[0]), openPlain(places[1])]);
    const fill = (side: Client, order: string) =>
      side.query(`CREATE TEMP TABLE numbers AS SELECT i FROM generate_series(1, ${ROWS}) AS i ORDER BY ${order};
        ${Object.values(TABLES).join('')} ${KINDS.map((kind) => FILL[kind]).join(';')};
        CREATE TABLE measures (day date, v int, PRIMARY KEY (day, v)) PARTITION BY RANGE (day);
        CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
        CREATE TABLE measures_2 PARTITION OF measures FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
        INSERT INTO measures SELECT '2000-01-01'::date + i, i FROM generate_series(0, 700) AS i;
        CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (extra text) INHERITS (parent);
        INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (2, 'x'), (3, 'y');
        CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
        CREATE TABLE made (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO made VALUES (1), (2)`);
    await Promise.all([fill(there, 'i'), fill(here, 'md5(i::text)')]);
    lab = await CompareLab.open(places[0], places[1]);
  });
  afterAll(async () => {
    await lab.close();
    await Promise.allSettled([there.end(), here.end()]);
    await Promise.allSettled([source.remove(), target.remove()]);
  });

  it('compare equal, every row counted once', async () => {
    const progress = await lab.run();
    expect(progress.differences).toEqual([]);
    expect(progress.rows).toBe(4 * ROWS + 701 + 4 + 2 + 2);
  });

  it('any few rows that differ are found among all the others, and named', async () => {
    const id = fc.integer({ min: 1, max: ROWS });
    const change = fc.record({
      kind: fc.constantFrom<Kind>('integers', 'texts', 'pairs'),
      deleted: fc.uniqueArray(id, { maxLength: 3 }),
      changed: fc.uniqueArray(id, { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ kind, deleted, changed }) => {
        const number = kind === 'integers' ? `id + ${ROWS / 2}` : 'id';
        const rest = changed.filter((one) => !deleted.includes(one));
        await here.query(
          `CREATE TEMP TABLE kept AS SELECT * FROM ${kind} WHERE ${number} = ANY ('{${[...deleted, ...rest].join()}}')`,
        );
        await here.query(`DELETE FROM ${kind} WHERE ${number} = ANY ('{${deleted.join()}}');
          UPDATE ${kind} SET note = note || ' ' WHERE ${number} = ANY ('{${rest.join()}}')`);
        try {
          expect(countsOf(await lab.differences())).toEqual([
            { table: `public.${kind}`, onlyOnSource: deleted.length, onlyOnTarget: 0, different: rest.length },
          ]);
        } finally {
          await here.query(
            `DELETE FROM ${kind} WHERE ${number} = ANY ('{${rest.join()}}'); INSERT INTO ${kind} SELECT * FROM kept; DROP TABLE kept`,
          );
        }
      }),
      { numRuns: 6 },
    );
    expect(await lab.differences()).toEqual([]);
  });

  it('without a key are compared as multisets: one copy of a row too few, one too many', async () => {
    await here.query(`WITH one AS (SELECT min(ctid) AS at FROM keyless WHERE id = 77) DELETE FROM keyless USING one WHERE ctid = at;
      INSERT INTO keyless SELECT * FROM keyless WHERE id = 99 LIMIT 1; INSERT INTO keyless VALUES (-1, 'new')`);
    try {
      expect(countsOf(await lab.differences())).toEqual([
        { table: 'public.keyless', onlyOnSource: 0, onlyOnTarget: 1, different: 2 },
      ]);
    } finally {
      await here.query(`DELETE FROM keyless WHERE id = -1; INSERT INTO keyless SELECT * FROM keyless WHERE id = 77 LIMIT 1;
        WITH one AS (SELECT min(ctid) AS at FROM keyless WHERE id = 99) DELETE FROM keyless USING one WHERE ctid = at`);
    }
    expect(await lab.differences()).toEqual([]);
  });

  it('rows that swapped a value do not cancel each other out', async () => {
    const swap = `UPDATE integers t SET note = o.note FROM integers o WHERE (t.id, o.id) IN ((10, 20000), (20000, 10))`;
    await here.query(swap);
    const [found] = await lab.differences();
    await here.query(swap);
    expect(found).toMatchObject({
      different: 2,
      rows: [
        { key: '(10)', kind: 'different', columns: ['note'] },
        { key: '(20000)', kind: 'different', columns: ['note'] },
      ],
    });
  });

  it('a table in which everything differs is named, with a bounded number of rows', async () => {
    await here.query(`BEGIN; CREATE TABLE kept AS SELECT * FROM texts; UPDATE texts SET note = ''; COMMIT`);
    const found = (await lab.differences()).find(({ table }) => table === 'public.texts');
    await here.query(`TRUNCATE texts; INSERT INTO texts SELECT * FROM kept; DROP TABLE kept`);
    expect(found).toMatchObject({ atLeast: true });
    expect(found?.different).toBeGreaterThanOrEqual(1_000);
    expect(found?.rows).toHaveLength(5);
  });

  it('a missing partition, rows of a parent and of its child, a row without columns, a generated column are all told apart', async () => {
    await here.query(`DROP TABLE measures_2; INSERT INTO parent VALUES (3); DELETE FROM ONLY parent WHERE id = 2;
      INSERT INTO nothing DEFAULT VALUES; ALTER TABLE made DROP COLUMN b; ALTER TABLE made ADD COLUMN b int; UPDATE made SET b = a * 2; UPDATE made SET b = 5 WHERE a = 2`);
    const found = new Map((await lab.differences()).map((one) => [one.table, one]));
    await here.query(`CREATE TABLE measures_2 PARTITION OF measures FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
      INSERT INTO measures SELECT '2000-01-01'::date + i, i FROM generate_series(366, 700) AS i;
      DELETE FROM ONLY parent WHERE id = 3; INSERT INTO parent VALUES (2); DELETE FROM nothing WHERE ctid = '(0,3)'; UPDATE made SET b = a * 2`);
    expect([...found.keys()]).toEqual(['public.measures_2', 'public.made', 'public.nothing', 'public.parent']);
    expect(found.get('public.measures_2')).toMatchObject({ onlyOnSource: 1, examples: ['(the whole table)'] });
    expect(found.get('public.made')?.rows).toEqual([{ key: '(2)', kind: 'different', columns: ['b'] }]);
    expect(found.get('public.parent')?.rows).toEqual([
      { key: '(2)', kind: 'onlyOnSource' },
      { key: '(3)', kind: 'onlyOnTarget' },
    ]);
    expect(await lab.differences()).toEqual([]);
  });

  it('long values, which are hashed by themselves, are told from others, from NULL and from nothing', async () => {
    for (const side of [there, here]) {
      await side.query(`CREATE TABLE documents (id int PRIMARY KEY, note text, body text, data bytea, info jsonb);
        ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;
        INSERT INTO documents SELECT i, 'n' || i, repeat(md5(i::text), 200), decode(md5(i::text), 'hex'), jsonb_build_object('i', i)
          FROM generate_series(1, 2000) AS i`);
    }
    expect(await lab.differences()).toEqual([]);
    await here.query(`UPDATE documents SET body = body || ' ' WHERE id = 3; UPDATE documents SET body = NULL WHERE id = 5;
      UPDATE documents SET body = '' WHERE id = 8; UPDATE documents SET data = set_bit(data, 3, 1 - get_bit(data, 3)) WHERE id = 13;
      UPDATE documents SET info = '{"i": 21.0}' WHERE id = 21; UPDATE documents SET note = body, body = note WHERE id = 34`);
    await there.query(`UPDATE documents SET body = '' WHERE id = 5; UPDATE documents SET body = NULL WHERE id = 8`);
    const [found] = await lab.differences();
    await Promise.all([there, here].map((side) => side.query('DROP TABLE documents')));
    expect(found).toMatchObject({ table: 'public.documents', different: 6, onlyOnSource: 0, onlyOnTarget: 0 });
    expect(found?.rows?.slice(0, 5)).toEqual(
      expect.arrayContaining([
        { key: '(3)', kind: 'different', columns: ['body'] },
        { key: '(5)', kind: 'different', columns: ['body'] },
        { key: '(13)', kind: 'different', columns: ['data'] },
      ]),
    );
  });

  it('values are shown only where that is asked for', async () => {
    await here.query(`UPDATE made SET b = 7 WHERE a = 1`);
    const [quiet] = await lab.differences();
    const [shown] = await lab.differences({ showValues: true });
    await here.query(`UPDATE made SET b = 2 WHERE a = 1`);
    expect(quiet?.rows?.[0]).not.toHaveProperty('values');
    expect(shown?.rows?.[0]?.values).toEqual([{ column: 'b', source: '2', target: '7' }]);
  });

  it('a comparison that dies goes on at the chunk', async () => {
    const first = new ComparisonProgress();
    let queries = 0;
    const dies = async <T>(work: () => Promise<T>): Promise<T> => {
      queries += 1;
      if (queries > 12) throw new Error('killed');
      return work();
    };
    await expect(lab.run({ progress: first, pace: dies })).rejects.toThrow('killed');
    const saved = JSON.parse(JSON.stringify(first.details().resume)) as SavedComparison;
    const begun = Object.values(saved.open).filter(({ source: side }) => side.totals !== '');
    expect(begun.length).toBeGreaterThan(0);
    const second = new ComparisonProgress(saved);
    let again = 0;
    const counted = <T>(work: () => Promise<T>): Promise<T> => {
      again += 1;
      return work();
    };
    await lab.run({ progress: second, pace: counted });
    expect(second.differences).toEqual([]);
    expect(second.rows).toBe(4 * ROWS + 701 + 4 + 2 + 2);
    let all = 0;
    await lab.run({ pace: (work) => ((all += 1), work()) });
    expect(again).toBeLessThan(all);
  });
});

const countsOf = (differences: readonly TableDifference[]) =>
  differences.map(({ table, onlyOnSource, onlyOnTarget, different }) => ({
    table,
    onlyOnSource,
    onlyOnTarget,
    different,
  }));

describe('what PostgreSQL makes no text of', () => {
  let [source, target]: BareServer[] = [];
  let places: [Place, Place];
  let lab: CompareLab | undefined;
  const onBoth = async (statements: string) => {
    await Promise.all(places.map((place) => once(place, statements)));
  };
  const once = async (place: Place, statements: string) => {
    const client = await openPlain(place);
    await client.query(statements).finally(() => client.end());
  };

  beforeAll(async () => {
    const [one, two] = await Promise.all([BareServer.asRds(14), BareServer.asRds(17)]);
    [source, target] = [one, two];
    places = [
      { server: one, database: 'postgres' },
      { server: two, database: 'postgres' },
    ];
  });
  afterEach(async () => {
    await lab?.close();
    lab = undefined;
  });
  afterAll(() => Promise.allSettled([source?.remove(), target?.remove()]));

  /** More than 512 MiB: in hexadecimal, more than 1 GB. */
  const LONG = 540_000_000;
  /** Long enough to be hashed without its text. */
  const MEDIUM = 20_000_000;

  it('is compared all the same: long values; what can not be is named, and nothing is retried', async () => {
    // In `papers` TOAST is smaller than the table, so that rows are made texts of first.
    await onBoth(`CREATE TABLE files (id int PRIMARY KEY, body bytea); CREATE DOMAIN document AS bytea;
      INSERT INTO files VALUES (1, convert_to(repeat('x', ${MEDIUM}), 'UTF8')), (2, 'short'), (3, NULL);
      CREATE TABLE papers (id int PRIMARY KEY, body document, title text);
      INSERT INTO papers SELECT i, 'short', repeat('y', 700) FROM generate_series(10, 20000) AS i;
      INSERT INTO papers VALUES (1, convert_to(repeat('x', ${LONG}), 'UTF8'), 'title');
      CREATE TABLE folders (id int PRIMARY KEY, bodies document[]); INSERT INTO folders SELECT 1, ARRAY[body] FROM papers WHERE id = 1`);
    lab = await CompareLab.open(places[0], places[1], { workers: 1 });
    const same = await lab.run();
    expect(same.differences).toEqual([]);
    expect(same.notProven).toEqual([
      {
        database: 'test',
        schema: 'public',
        table: 'folders',
        why: expect.stringMatching(/^a value is too long to be compared: /) as string,
      },
    ]);
    expect([same.tables, same.rows]).toEqual([2, 3 + 19_991 + 1]);

    await onBoth('DROP TABLE folders; UPDATE papers SET body = NULL WHERE id = 1');
    await once(places[1], `UPDATE files SET body = set_byte(body, ${MEDIUM - 1}, 0) WHERE id = 1`);
    await once(places[0], `UPDATE files SET body = '' WHERE id = 3`);
    const [difference, ...more] = await lab.differences({ showValues: true });
    expect(more).toEqual([]);
    expect(difference?.table).toBe('public.files');
    expect(difference?.rows?.map(({ key, columns }) => [key, columns])).toEqual([
      ['(1)', ['body']],
      ['(3)', ['body']],
    ]);
  }, 300_000);

  it('bytes that are no text in any encoding are compared in a database that has none', async () => {
    await onBoth(`CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
    places = [
      { ...places[0], database: 'bytes' },
      { ...places[1], database: 'bytes' },
    ];
    await onBoth(String.raw`CREATE TABLE names (name text PRIMARY KEY, note text);
      INSERT INTO names VALUES (E'caf\xe9', E'na\xefve'), ('plain', 'x')`);
    lab = await CompareLab.open(places[0], places[1], { workers: 1 });
    await expect(lab.differences()).resolves.toEqual([]);
    await once(places[1], String.raw`UPDATE names SET note = E'na\xeeve' WHERE name = E'caf\xe9'`);
    // A live comparison looks each row up again, by its key.
    const lookedUp: unknown[] = [];
    const [difference] = await lab.differences({
      showValues: true,
      decide: async (pair, table, found) => {
        lookedUp.push(...(await fingerprintsOf(pair.source, table, found)).keys());
        return { different: found };
      },
    });
    expect(lookedUp).toEqual([String.raw`(caf\351)`]);
    expect(difference?.rows).toEqual([
      {
        key: String.raw`(caf\351)`,
        kind: 'different',
        columns: ['note'],
        values: [{ column: 'note', source: String.raw`na\357ve`, target: String.raw`na\356ve` }],
      },
    ]);
  });
});

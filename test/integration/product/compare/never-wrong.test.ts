import fc from 'fast-check';
import type { Client } from 'pg';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Major } from '../../../../local/postgres/binaries';
import type { TableDifference } from '../../../../plan/report';
import { CompareLab, openPlain } from '../../../support/compare-lab';
import { BareServer } from '../../../support/postgres';
import { COLUMNS, PREPARE, type TypedColumn } from './every-type';

/** The oldest and the newest major, and the newest twice: multiranges and virtual columns are not in the oldest. */
const PAIRS: readonly (readonly [Major, Major])[] = [
  [13, 18],
  [18, 18],
];
const ROWS = 12;

const literal = (value: string | null): string => (value === null ? 'NULL' : escapeLiteral(value));

describe.each(PAIRS)('every type, PostgreSQL %i against %i', (older, newer) => {
  let source: BareServer;
  let target: BareServer;
  let there: Client;
  let here: Client;
  let lab: CompareLab;
  const columns = COLUMNS.filter(({ since = 0 }) => older >= since);

  beforeAll(async () => {
    [source, target] = await Promise.all([BareServer.asRds(older), BareServer.asRds(newer)]);
    const [one, two] = [
      { server: source, database: 'postgres' },
      { server: target, database: 'postgres' },
    ];
    [there, here] = [await openPlain(one), await openPlain(two)];
    // The oids of what is made here are not the same on both: a migrated database has them from its source.
    await Promise.all([there.query(PREPARE), here.query(PREPARE)]);
    await there.query(`CREATE TABLE everything (id int PRIMARY KEY, ${definitions(columns)})`);
    // The same columns in another order, behind and between dropped ones, in emptier pages.
    await here.query(
      `CREATE TABLE everything (gone1 text DEFAULT 'x', ${definitions([...columns].reverse())}, gone2 int[] DEFAULT '{1}', id int PRIMARY KEY) WITH (fillfactor = 10);
       ALTER TABLE everything DROP COLUMN gone1; ALTER TABLE everything DROP COLUMN gone2`,
    );
    lab = await CompareLab.open(one, two);
  });
  afterAll(async () => {
    await lab.close();
    await Promise.allSettled([there.end(), here.end()]);
    await Promise.allSettled([source.remove(), target.remove()]);
  });

  /** Row `id` has of each column the value at its place, counted round. */
  const rows = fc.array(fc.nat(1000), { minLength: ROWS, maxLength: ROWS });
  const valueOf = ({ values }: TypedColumn, seed: number) => values[seed % values.length] ?? null;

  async function fill(seeds: readonly number[]): Promise<void> {
    const insert = (ids: readonly number[], places: readonly TypedColumn[]) =>
      `TRUNCATE everything; INSERT INTO everything (id, ${places.map(({ name }) => escapeIdentifier(name)).join(', ')}) VALUES ${ids
        .map((id) => `(${id}, ${places.map((one, at) => literal(valueOf(one, (seeds[id] ?? 0) + at))).join(', ')})`)
        .join(', ')}`;
    const ids = seeds.map((_, id) => id);
    // Reversed places would give other values to the same column: the order of rows is what differs.
    await Promise.all([there.query(insert(ids, columns)), here.query(insert([...ids].reverse(), columns))]);
  }

  it('equal contents compare equal, whatever the order of rows and columns and the layout of pages', async () => {
    await fc.assert(
      fc.asyncProperty(rows, async (seeds) => {
        await fill(seeds);
        expect(await lab.differences()).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });

  it('any value of any type that is changed to any other is found and named, with its column', async () => {
    await fill(Array.from({ length: ROWS }, (_, id) => id * 7));
    const changes = columns.flatMap((one) =>
      one.values.flatMap((from, at) => one.values.slice(at + 1).map((to) => ({ one, from, to }))),
    );
    // All of them at once, a row for each change, would hide which was missed: a table for each change, all in one comparison.
    const tables = (which: 'from' | 'to') =>
      changes
        .map(
          ({ one, ...values }, at) =>
            `CREATE TABLE change_${at} AS SELECT 1 AS id, ${literal(values[which])}::${one.type} AS v; ALTER TABLE change_${at} ADD PRIMARY KEY (id)`,
        )
        .join(';');
    const drop = changes.map((_, at) => `DROP TABLE change_${at}`).join(';');
    try {
      await Promise.all([there.query(tables('from')), here.query(tables('to'))]);
      const found = new Map((await lab.differences()).map((one) => [one.table, one]));
      const missed = changes
        .map(({ one, from, to }, at) => ({ at, what: `${one.type} ${from} / ${to}` }))
        .filter(({ at }) => {
          const difference = found.get(`public.change_${at}`);
          return difference?.different !== 1 || difference.rows?.[0]?.columns?.join() !== 'v';
        })
        .map(({ what }) => what);
      expect(missed).toEqual([]);
      expect(found.size).toBe(changes.length);
    } finally {
      await Promise.all([there.query(drop), here.query(drop)]);
    }
  });

  it('any mutation of any rows is found, and only those rows are named', async () => {
    const mutation = fc.oneof(
      fc.record({ kind: fc.constant('delete' as const), id: fc.nat(ROWS - 1) }),
      fc.record({ kind: fc.constant('insert' as const), id: fc.integer({ min: ROWS, max: 1000 }) }),
      fc.record({ kind: fc.constant('missing' as const), id: fc.nat(ROWS - 1) }),
      fc.record({
        kind: fc.constant('change' as const),
        id: fc.nat(ROWS - 1),
        column: fc.nat(columns.length - 1),
        by: fc.nat(20),
      }),
      fc.record({
        kind: fc.constant('swap' as const),
        id: fc.nat(ROWS - 1),
        other: fc.nat(ROWS - 1),
        column: fc.nat(columns.length - 1),
      }),
      fc.record({ kind: fc.constant('bit' as const), id: fc.nat(ROWS - 1), bit: fc.nat(8 * 40 - 1) }),
    );
    await fc.assert(
      fc.asyncProperty(rows, mutation, async (seeds, one) => {
        await fill(seeds);
        const expected = new Map<number, { kind: string; columns?: string[] }>();
        switch (one.kind) {
          case 'delete':
            await here.query('DELETE FROM everything WHERE id = $1', [one.id]);
            expected.set(one.id, { kind: 'onlyOnSource' });
            break;
          case 'missing':
            await there.query('DELETE FROM everything WHERE id = $1', [one.id]);
            expected.set(one.id, { kind: 'onlyOnTarget' });
            break;
          case 'insert':
            await here.query('INSERT INTO everything (id) VALUES ($1)', [one.id]);
            expected.set(one.id, { kind: 'onlyOnTarget' });
            break;
          case 'change': {
            const column = columns[one.column] as TypedColumn;
            const before = valueOf(column, (seeds[one.id] ?? 0) + one.column);
            const after = valueOf(column, one.by);
            if (before === after) break;
            await here.query(
              `UPDATE everything SET ${escapeIdentifier(column.name)} = ${literal(after)}::${column.type} WHERE id = ${one.id}`,
            );
            expected.set(one.id, { kind: 'different', columns: [column.name] });
            break;
          }
          case 'swap': {
            const column = columns[one.column] as TypedColumn;
            const [mine, others] = [one.id, one.other].map((id) => valueOf(column, (seeds[id] ?? 0) + one.column));
            if (mine === others) break;
            const name = escapeIdentifier(column.name);
            await here.query(
              `UPDATE everything t SET ${name} = o.${name} FROM everything o
                WHERE (t.id, o.id) IN ((${one.id}, ${one.other}), (${one.other}, ${one.id}))`,
            );
            for (const id of [one.id, one.other]) expected.set(id, { kind: 'different', columns: [column.name] });
            break;
          }
          case 'bit': {
            const bytes = `sha256(${literal(String(seeds[one.id]))}) || '\\x0123456789abcdef'`;
            for (const side of [there, here])
              await side.query(`UPDATE everything SET bytes = ${bytes} WHERE id = $1`, [one.id]);
            await here.query(
              `UPDATE everything SET bytes = set_bit(bytes, ${one.bit}, 1 - get_bit(bytes, ${one.bit})) WHERE id = $1`,
              [one.id],
            );
            expected.set(one.id, { kind: 'different', columns: ['bytes'] });
          }
        }
        expect(rowsOf(await lab.differences())).toEqual(
          [...expected].sort(([a], [b]) => a - b).map(([id, what]) => ({ key: `(${id})`, ...what })),
        );
      }),
      { numRuns: 60 },
    );
  });
});

const definitions = (columns: readonly TypedColumn[]): string =>
  columns.map(({ name, type }) => `${escapeIdentifier(name)} ${type}`).join(', ');

/** Named rows by key. */
function rowsOf(differences: readonly TableDifference[]): unknown[] {
  const rows = differences.flatMap(({ rows: named = [] }) => named);
  return [...rows].sort((a, b) => Number(a.key.slice(1, -1)) - Number(b.key.slice(1, -1)));
}

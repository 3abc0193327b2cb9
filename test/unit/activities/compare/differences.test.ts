import { countsOf, pairTables } from '../../../../activities/compare/differences';
import { disagreementsOf } from '../../../../activities/compare/row-fingerprints';
import { Totals } from '../../../../activities/compare/totals';

const KEY = { name: 'id', type: 'integer', equals: 'OPERATOR(pg_catalog.=)', isInteger: true };
const table = (name: string, schema = 'public', columns = ['id']) => ({ schema, name, key: [KEY], columns, wide: [] });
const row = (key: string, fingerprint: string) => [`(${key})`, { parts: [key], fingerprint }] as const;

describe('rows that disagree', () => {
  it('are those that one side lacks, and those that differ', () => {
    const source = new Map([row('1', '1:11'), row('2', '1:22'), row('3', '1:33')]);
    const target = new Map([row('1', '1:11'), row('3', '1:34'), row('4', '1:44')]);
    expect(disagreementsOf(source, target)).toEqual(
      new Map([
        ['(2)', { source: '1:22', parts: ['2'] }],
        ['(3)', { source: '1:33', target: '1:34', parts: ['3'] }],
        ['(4)', { target: '1:44', parts: ['4'] }],
      ]),
    );
  });

  it('are none where both sides are the same, or empty', () => {
    const rows = new Map([row('1', '1:11')]);
    expect(disagreementsOf(rows, new Map(rows)).size).toBe(0);
    expect(disagreementsOf(new Map(), new Map()).size).toBe(0);
  });

  it('are counted by how they differ', () => {
    const found = new Map([
      ['(1)', { parts: ['1'], source: 'a' }],
      ['(2)', { parts: ['2'], source: 'a' }],
      ['(3)', { parts: ['3'], target: 'b' }],
      ['(4)', { parts: ['4'], source: 'a', target: 'b' }],
    ]);
    expect(countsOf('shop', table('orders'), found)).toEqual({
      database: 'shop',
      table: 'public.orders',
      onlyOnSource: 2,
      onlyOnTarget: 1,
      different: 1,
    });
  });
});

describe('totals', () => {
  const totals = (...entries: [string, number, bigint][]) => {
    const made = new Totals();
    for (const [bucket, rows, sum] of entries) made.add(bucket, { rows, sum });
    return made;
  };

  it('of parts add up to those of the whole, in any order', () => {
    const whole = totals(['0', 3, 6n], ['1', 1, -9_223_372_036_854_775_808n]);
    const parts = totals(['1', 1, -9_223_372_036_854_775_808n], ['0', 1, 1n], ['0', 2, 5n]);
    expect(whole.differing(parts)).toEqual(new Map());
    expect(parts.rows).toBe(4);
  });

  it('differ by number of rows, by sum, and where one side has nothing', () => {
    const one = totals(['a', 1, 1n], ['b', 2, 2n], ['c', 3, 3n], ['d', 4, 4n]);
    const two = totals(['a', 1, 1n], ['b', 1, 2n], ['c', 3, 4n], ['e', 5, 5n]);
    expect(one.differing(two)).toEqual(
      new Map([
        ['b', 2],
        ['c', 3],
        ['d', 4],
        ['e', 5],
      ]),
    );
  });

  it('come out of a heartbeat as they went in', () => {
    const one = totals(['-3', 1, -(2n ** 80n)], ['17', 2 ** 40, 2n ** 90n]);
    expect(Totals.decode(one.encode()).differing(one)).toEqual(new Map());
    expect(Totals.decode('').rows).toBe(0);
  });
});

describe('tables of both sides', () => {
  it('are paired by schema and name', () => {
    const [orders, audit] = [table('orders'), table('orders', 'audit')];
    const pair = (one: typeof orders) => ({ table: one, source: one, target: one });
    expect(pairTables('shop', [orders, audit], [audit, orders])).toEqual({
      both: [pair(orders), pair(audit)],
      differences: [],
      unpaired: { source: 0, target: 0 },
    });
  });

  it('that read alike when their names are joined by a dot are two', () => {
    const alike = [table('b.c', 'a'), table('c', 'a.b')];
    const { both, differences } = pairTables('shop', alike, alike);
    expect(both).toHaveLength(2);
    expect(differences).toEqual([]);
    const [one] = alike;
    const lacking = pairTables('shop', alike, one ? [one] : []);
    expect(lacking.differences.map((difference) => difference.table)).toEqual(['"a.b".c']);
    expect(lacking.unpaired).toEqual({ source: 1, target: 0 });
  });

  it('that only one side has are differences by themselves', () => {
    const { both, differences } = pairTables(
      'shop',
      [table('orders'), table('gone'), table('x', 'a')],
      [table('orders'), table('new'), table('x', 'b')],
    );
    expect(both.map((pair) => pair.table)).toEqual([table('orders')]);
    expect(differences).toEqual([
      expect.objectContaining({ table: 'public.gone', onlyOnSource: 1, onlyOnTarget: 0 }),
      expect.objectContaining({ table: 'a.x', onlyOnSource: 1, onlyOnTarget: 0 }),
      expect.objectContaining({ table: 'public.new', onlyOnSource: 0, onlyOnTarget: 1 }),
      expect.objectContaining({ table: 'b.x', onlyOnSource: 0, onlyOnTarget: 1 }),
    ]);
  });

  it('that have other columns on one side are differences by themselves', () => {
    const { both, differences } = pairTables(
      'shop',
      [table('orders', 'public', ['id', 'note'])],
      [table('orders', 'public', ['id', 'more', 'most'])],
    );
    expect(both).toEqual([]);
    expect(differences).toEqual([
      expect.objectContaining({ onlyOnSource: 1, onlyOnTarget: 2, examples: ['(columns: note, more, most)'] }),
    ]);
  });
});

import { differenceOf, disagreementsOf, pairTables } from '../../../../activities/compare/compare-tables';

const table = (name: string, schema = 'public') => ({ schema, name, key: ['id'] });

describe('rows that disagree', () => {
  it('are those that one side lacks, and those that differ', () => {
    const source = new Map([
      ['(1)', '1:11'],
      ['(2)', '1:22'],
      ['(3)', '1:33'],
    ]);
    const target = new Map([
      ['(1)', '1:11'],
      ['(3)', '1:34'],
      ['(4)', '1:44'],
    ]);
    expect(disagreementsOf(source, target)).toEqual(
      new Map([
        ['(2)', { source: '1:22' }],
        ['(3)', { source: '1:33', target: '1:34' }],
        ['(4)', { target: '1:44' }],
      ]),
    );
  });

  it('are none where both sides are the same, or empty', () => {
    const rows = new Map([['(1)', '1:11']]);
    expect(disagreementsOf(rows, new Map(rows)).size).toBe(0);
    expect(disagreementsOf(new Map(), new Map()).size).toBe(0);
  });

  it('are told apart in the report, with the keys of a few', () => {
    const found = new Map([
      ['(1)', { source: 'a' }],
      ['(2)', { source: 'a' }],
      ['(3)', { target: 'b' }],
      ['(4)', { source: 'a', target: 'b' }],
      ['(5)', { source: 'a', target: 'b' }],
      ['(6)', { source: 'a', target: 'b' }],
    ]);
    expect(differenceOf('shop', table('orders'), found)).toEqual({
      database: 'shop',
      table: 'public.orders',
      onlyOnSource: 2,
      onlyOnTarget: 1,
      different: 3,
      examples: ['(1)', '(2)', '(3)', '(4)', '(5)'],
    });
  });
});

describe('tables of both sides', () => {
  it('are paired by schema and name', () => {
    const [orders, audit] = [table('orders'), table('orders', 'audit')];
    expect(pairTables('shop', [orders, audit], [audit, orders])).toEqual({ both: [orders, audit], differences: [] });
  });

  it('that only one side has are differences by themselves', () => {
    const { both, differences } = pairTables(
      'shop',
      [table('orders'), table('gone'), table('x', 'a')],
      [table('orders'), table('new'), table('x', 'b')],
    );
    expect(both).toEqual([table('orders')]);
    expect(differences).toEqual([
      expect.objectContaining({ table: 'public.gone', onlyOnSource: 1, onlyOnTarget: 0 }),
      expect.objectContaining({ table: 'a.x', onlyOnSource: 1, onlyOnTarget: 0 }),
      expect.objectContaining({ table: 'public.new', onlyOnSource: 0, onlyOnTarget: 1 }),
      expect.objectContaining({ table: 'b.x', onlyOnSource: 0, onlyOnTarget: 1 }),
    ]);
  });
});

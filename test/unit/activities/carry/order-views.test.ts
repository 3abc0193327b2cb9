import fc from 'fast-check';
import { orderViews, type Uses } from '../../../../activities/carry/order-views';

describe('order of views', () => {
  it('puts each after those that it is made of, however the catalog lists them', () => {
    const uses = [
      { view: 1, used: 2 },
      { view: 2, used: 3 },
      { view: 1, used: 3 },
    ];
    expect(orderViews([1, 2, 3], uses)).toEqual([3, 2, 1]);
  });

  it('ends on circles, and puts them and what is made of them last', () => {
    const uses = [
      { view: 1, used: 2 },
      { view: 2, used: 1 },
      { view: 4, used: 1 },
      { view: 3, used: 3 },
    ];
    expect(orderViews([1, 2, 3, 4], uses)).toEqual([3, 1, 2, 4]);
  });

  it('lists each once, and keeps every edge from a smaller to a larger number', () => {
    const edge = fc.tuple(fc.nat(30), fc.nat(30)).filter(([a, b]) => a !== b);
    fc.assert(
      fc.property(fc.array(edge), fc.shuffledSubarray([...Array(31).keys()], { minLength: 31 }), (pairs, views) => {
        const uses: Uses[] = pairs.map(([a, b]) => ({ view: Math.max(a, b), used: Math.min(a, b) }));
        const ordered = orderViews(views, uses);
        expect([...ordered].sort((a, b) => a - b)).toEqual([...Array(31).keys()]);
        for (const { view, used } of uses) expect(ordered.indexOf(used)).toBeLessThan(ordered.indexOf(view));
      }),
    );
  });
});

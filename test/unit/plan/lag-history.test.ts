import fc from 'fast-check';
import { MAX_LAG_POINTS, withLag } from '../../../plan/lag-history';
import type { LagPoint } from '../../../plan/report';

const point = (second: number, bytes: number): LagPoint => ({ at: new Date(second * 1_000).toISOString(), bytes });

const points = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 100_000 }), bytes: fc.nat() }), { minLength: 1, maxLength: 120 })
  .map((steps) => {
    let second = 0;
    return steps.map(({ gap, bytes }) => point((second += gap), bytes));
  });

test('keeps to its bound, and first, last and highest point, in order, invents none', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 3, max: 20 }), (all, max) => {
      const kept = all.reduce<LagPoint[]>((history, one) => withLag(history, [one], max), []);
      expect(kept.length).toBe(Math.min(all.length, max));
      expect(kept[0]).toEqual(all[0]);
      expect(kept.at(-1)).toEqual(all.at(-1));
      expect(Math.max(...kept.map(({ bytes }) => bytes))).toBe(Math.max(...all.map(({ bytes }) => bytes)));
      expect(kept).toEqual(all.filter((one) => kept.some(({ at }) => at === one.at)));
      expect(withLag([], all, max)).toEqual(kept);
    }),
  );
});

test('a point that was there already, or is older, adds nothing', () => {
  const history = [point(10, 5), point(20, 4)];
  expect(withLag(history, [point(15, 9), point(20, 9), point(30, 3)])).toEqual([...history, point(30, 3)]);
});

test('takes no more than what it needs of what it is given', () => {
  const long = { ...point(1, 2), trend: 'steady', source: { retainedBytes: 1 } };
  expect(withLag(undefined, [long])).toEqual([point(1, 2)]);
});

test('a month of looks every five seconds keeps its shape in 200 points', () => {
  const looks = Array.from({ length: 20_000 }, (_, place) => point(place * 130, place === 7_000 ? 1e9 : place % 100));
  const kept = withLag(undefined, looks);
  expect(kept.length).toBe(MAX_LAG_POINTS);
  const gaps = kept.slice(1).map(({ at }, place) => Date.parse(at) - Date.parse(kept[place]?.at ?? ''));
  // No stretch of it is empty.
  expect(Math.max(...gaps)).toBeLessThan((20_000 * 130_000) / 50);
  expect(kept).toContainEqual(point(7_000 * 130, 1e9));
});

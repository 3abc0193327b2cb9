import { ALL_FEATURES } from '../../support/random-schema/grammar';
import { featureCounts } from '../../support/random-schema/summary';
import { worldOf } from '../../support/random-schema/world';

/** As many as `npm run bench:random` plays. */
const SEEDS = 200;
const worlds = Array.from({ length: SEEDS }, (_, place) => worldOf(place + 1));

describe('the grammar of random databases', () => {
  it('makes the same world of a seed each time', () => {
    const text = (seed: number): string => JSON.stringify(worldOf(seed).databases.map(({ statements }) => statements));
    expect(text(17)).toBe(text(17));
    expect(text(17)).not.toBe(text(18));
  });

  it('has everything in it that it knows, in the seeds of the bench', () => {
    const counts = featureCounts(worlds);
    expect(ALL_FEATURES.filter((name) => (counts.get(name) ?? 0) === 0)).toEqual([]);
    expect(new Set(ALL_FEATURES).size).toBe(ALL_FEATURES.length);
  });

  it('lets at most one seed in ten be stopped by the preflight', () => {
    expect(worlds.filter(({ parks }) => parks.size > 0).length).toBeLessThanOrEqual(SEEDS / 10);
    expect(new Set(worlds.map(({ major }) => major))).toEqual(new Set([14, 16, 18]));
    expect(worlds.filter(({ wayBack }) => wayBack).length).toBeGreaterThan(SEEDS / 10);
  });
});

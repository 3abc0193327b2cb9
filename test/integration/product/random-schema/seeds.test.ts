import { FAULTS } from '../../../support/random-schema/faults';
import { playSeed } from '../../../support/random-schema/round';
import { worldOf } from '../../../support/random-schema/world';

/** `npm run bench:random` plays 200. These have each major, databases in other encodings, and the way back. */
const SEEDS = [1, 3, 5, 6, 7];
/** A seed takes half a minute on a machine that does nothing else. */
const SEED_MS = 400_000;

it.each(SEEDS)(
  'a random database is the same after its migration: seed %i',
  async (seed) => {
    const { verdict, detail, written } = await playSeed(worldOf(seed));
    const repeat = `npm run bench:random -- --rounds 1 --seed ${seed}`;
    expect({ repeat, verdict, detail }).toMatchObject({ verdict: expect.stringMatching(/^(right|parked)$/) as string });
    expect(verdict === 'parked' || written > 0).toBe(true);
  },
  SEED_MS,
);

it(
  'finds what a fault of the product would leave behind',
  async () => {
    const features = FAULTS.flatMap(({ needs }) => needs);
    const world = worldOf(1, { features, wayBack: false, parks: false });
    const { verdict, detail } = await playSeed(world, FAULTS);
    expect(verdict).toBe('wrong');
    const [draft] = world.databases;
    if (!draft) throw new Error('no database');
    const missed = FAULTS.filter((fault) => !detail.some((line) => line.includes(fault.found(draft))));
    expect({ missed: missed.map(({ name }) => name), detail }).toMatchObject({ missed: [] });
  },
  SEED_MS,
);

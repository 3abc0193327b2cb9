import { playSeed } from '../../../support/random-schema/round';
import { worldOf } from '../../../support/random-schema/world';

/** A seed takes half a minute on a machine that does nothing else. */
const MAJOR_MS = 400_000;

it.each([13, 14, 15, 16, 17, 18] as const)(
  'PostgreSQL %i: a whole migration, there and back, by a master user who is no superuser and is refused nothing',
  async (major) => {
    const { verdict, detail, written } = await playSeed(worldOf(3, { major, wayBack: true, parks: false }));
    expect({ verdict, detail }).toEqual({ verdict: 'right', detail: [] });
    expect(written).toBeGreaterThan(0);
  },
  MAJOR_MS,
);

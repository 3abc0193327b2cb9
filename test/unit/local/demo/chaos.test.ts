import { Chaos } from '../../../../local/demo/chaos';
import { randomNumbers } from '../../../../local/tools/random-numbers';
import { silently } from '../../../../local/tools/report';

describe('randomNumbers', () => {
  it('depends on the seed only, and stays between 0 and 1', () => {
    const draw = (seed: number): number[] => Array.from({ length: 50 }, randomNumbers(seed));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((number) => number >= 0 && number < 1)).toBe(true);
  });
});

describe('Chaos', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it.each([0, 1, 2, 3, 10])(
    'kills %i times in all, one of them in the pause, however short the migration',
    async (times) => {
      const kills: string[] = [];
      let moment = 'under way';
      const victim = {
        killAndReplace: async () => void kills.push(moment),
        loseHostAndReplace: async () => void kills.push('host'),
        ready: async () => undefined,
      };
      const chaos = new Chaos(times, 7, victim, silently);
      chaos.start();
      await jest.advanceTimersByTimeAsync(12_000);
      moment = 'in the pause';
      const inPause = chaos.cutoverApproved(Promise.resolve());
      await jest.advanceTimersByTimeAsync(1_000);
      await inPause;
      // The first one was given up.
      const again = chaos.cutoverApproved(Promise.resolve());
      await jest.advanceTimersByTimeAsync(1_000);
      await again;
      moment = 'before the end';
      const before = chaos.beforeFinish();
      await jest.advanceTimersByTimeAsync(60_000);
      await before;
      moment = 'at the end';
      const end = chaos.finishing();
      await jest.advanceTimersByTimeAsync(2_000);
      await end;
      expect(kills).toHaveLength(times);
      expect(kills.filter((when) => when === 'in the pause')).toHaveLength(Math.min(times, 1));
      expect(kills.filter((when) => when === 'host')).toHaveLength(times >= 3 ? 1 : 0);
      expect(kills.filter((when) => when === 'at the end')).toHaveLength(times >= 2 ? 1 : 0);
      if (times === 10) expect(kills).toContain('under way');
    },
  );

  it('kills no more once stopped', async () => {
    let kills = 0;
    const chaos = new Chaos(
      5,
      1,
      {
        killAndReplace: async () => void (kills += 1),
        loseHostAndReplace: async () => void (kills += 1),
        ready: async () => undefined,
      },
      silently,
    );
    chaos.start();
    await chaos.stop();
    const soFar = kills;
    await jest.advanceTimersByTimeAsync(100_000);
    expect(kills).toBe(soFar);
  });
});

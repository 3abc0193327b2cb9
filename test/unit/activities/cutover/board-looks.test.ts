import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { BoardLooks } from '../../../../activities/cutover/board-looks';
import type { LookOptions } from '../../../../activities/each-database';
import { QUIET } from '../../../support/workflow-lab';

const inActivity = <T>(work: () => Promise<T>): Promise<T> =>
  new MockActivityEnvironment({}, { logger: QUIET }).run<[], T, () => Promise<T>>(work);
const DATABASES = ['a', 'b', 'c', 'd', 'e', 'f'];

/** A session that ends when it is told to. */
const untilEnded = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('session ended'))));

it('looks at a few databases at the same time, and gives what it found in their order', async () => {
  let [now, most] = [0, 0];
  const found = await inActivity(() =>
    new BoardLooks().each('the schema', DATABASES, async (database) => {
      most = Math.max(most, (now += 1));
      await sleep(database === 'a' ? 20 : 5);
      now -= 1;
      return database;
    }),
  );
  expect(found).toEqual(DATABASES);
  expect(most).toBe(4);
});

it('a database that takes too long ends with a red line that names it, and the others are looked at', async () => {
  await inActivity(async () => {
    const looks = new BoardLooks(50);
    const work = async (database: string, { signal }: LookOptions) =>
      database === 'b' ? untilEnded(signal) : database;
    await expect(looks.each('the schema', DATABASES, work)).resolves.toEqual(['a', 'c', 'd', 'e', 'f']);
    expect(looks.lines()).toEqual([
      {
        code: 'not-looked',
        red: true,
        final: true,
        text: expect.stringMatching(/^the schema of database b: not looked at.* 50 ms/) as string,
      },
    ]);
  });
});

it('the whole board ends in time: what there is no time for is said at once', async () => {
  await inActivity(async () => {
    const looks = new BoardLooks(10_000, 30);
    await looks.each('the schema', DATABASES, (_database, { signal }) => untilEnded(signal));
    await expect(looks.each('cron jobs', ['a'], () => Promise.resolve('looked'))).resolves.toEqual([]);
    expect(
      looks
        .lines()
        .map(({ text }) => text.split(':')[0])
        .sort(),
    ).toEqual(['cron jobs of database a', ...DATABASES.map((database) => `the schema of database ${database}`)]);
  });
});

it('an error of a look is one of the board', async () => {
  const fails = () => Promise.reject(new Error('refused'));
  await expect(inActivity(() => new BoardLooks().each('the schema', DATABASES, fails))).rejects.toThrow('refused');
});

import { lookAtPauseQueue } from '../../../../activities/cutover/look-at-pause-queue';
import type { Dependencies } from '../../../../activities/dependencies';

const QUEUE = { pauseQueue: 'keyshift-pause' };
const asked: string[] = [];
const deps = (workers: () => readonly string[]): Dependencies =>
  ({
    pollersOf: async (taskQueue: string) => {
      asked.push(taskQueue);
      return { workers: workers() };
    },
  }) as unknown as Dependencies;

it('names the workers that poll the queue of the pause', async () => {
  const lines = await lookAtPauseQueue(
    deps(() => ['1@a', '2@b']),
    QUEUE,
  );
  expect(lines).toEqual([{ code: 'pause-queue', red: false, text: 'workers for the pause: 1@a, 2@b' }]);
  expect(asked).toEqual(['keyshift-pause']);
});

it('is red, for nobody to waive, where none does, and says what to do', async () => {
  const [line] = await lookAtPauseQueue(
    deps(() => []),
    QUEUE,
  );
  expect(line).toMatchObject({ code: 'pause-queue', red: true, final: true });
  expect(line?.text).toMatch(/^no worker polls task queue keyshift-pause, .*: start one of this version/);
});

it('asks nobody in a migration whose pause has no queue of its own', async () => {
  await expect(lookAtPauseQueue({} as Dependencies, {})).resolves.toEqual([]);
});

it('is red in a process that does not talk to Temporal', async () => {
  await expect(lookAtPauseQueue({} as Dependencies, QUEUE)).resolves.toMatchObject([{ red: true, final: true }]);
});

it('answers for its own worker where Temporal forbids the question, and passes other errors on', async () => {
  const failing = (error: Error) =>
    deps(() => {
      throw error;
    });
  const denied = Object.assign(new Error('7 PERMISSION_DENIED'), { code: 7 });
  await expect(lookAtPauseQueue(failing(denied), QUEUE)).resolves.toMatchObject([{ red: false }]);
  const away = Object.assign(new Error('14 UNAVAILABLE'), { code: 14 });
  await expect(lookAtPauseQueue(failing(away), QUEUE)).rejects.toBe(away);
});

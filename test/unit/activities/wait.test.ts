import { MockActivityEnvironment } from '@temporalio/testing';
import { type Look, type Patience, waitUntil } from '../../../activities/wait';
import { QUIET } from '../../support/workflow-lab';

/** Waits for a world that answers these looks one after the other; says how many it took, and how long the first one was in coming. */
async function looksAt(answers: readonly boolean[], patience: Patience) {
  let looks = 0;
  let firstAfterMs: number | undefined;
  const startedAt = Date.now();
  const look = async (): Promise<Look<number>> => {
    firstAfterMs ??= Date.now() - startedAt;
    looks += 1;
    return answers[looks - 1] ? { done: looks } : { waitingFor: 'it' };
  };
  const environment = new MockActivityEnvironment({}, { logger: QUIET });
  const done = await environment.run<[], number, () => Promise<number>>(() => waitUntil(look, patience));
  return { done, looks, firstAfterMs: firstAfterMs ?? 0 };
}

test('one look is enough where nothing else is said', async () => {
  await expect(looksAt([false, true], {})).resolves.toMatchObject({ looks: 2 });
});

test('looks in a row have to agree: a state that shows for a moment is none', async () => {
  const answers = [true, true, false, true, true, true];
  await expect(looksAt(answers, { looksInARow: 3, betweenMs: 1 })).resolves.toMatchObject({ looks: 6, done: 6 });
});

test('the first look comes no sooner than the world may show anything', async () => {
  const { firstAfterMs } = await looksAt([true], { firstLookAfterMs: 50 });
  expect(firstAfterMs).toBeGreaterThanOrEqual(45);
});

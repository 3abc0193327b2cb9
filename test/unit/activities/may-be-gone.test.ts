import { MockActivityEnvironment } from '@temporalio/testing';
import { MayBeGone, SHOWS_WITHIN_MS } from '../../../activities/not-shown-yet';
import { QUIET } from '../../support/workflow-lab';

/** A policy that asks for a tag refuses to delete what is gone, since that has no tag. */

const named = (name: string) => Object.assign(new Error('no'), { name, $metadata: {} });
const inAttempt = <T>(attempt: number, work: () => T): Promise<T> =>
  new MockActivityEnvironment({ attempt }, { logger: QUIET }).run(() => Promise.resolve(work()));

afterEach(() => jest.useRealTimers());

it.each(['AccessDenied', 'AccessDeniedException'])(
  '%s means nothing else than what it says before a deletion was sent',
  async (code) => {
    await expect(inAttempt(1, () => new MayBeGone().says(named(code)))).resolves.toBe(false);
  },
);

it('a refusal after a deletion that was accepted may mean that it is gone, for two minutes', async () => {
  jest.useFakeTimers({ now: 0, doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  const says = await inAttempt(1, () => {
    const gone = new MayBeGone();
    gone.accepted();
    const first = gone.says(named('AccessDenied'));
    jest.setSystemTime(SHOWS_WITHIN_MS + 1);
    return [first, gone.says(named('AccessDenied')), gone.says(named('Throttling'))];
  });
  expect(says).toEqual([true, false, false]);
});

it('an attempt before may have sent it', async () => {
  await expect(inAttempt(2, () => new MayBeGone().says(named('AccessDenied')))).resolves.toBe(true);
});

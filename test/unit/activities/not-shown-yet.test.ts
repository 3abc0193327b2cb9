import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { isNotThere, NotShownYet, onceShown } from '../../../activities/not-shown-yet';
import { finalFailure } from '../../../plan/failures';
import { QUIET } from '../../support/workflow-lab';

const awsError = (name: string) => Object.assign(new Error('no'), { name, $metadata: {} });

const run = <T>(call: () => Promise<T | undefined>, withinMs: number): Promise<T> =>
  new MockActivityEnvironment({}, { logger: QUIET }).run(() => onceShown('Secret x', call, new NotShownYet(withinMs)));

/** Fails, or finds nothing, as listed; then it is there. */
function lagging(...before: (Error | undefined)[]): () => Promise<string | undefined> {
  return async () => {
    if (before.length === 0) return 'there';
    const next = before.shift();
    if (next) throw next;
    return undefined;
  };
}

it('waits for what AWS does not show yet, whichever way it says so', async () => {
  const call = lagging(awsError('ResourceNotFoundException'), undefined, finalFailure('ResourceGone', 'no secret'));
  await expect(run(call, 60_000)).resolves.toBe('there');
});

it('believes it in the end', async () => {
  const error = awsError('DBSnapshotNotFoundFault');
  await expect(run(() => Promise.reject(error), 0)).rejects.toBe(error);
  await expect(run(() => Promise.resolve(undefined), 0)).rejects.toMatchObject({
    type: 'ResourceGone',
    nonRetryable: true,
    message: 'Secret x was made, and AWS does not show it.',
  });
});

it('waits for nothing else', async () => {
  for (const error of [awsError('Throttling'), awsError('AccessDeniedException'), new Error('ResourceGone')]) {
    await expect(run(() => Promise.reject(error), 60_000)).rejects.toBe(error);
  }
});

it('counts from the last time that it was shown', async () => {
  const lag = new NotShownYet(0);
  expect(lag.mayPass()).toBe(false);
  const long = new NotShownYet(60_000);
  jest.useFakeTimers({ doNotFake: ['setTimeout', 'setInterval', 'setImmediate', 'nextTick'] });
  try {
    expect(long.mayPass()).toBe(true);
    jest.setSystemTime(Date.now() + 59_000);
    long.shown();
    jest.setSystemTime(Date.now() + 59_000);
    expect(long.mayPass()).toBe(true);
    jest.setSystemTime(Date.now() + 60_000);
    expect(long.mayPass()).toBe(false);
  } finally {
    jest.useRealTimers();
  }
});

it.each([
  ['DBInstanceNotFound', true],
  ['NoSuchEntityException', true],
  ['InvalidDBInstanceState', false],
])('%s says that something is not there: %s', (name, expected) => {
  expect(isNotThere(awsError(name))).toBe(expected);
  expect(isNotThere(Object.assign(new Error(), { name }))).toBe(false);
  expect(isNotThere(ApplicationFailure.nonRetryable('x', name))).toBe(false);
});

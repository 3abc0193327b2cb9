import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { Context } from '@temporalio/activity';
import { beat, MOST_HEARTBEAT_BYTES, reportProgress } from '../../../activities/heartbeat';
import { finalFailure } from '../../../plan/failures';
import { jsonBytes } from '../../../plan/fit-report';
import { MOST_MESSAGE_CHARACTERS, PayloadSize } from '../../../worker/interceptors/payload-size';
import { QUIET } from '../../support/workflow-lab';

/** 10,000 tables with the longest names. */
const MANY = Array.from({ length: 10_000 }, (_, n) => ({
  schema: 's'.repeat(63),
  name: `${n}`.padStart(63, 't'),
  why: 'ü'.repeat(100),
}));

const run = <T>(activity: () => Promise<T>): Promise<T> =>
  new MockActivityEnvironment({}, { logger: QUIET, interceptors: [() => ({ inbound: new PayloadSize() })] }).run(
    activity,
  );

async function failureOf(running: Promise<unknown>): Promise<ApplicationFailure> {
  return running.then(
    () => {
      throw new Error('did not fail');
    },
    (error: unknown) => error as ApplicationFailure,
  );
}

describe('what an activity answers', () => {
  it('passes as it is where it fits in', async () => {
    await expect(run(() => Promise.resolve({ tables: 3 }))).resolves.toEqual({ tables: 3 });
    await expect(run(() => Promise.resolve(undefined))).resolves.toBeUndefined();
  });

  it('fails for good, and says what is too big, where Temporal would refuse it', async () => {
    const failure = await failureOf(run(() => Promise.resolve({ few: [1], tables: MANY })));
    expect(failure).toMatchObject({ type: 'ResultTooBig', nonRetryable: true });
    expect(failure.message).toMatch(/tables \(\d{7} bytes\)/);
  });

  it('keeps the type of a failure whose message or details are too long', async () => {
    const failure = await failureOf(
      run(() => Promise.reject(finalFailure('ContentsDiffer', 'x'.repeat(3_000_000), { tables: MANY }))),
    );
    expect(failure).toMatchObject({ type: 'ContentsDiffer', nonRetryable: true });
    expect(failure.message.length).toBeLessThan(MOST_MESSAGE_CHARACTERS + 100);
    expect(jsonBytes(failure.details)).toBeLessThan(1_000);
  });
});

describe('a heartbeat', () => {
  const beatsWith = async (details: unknown): Promise<unknown> => {
    const environment = new MockActivityEnvironment({}, { logger: QUIET });
    const beats: unknown[] = [];
    environment.on('heartbeat', (sent: unknown) => beats.push(sent));
    await environment.run(() => {
      reportProgress(() => details);
      beat(Context.current());
      return Promise.resolve();
    });
    return beats.at(-1);
  };

  it('is sent as it is where it fits in', async () => {
    await expect(beatsWith({ waitingFor: 'x', resume: { at: 1 } })).resolves.toEqual({
      waitingFor: 'x',
      resume: { at: 1 },
    });
  });

  it('that is too big is sent without its place to go on, and says so', async () => {
    const sent = await beatsWith({ waitingFor: 'comparing', resume: { tables: MANY } });
    expect(sent).toEqual({ waitingFor: 'comparing', tooBig: expect.stringMatching(/^\d+ bytes$/) as string });
    expect(jsonBytes(sent)).toBeLessThan(MOST_HEARTBEAT_BYTES);
  });
});

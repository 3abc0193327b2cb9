import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DatabaseError } from 'pg';
import { beat, reportProgress } from '../../../activities/heartbeat';
import { ACTIVITY_INTERCEPTORS } from '../../../worker/interceptors';
import { QUIET } from '../../support/workflow-lab';

const sqlError = (code: string, table = 'orders') =>
  Object.assign(new DatabaseError(`no ${table}`, 1, 'error'), { code, table, routine: 'parserOpenTable' });

/** The attempts of one activity: each begins with what the heartbeat of the one before said. */
class Attempts {
  #heartbeat: unknown;
  #count = 0;

  constructor(private readonly activityType = 'warmTarget') {}

  get heartbeat(): unknown {
    return this.#heartbeat;
  }

  run(activity: () => Promise<unknown>): Promise<unknown> {
    const environment = new MockActivityEnvironment(
      { activityType: this.activityType, attempt: ++this.#count, heartbeatDetails: this.#heartbeat },
      { logger: QUIET, interceptors: [...ACTIVITY_INTERCEPTORS] },
    );
    environment.on('heartbeat', (details: unknown) => (this.#heartbeat = details));
    return environment.run(activity);
  }

  /** What the attempts fail with, one after the other; a final one ends them. */
  async failing(errors: readonly unknown[]): Promise<string[]> {
    const found: string[] = [];
    for (const error of errors) {
      const failure = (await this.run(() => Promise.reject(error as Error)).catch(
        (thrown: unknown) => thrown,
      )) as Error;
      const isFinal = failure instanceof ApplicationFailure && failure.nonRetryable;
      found.push(isFinal ? `final ${failure.type}` : 'again');
      if (isFinal) break;
    }
    return found;
  }
}

const times = <T>(count: number, of: () => T): T[] => Array.from({ length: count }, of);

it('the same statement that fails in the same way for the third time is final', async () => {
  await expect(new Attempts().failing(times(5, () => sqlError('42P01')))).resolves.toEqual([
    'again',
    'again',
    'final StatementRefused',
  ]);
});

it('so it is when several fail in turn, but each counts for itself', async () => {
  const errors = times(3, () => [sqlError('42P01', 'a'), sqlError('42P01', 'b')]).flat();
  const found = await new Attempts().failing(errors);
  expect(found).toEqual([...times(4, () => 'again'), 'final StatementRefused']);
});

it('what passes by itself, and what is no error of PostgreSQL, is tried again for ever', async () => {
  for (const error of [() => sqlError('55P03'), () => sqlError('57P03'), () => new Error('no mark within 120 s')]) {
    await expect(new Attempts().failing(times(30, error))).resolves.toEqual(times(30, () => 'again'));
  }
});

it('an internal error may pass, but not ten times', async () => {
  const found = await new Attempts().failing(times(12, () => sqlError('XX000')));
  expect(found).toEqual([...times(9, () => 'again'), 'final StatementRefused']);
});

it('a guard that can not look goes on trying: given up, it would guard nothing', async () => {
  const errors = times(20, () => sqlError('42P01'));
  await expect(new Attempts('guardSource').failing(errors)).resolves.toEqual(times(20, () => 'again'));
});

it('an attempt that says nothing leaves what the one before it said where it is', async () => {
  const attempts = new Attempts();
  const stands = { resume: { databases: ['shop'] } };
  await attempts.failing([sqlError('57P03')]);
  await attempts
    .run(() => {
      reportProgress(() => stands);
      return Promise.reject(sqlError('57P03'));
    })
    .catch(() => undefined);
  expect(attempts.heartbeat).toMatchObject(stands);
  await attempts
    .run(() => {
      beat(Context.current());
      return Promise.reject(sqlError('42P01'));
    })
    .catch(() => undefined);
  expect(attempts.heartbeat).toMatchObject({ ...stands, failed: { repeated: [{ times: 1 }] } });
});

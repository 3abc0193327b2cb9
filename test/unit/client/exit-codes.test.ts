import {
  QueryNotRegisteredError,
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, RetryState } from '@temporalio/common';
import { exitCodeOf } from '../../../client/commands/status';
import { CommandError, EXIT } from '../../../client/exit-codes';
import { asCommandError } from '../../../client/migrations';
import type { FailureType } from '../../../plan/failures';
import { newProgress, type MigrationStatus } from '../../../plan/progress';

const ended = (cause: Error) => new WorkflowFailedError('failed', cause, RetryState.NON_RETRYABLE_FAILURE);
const endedWith = (type: FailureType) => ended(ApplicationFailure.nonRetryable('why', type, ['detail']));

describe('exit codes', () => {
  it('are told apart, since scripts rely on them', () => {
    expect(EXIT).toEqual({
      ok: 0,
      unexpected: 1,
      usage: 2,
      blocked: 3,
      notFound: 4,
      refused: 5,
      parked: 6,
      unreachable: 7,
      failed: 8,
    });
  });

  it.each([
    ['a migration that there is not', new WorkflowNotFoundError('x', 'm', undefined), EXIT.notFound],
    ['a workflow that knows no such query', new QueryNotRegisteredError('x', 3), EXIT.notFound],
    [
      'an answer that was refused',
      new WorkflowUpdateFailedError('x', ApplicationFailure.nonRetryable('why', 'Refused')),
      EXIT.refused,
    ],
    ['a preflight that blocks', endedWith('PreflightBlocked'), EXIT.blocked],
    ['a plan with mistakes', endedWith('InvalidPlan'), EXIT.usage],
    ['any other failure', endedWith('SlotLost'), EXIT.failed],
    ['a cancelled migration', ended(new CancelledFailure('cancelled')), EXIT.failed],
    ['no worker', new ServiceError('Deadline exceeded'), EXIT.unreachable],
  ])('say what became of a command: %s', (_, error, exitCode) => {
    expect(asCommandError(error, 'm')).toMatchObject({ exitCode });
  });

  it.each<[MigrationStatus, number]>([
    ['running', EXIT.ok],
    ['waiting', EXIT.ok],
    ['parked', EXIT.parked],
    ['completed', EXIT.ok],
  ])('say where a migration stands: %s', (status, exitCode) => {
    expect(exitCodeOf({ ...newProgress('m'), status })).toBe(exitCode);
  });
});

describe('what the operator is told', () => {
  it('is the reason, with the details for --json', () => {
    const error = asCommandError(endedWith('PreflightBlocked'), 'm');
    expect(error).toMatchObject({ message: 'why', details: ['detail'] });
  });

  it('names the migration that was asked for', () => {
    expect(asCommandError(new WorkflowNotFoundError('x', 'm', undefined), 'encrypt')).toMatchObject({
      message: expect.stringContaining('no migration encrypt') as string,
    });
  });

  it('is what we said already, where we said it; what we did not foresee stays as it is', () => {
    const ours = new CommandError(EXIT.usage, 'x');
    const unforeseen = new Error('x');
    expect(asCommandError(ours)).toBe(ours);
    expect(asCommandError(unforeseen)).toBe(unforeseen);
  });
});

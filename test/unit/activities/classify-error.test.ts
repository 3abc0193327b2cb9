import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { classifyError, isAwsError, isSqlState } from '../../../activities/classify-error';
import { FAILURE_TYPES } from '../../../plan/failures';
import { NO_CREDENTIALS } from '../../../plan/temporal';

const awsError = (name: string, message = 'no') =>
  Object.assign(new Error(message), { name, $metadata: { requestId: 'r' } });
const sqlError = (code: string, message = 'no') => Object.assign(new Error(message), { name: 'error', code });

describe('an error of AWS that no retry fixes', () => {
  it.each([
    ['AccessDenied', 'AccessDenied'],
    ['AccessDeniedException', 'AccessDenied'],
    ['KMSKeyNotAccessibleFault', 'AccessDenied'],
    ['DBInstanceNotFound', 'ResourceGone'],
    ['DBInstanceNotFoundFault', 'ResourceGone'],
    ['DBSnapshotNotFoundFault', 'ResourceGone'],
    ['ParameterNotFound', 'ResourceGone'],
    ['ResourceNotFoundException', 'ResourceGone'],
    ['InstanceQuotaExceededFault', 'QuotaExceeded'],
    ['SnapshotQuotaExceeded', 'QuotaExceeded'],
    ['InvalidParameterValue', 'InvalidRequest'],
    ['DisabledException', 'ResourceFailed'],
  ])('becomes a final failure: %s is %s', (name, type) => {
    expect(FAILURE_TYPES).toHaveProperty(type);
    expect(classifyError(awsError(name, 'why'), 'createSnapshot')).toMatchObject({
      type,
      nonRetryable: true,
      message: `createSnapshot: AWS answered ${name}: why`,
      details: [{ code: name }],
    });
  });
});

describe('an error of PostgreSQL that no retry fixes', () => {
  it.each([
    ['28P01', 'AccessDenied'],
    ['28000', 'AccessDenied'],
    ['42501', 'AccessDenied'],
    ['3D000', 'ResourceGone'],
  ])('becomes a final failure: %s is %s', (code, type) => {
    expect(classifyError(sqlError(code, 'why'), 'createSlots')).toMatchObject({
      type,
      nonRetryable: true,
      message: `createSlots: PostgreSQL answered SQLSTATE ${code}: why`,
    });
  });
});

describe('what a retry may fix', () => {
  it.each([
    ['a throttled API', awsError('Throttling')],
    ['an error inside AWS', awsError('InternalFailure')],
    ['a state that passes', awsError('InvalidDBInstanceStateFault')],
    ['a refused connection', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })],
    ['a server that is starting', sqlError('57P03')],
    ['a terminated session', sqlError('57P01')],
    ['a lock that was not to be had', sqlError('55P03')],
    ['a statement that took too long', sqlError('57014')],
    ['anything else', new Error('boom')],
    ['what is no error', 'boom'],
  ])('stays as it is: %s', (_, error) => {
    expect(classifyError(error, 'createSlots')).toBe(error);
  });

  it.each([
    ['our own failures', ApplicationFailure.nonRetryable('x', 'SlotLost')],
    ['cancellation', new CancelledFailure('x')],
  ])('and so do %s', (_, error) => {
    expect(classifyError(error, 'createSlots')).toBe(error);
  });

  it.each(['CredentialsProviderError', 'TokenProviderError', 'ExpiredToken', 'ExpiredTokenException'])(
    'missing credentials (%s) are retried under a type that the command line knows, and say what to do',
    (name) => {
      const failure = classifyError(Object.assign(new Error('no providers'), { name }), 'createSlots');
      expect(failure).toMatchObject({ type: NO_CREDENTIALS, nonRetryable: false });
      expect((failure as Error).message).toContain('give it a role or AWS_*');
    },
  );

  it('a code of the other kind means nothing', () => {
    const aws = Object.assign(awsError('Throttling'), { code: '28P01' });
    expect(classifyError(aws, 'createSlots')).toBe(aws);
  });
});

describe('telling errors apart', () => {
  it("knows AWS's codes in both spellings", () => {
    expect(isAwsError(awsError('DBSnapshotAlreadyExists'), 'DBSnapshotAlreadyExists')).toBe(true);
    expect(isAwsError(awsError('DBSnapshotAlreadyExistsFault'), 'DBSnapshotAlreadyExists')).toBe(true);
    expect(isAwsError(awsError('DBSnapshotNotFound'), 'DBSnapshotAlreadyExists', 'Other')).toBe(false);
    expect(isAwsError('DBSnapshotNotFound', 'DBSnapshotNotFound')).toBe(false);
  });

  it('knows SQLSTATEs', () => {
    expect(isSqlState(sqlError('42710'), '42P01', '42710')).toBe(true);
    expect(isSqlState(sqlError('42710'), '42P01')).toBe(false);
    expect(isSqlState({ code: '42710' }, '42710')).toBe(false);
  });
});

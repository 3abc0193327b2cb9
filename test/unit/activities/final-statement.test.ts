import { DatabaseError } from 'pg';
import { finalAfter, statementRefused } from '../../../activities/final-statement';
import { withoutValues } from '../../../activities/postgres/statement-place';

describe('how often a statement may fail in the same way', () => {
  it.each(['08006', '08P01', '40001', '40P01', '53100', '53200', '53300', '57P01', '57P03', '55P03', '55006', '25006'])(
    '%s passes: for ever',
    (code) => expect(finalAfter(code)).toBeUndefined(),
  );
  it.each(['22021', '22P02', '23505', '42883', '42P01', '0A000', '54000', '2BP01', 'P0001', '3F000', '21000'])(
    '%s is in the statement or the data: three times',
    (code) => expect(finalAfter(code)).toBe(3),
  );
  it.each(['XX000', '57014', '55000', '58030'])('%s may be either: ten times', (code) =>
    expect(finalAfter(code)).toBe(10),
  );
});

describe('what is said of a statement', () => {
  it.each([
    ["SELECT 1 FROM t WHERE ctid < '(77,0)' AND id > 12345", "SELECT 1 FROM t WHERE ctid < '...' AND id > 0"],
    ["INSERT INTO t\n   VALUES ('it''s', $x$a secret$x$)", "INSERT INTO t VALUES ('...', '...')"],
    ["ALTER ROLE keyshift PASSWORD 'SCRAM-SHA-256$4096:abc'", 'ALTER ROLE ...'],
    ['CREATE SUBSCRIPTION s CONNECTION %L PUBLICATION p', 'CREATE SUBSCRIPTION ...'],
  ])('has neither values nor secrets: %s', (statement, said) => expect(withoutValues(statement)).toBe(said));

  it('is the same for the next pages of a table, and short', () => {
    const chunk = (from: number) => `SELECT sum(h) FROM ONLY public.t WHERE t.ctid >= '(${from},0)'`;
    expect(withoutValues(chunk(1))).toBe(withoutValues(chunk(20_000)));
    expect(withoutValues('x'.repeat(10_000)).length).toBeLessThan(400);
  });
});

it('the failure quotes no row, and says what to do', () => {
  const error = Object.assign(new DatabaseError('duplicate key value', 1, 'error'), {
    code: '23505',
    detail: 'Key (email)=(anna@example.com) already exists.',
    where: 'COPY people, line 1: "anna@example.com"',
    schema: 'public',
    table: 'people',
  });
  const { message, details, nonRetryable } = statementRefused(error, 'waitForCatchUp', 3);
  expect(message).toBe(
    'waitForCatchUp: PostgreSQL answered SQLSTATE 23505 at table public.people 3 times: duplicate key value. A retry alone does not help: correct what the server says, then send retry; or abort.',
  );
  expect(JSON.stringify([message, details])).not.toContain('anna');
  expect(nonRetryable).toBe(true);
});

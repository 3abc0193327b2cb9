import { isOfConnection, lastApplyError, quoted } from '../../../../activities/follow/parse-apply-log';

const OURS = { name: 'keyshift_m__shop', origin: 'pg_16402' };
const P = '2026-11-30 19:22:43 UTC::@:';

/** As PostgreSQL 16 writes it on RDS. */
const SIXTEEN = `${P}[20211]:LOG:  logical replication apply worker for subscription "keyshift_m__shop" has started
${P}[20211]:ERROR:  duplicate key value violates unique constraint "orders_pkey"
${P}[20211]:DETAIL:  Key (email)=(anna@example.com) already exists.
${P}[20211]:CONTEXT:  processing remote data for replication origin "pg_16402" during message type "INSERT" for replication target relation "public.orders" in transaction 741, finished at 0/14F9A50
${P}[20100]:LOG:  background worker "logical replication worker" (PID 20211) exited with exit code 1
2026-11-30 19:22:44 UTC:10.0.0.7(4711):app@shop:[20212]:ERROR:  relation "nothing" does not exist at character 15
2026-11-30 19:22:44 UTC:10.0.0.7(4711):app@shop:[20212]:STATEMENT:  SELECT * FROM nothing`;

it('quotes the error and where it happened, but no row', () => {
  const found = lastApplyError(SIXTEEN, OURS);
  expect(found && quoted(found)).toBe(
    'ERROR: duplicate key value violates unique constraint "orders_pkey" (processing remote data for replication origin "pg_16402" during message type "INSERT" for replication target relation "public.orders" in transaction 741, finished at 0/14F9A50)',
  );
});

it('knows the worker by the origin where the log begins after it did', () => {
  const rest = SIXTEEN.split('\n').slice(1).join('\n');
  expect(lastApplyError(rest, OURS)?.error).toContain('orders_pkey');
  expect(lastApplyError(rest, { name: OURS.name })).toBeUndefined();
});

it('takes no error of another subscription, or of an application', () => {
  expect(lastApplyError(SIXTEEN, { name: 'keyshift_m__ledger', origin: 'pg_16403' })).toBeUndefined();
});

it('reads a log of 14, which has no context; of several errors the last one counts', () => {
  const log = `${P}[7]:LOG:  logical replication apply worker for subscription "keyshift_m__shop" has started
${P}[7]:ERROR:  could not connect to the publisher: connection to server failed
${P}[8]:LOG:  logical replication apply worker for subscription "keyshift_m__shop" has started
${P}[8]:ERROR:  null value in column "a" of relation "t" violates not-null constraint
${P}[8]:DETAIL:  Failing row contains (1, null, secret).
${P}[9]:LOG:  logical replication apply worker for subscription "keyshift_m__shop" has started`;
  expect(lastApplyError(log, OURS)).toEqual({
    error: 'null value in column "a" of relation "t" violates not-null constraint',
  });
});

it('keeps the lines of a context that name a function, and leaves out those that quote a row', () => {
  const log = `${P}[7]:LOG:  logical replication table synchronization worker for subscription "keyshift_m__shop", table "t" has started
${P}[7]:ERROR:  nobody may
${P}[7]:CONTEXT:  PL/pgSQL function public.guard() line 3 at RAISE
\tprocessing remote data for replication origin "pg_16402" during message type "UPDATE"
\tCOPY t, line 7: "1\tanna@example.com"`;
  expect(lastApplyError(log, OURS)).toEqual({
    error: 'nobody may',
    context:
      'PL/pgSQL function public.guard() line 3 at RAISE; processing remote data for replication origin "pg_16402" during message type "UPDATE"',
  });
});

it.each([
  ['could not connect to the publisher: connection refused', true],
  ['could not receive data from WAL stream: SSL connection has been closed unexpectedly', true],
  ['terminating logical replication worker due to administrator command', true],
  ['duplicate key value violates unique constraint "a"', false],
])('%s: of the connection: %s', (error, expected) => expect(isOfConnection({ error })).toBe(expected));

import { parameterCommands, script } from '../../../../activities/preflight/remedy';
import {
  cheapestIdentity,
  type BareTable,
  replicaIdentity,
} from '../../../../activities/preflight/schema/replica-identity';
import { judgeSlotCeiling } from '../../../../activities/preflight/server/slot-ceiling';
import { judgeVersion } from '../../../../activities/preflight/server/version';
import { expectedHours, judgeWalRate, walBytesPerSecondOf } from '../../../../activities/preflight/server/wal-rate';
import { checkEncryption, checkSource } from '../../../../activities/preflight/look-at-source';
import type { Aws } from '../../../../activities/dependencies';
import { checkCapacity } from '../../../../activities/preflight/check-capacity';
import type { Sight } from '../../../../activities/preflight/sql-check';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

const MIB = 1_048_576;
const GIB = 1_024 * MIB;

describe('server-version', () => {
  it.each([
    [130_020, '13.22', /lose changes.*invalid memory alloc/],
    [130_021, '13.22', /invalid memory alloc/],
    [140_003, '14.19', /CREATE INDEX CONCURRENTLY/],
    [170_005, '17.6', /invalid memory alloc/],
  ])('%s has bugs that %s has not', (version, good, bugs) => {
    const found = judgeVersion(version, 'app-db');
    expect(found).toMatchObject({ level: 'warn', message: expect.stringMatching(bugs) as string });
    expect(found.remedy).toBe(
      `aws rds modify-db-instance --db-instance-identifier app-db --engine-version ${good} --apply-immediately`,
    );
  });

  it.each([130_023, 140_023, 150_018, 160_014, 170_010, 180_000])('nothing is known against %s', (version) => {
    expect(judgeVersion(version, 'app-db')).toMatchObject({ level: 'ok' });
  });
});

describe('slot-ceiling', () => {
  const slots = [
    { slot: 'debezium', retainedBytes: 80 * MIB },
    { slot: 'dms', retainedBytes: 10 * MIB },
  ];

  it('blocks when our ceiling would cost somebody else a slot', () => {
    const found = judgeSlotCeiling(slots, 64);
    expect(found).toMatchObject({ level: 'block', message: expect.stringContaining('debezium (80.0 MiB)') as string });
    expect(found.message).not.toContain('dms');
    expect(found.remedy).toContain('maxSlotWalKeepMiB: 160');
    expect(judgeSlotCeiling(slots, 160).level).toBe('ok');
  });
});

describe('wal-rate', () => {
  const rate = (mibPerSecond: number) => ({ walBytesPerSecond: mibPerSecond * MIB, sampled: mibPerSecond * MIB });

  it('warns when the ceiling is reached before the migration can be over', () => {
    // 51,200 MiB at 5 MiB/s last 2.8 hours.
    expect(judgeWalRate(rate(5), 51_200, GIB).level).toBe('ok');
    const found = judgeWalRate(rate(5), 51_200, 400 * GIB);
    expect(found).toMatchObject({ level: 'warn', evidence: { expectedHours: 4, hoursBelowCeiling: 2.8 } });
    const needed = Number(/maxSlotWalKeepMiB: (\d+)/.exec(found.remedy ?? '')?.[1]);
    expect(judgeWalRate(rate(5), needed, 400 * GIB).level).toBe('ok');
  });

  it('says nothing of a source that writes nothing', () => {
    expect(judgeWalRate(rate(0), 64, 0)).toMatchObject({ level: 'ok', evidence: { hoursBelowCeiling: null } });
  });

  it('is to be had for those who compare it with the storage', () => {
    expect(walBytesPerSecondOf([judgeWalRate(rate(3), 51_200, 0)])).toBe(3 * MIB);
    expect(walBytesPerSecondOf([])).toBeUndefined();
    expect(expectedHours(0)).toBe(2);
  });
});

describe('replica-identity', () => {
  const table = (change: Partial<BareTable> = {}): BareTable => ({
    name: 'public.t',
    identity: 'd',
    identityIndex: null,
    primaryKey: false,
    index: null,
    unequalColumns: [],
    oid: '16384',
    fullRefused: false,
    changedRows: '0',
    bytes: '0',
    ...change,
  });
  const judged = (tables: BareTable[], mode: 'require' | 'set', all = false) =>
    replicaIdentity.judge(
      tables.map((one) => ({ ...one, database: 'shop' })),
      { plan: parsedPlan({ ...SMALLEST_PLAN, replicaIdentity: mode }), all } as Sight,
    );

  it('is the cheapest that does', () => {
    expect(cheapestIdentity(table({ primaryKey: true, index: 'u' }))).toBe('DEFAULT');
    expect(cheapestIdentity(table({ index: 'u', unequalColumns: ['doc'] }))).toBe('USING INDEX u');
    expect(cheapestIdentity(table())).toBe('FULL');
    expect(cheapestIdentity(table({ unequalColumns: ['doc'] }))).toBeUndefined();
    expect(cheapestIdentity(table({ fullRefused: true }))).toBeUndefined();
  });

  it('blocks, unless the plan lets Keyshift set it; a table that needs a new column blocks in any case', () => {
    expect(judged([table()], 'require')).toMatchObject([{ level: 'block' }]);
    expect(judged([table()], 'set')).toMatchObject([
      { level: 'ok', message: expect.stringContaining('FULL writes') as string },
    ]);
    const mixed = judged([table(), table({ name: 'public.j', unequalColumns: ['doc'] })], 'set');
    expect(mixed).toMatchObject([{ level: 'block', message: expect.stringContaining('1 table has') as string }]);
    expect(mixed[0]?.remedy).not.toContain('public.t ');
  });

  it('of ten thousand tables stays readable', () => {
    const [found] = judged(
      Array.from({ length: 10_000 }, (_, n) => table({ name: `public.t${n}` })),
      'require',
    );
    expect(JSON.stringify(found).length).toBeLessThan(10_000);
    expect(found?.evidence).toMatchObject({ count: 10_000 });
    expect(found?.remedy).toContain('and 9980 more');
  });

  it('says first what rescues all tables at once, and names each of them where that is asked for', () => {
    const tables = Array.from({ length: 529 }, (_, n) => table({ name: `public.t${n}` }));
    const [few] = judged(tables, 'require');
    expect(few?.remedy?.split('\n')[0]).toContain('in the plan: replicaIdentity: set');
    expect(few?.remedy).toContain('keyshift preflight <plan> --id <id> --all');
    const [all] = judged(tables, 'require', true);
    expect(all?.remedy?.match(/^ALTER TABLE/gm)).toHaveLength(529);
    expect(all?.remedy).not.toContain('more');
    expect(all?.evidence).toMatchObject({ count: 529, found: { length: 529 } });
    // What fits in no key is not rescued by it, and is said.
    const [mixed] = judged([table(), table({ unequalColumns: ['doc'] })], 'require');
    expect(mixed?.remedy).toContain('1 of the 2, in the plan: replicaIdentity: set; the others need a key');
    expect(judged([table({ unequalColumns: ['doc'] })], 'require')[0]?.remedy).not.toContain('replicaIdentity: set');
  });
});

test('a script says for each database where it runs', () => {
  const statements = [
    { database: 'shop', sql: 'A;' },
    { database: 'Odd "one"', sql: 'B;' },
    { database: 'shop', sql: 'C;' },
  ];
  expect(script(statements, 'or not')).toBe('\\connect shop\nA;\nC;\n\\connect "Odd ""one"""\nB;\n-- or not');
});

describe('source-capacity', () => {
  const found = {
    slots: 0,
    maxSlots: 10,
    senders: 0,
    maxSenders: 10,
    subscriptions: 0,
    maxLogicalWorkers: 4,
    otherWorkers: 0,
    maxWorkers: 8,
    maxParallelWorkers: 8,
    origins: 0,
    maxOrigins: null,
    syncWorkers: 2,
    parallelApplyWorkers: 0,
    standbys: false,
  };
  const sight = (count: number, parameterGroup = 'own') => ({
    migration: 'm',
    plan: parsedPlan(),
    parameterGroup,
    databases: Array.from({ length: count }, (_, n) => `db_${n}`),
  });

  it('of a group that stays blocks, and prints what to set', () => {
    expect(checkCapacity(found, sight(3), true).level).toBe('ok');
    const short = checkCapacity({ ...found, slots: 8, maxWorkers: 4 }, sight(3), true);
    expect(short.message).toMatch(/max_replication_slots is 10, 8 used; max_worker_processes is 4, 1 used\.$/);
    expect(short.remedy).toContain(
      '--db-parameter-group-name own --parameters ParameterName=max_replication_slots,ParameterValue=13,ApplyMethod=pending-reboot',
    );
  });

  it('of a group that we replace says what ours sets', () => {
    expect(checkCapacity(found, sight(4, 'default.postgres16'), false)).toMatchObject({
      level: 'ok',
      message:
        'slots, WAL senders and workers for 4 databases are free, with what parameter group keyshift-m-logical sets: max_logical_replication_workers = 6, max_worker_processes = 15',
    });
  });

  it('blocks where read replicas would have to get it first', () => {
    const short = checkCapacity({ ...found, standbys: true }, sight(8, 'default.postgres16'), false);
    expect(short.message).toMatch(/: max_worker_processes is 8, 1 used\. A read replica/);
    expect(short.remedy).toMatch(/^# the same in the group of each read replica first/);
  });
});

test('no remedy modifies a default group', () => {
  const changes = [{ name: 'wal_sender_timeout', value: 60_000 }];
  expect(parameterCommands({ plan: parsedPlan(), parameterGroup: 'default.postgres16' }, changes).split('\n')).toEqual([
    "# default.postgres16 can't be modified: a group of its own, which applies with a reboot",
    'aws rds create-db-parameter-group --db-parameter-group-name app-db-parameters --db-parameter-group-family postgres16 --description app-db',
    'aws rds modify-db-instance --db-instance-identifier app-db --db-parameter-group-name app-db-parameters --apply-immediately',
    'aws rds modify-db-parameter-group --db-parameter-group-name app-db-parameters --parameters ParameterName=wal_sender_timeout,ParameterValue=60000,ApplyMethod=immediate',
  ]);
});

describe('source-engine', () => {
  const engine = (Engine: string, EngineVersion: string) =>
    checkSource({ region: 'eu-central-1' } as Aws, parsedPlan(), {
      Engine,
      EngineVersion,
      DBInstanceStatus: 'available',
    }).find(({ code }) => code === 'source-engine');

  it.each([
    ['aurora-postgresql', '16.4'],
    ['mysql', '8.0.40'],
    ['postgres', '12.22'],
    ['postgres', '19.1'],
  ])('%s %s blocks', (name, version) => {
    expect(engine(name, version)).toMatchObject({ level: 'block' });
  });

  it.each(['13.23', '18.4'])('postgres %s does not', (version) => {
    expect(engine('postgres', version)).toMatchObject({ level: 'ok' });
  });
});

test('source-encryption blocks where the source has the wanted key, and only there', () => {
  const level = (source: Parameters<typeof checkEncryption>[0]) => checkEncryption(source, 'arn:key/wanted').level;
  expect('source-encryption').toBe(checkEncryption({}, 'arn:key/wanted').code);
  expect(level({ StorageEncrypted: true, KmsKeyId: 'arn:key/wanted' })).toBe('block');
  expect(level({ StorageEncrypted: true, KmsKeyId: 'arn:key/other' })).toBe('ok');
  expect(level({ StorageEncrypted: false })).toBe('ok');
});

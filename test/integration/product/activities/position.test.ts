import type { ApplicationFailure } from '@temporalio/common';
import { compareLsn, lsnDistanceBytes, type Lsn } from '../../../../plan/lsn';
import type { PositionEvidence, PositionKind } from '../../../../plan/position';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { captureAndClone, createApplication, DATABASES, MARK, type Steps } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { allowPreparedTransactions } from '../../../support/prepared-transactions';

const TARGET = 'app-db-encrypted';
const ref = migrationRef();
let lab: ActivityLab;
let steps: Steps;
let seed: Lsn;

/** What the seed function says; asked without a commit on the clone, which would use up a transaction id. */
async function readSeed(): Promise<Lsn> {
  const session = await lab.standIn.connect(TARGET);
  try {
    await session.query('BEGIN; CREATE EXTENSION rds_tools');
    const { rows } = await session.query<{ lsn: Lsn }>('SELECT rds_tools.logical_seed_lsn()::text AS lsn');
    return rows[0]?.lsn ?? '';
  } finally {
    await session.end();
  }
}

const readPosition = (change: Partial<Steps> = {}) =>
  lab.run('readPosition', { ...ref, slots: steps.slots, ...change });
const set = (switches: { rdsTools?: boolean; seedLsnOffset?: number }) =>
  lab.standIn.control('PATCH', `instances/${TARGET}`, switches);

/** The target starts anew without the extension. */
async function withoutRdsTools(): Promise<void> {
  await set({ rdsTools: false });
  await lab.standIn.control('POST', `instances/${TARGET}/restart`, { mode: 'fast' });
}

async function disputed(): Promise<ApplicationFailure> {
  const failure = await readPosition().then(
    ({ lsn }) => {
      throw new Error(`${lsn} was accepted`);
    },
    (error: unknown) => error as ApplicationFailure,
  );
  expect(failure).toMatchObject({ type: 'PositionDisputed', nonRetryable: true });
  return failure;
}

const kindsOf = (found: readonly { kind: PositionKind }[]) => [...new Set(found.map(({ kind }) => kind))].sort();

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  await allowPreparedTransactions(lab);
  // AWS does not say that a restored volume has none of them: here it has more than we read.
  await lab.standIn.control('PATCH', `instances/${TARGET}`, { oldLogs: 5 });
  steps = await captureAndClone(lab, ref, () =>
    lab.sql('app-db', `BEGIN; INSERT INTO orders (note) VALUES ('prepared'); PREPARE TRANSACTION 'half''way'`, 'shop'),
  );
  seed = await readSeed();
});
afterAll(() => lab?.close());
afterEach(() => set({ seedLsnOffset: 0 }));

describe('the position of a clone', () => {
  it('is proven by four kinds that agree, and leaves nothing on the clone', async () => {
    const { lsn, evidence, silent } = await readPosition();
    expect(lsn).toBe(seed);
    expect(silent).toEqual([]);
    expect(evidence.find(({ kind }) => kind === 'recovery-log')?.found).toContain('postgresql.log.');
    expect(kindsOf(evidence)).toEqual(['recovery-log', 'seed-function', 'walinspect', 'xid-split']);
    await expect(
      lab.sql(TARGET, `SELECT extname FROM pg_extension WHERE extname IN ('rds_tools', 'pg_walinspect')`, 'ledger'),
    ).resolves.toEqual([]);
  });

  it('is proven without the log where the worker may not read it, and says so', async () => {
    for (const Action of ['rds:DownloadDBLogFilePortion', 'rds:DescribeDBLogFiles']) {
      const Statement = [
        { Effect: 'Allow', Action: '*', Resource: '*' },
        { Effect: 'Deny', Action, Resource: '*' },
      ];
      await lab.standIn.control('PATCH', 'iam', { policy: { Statement }, enforce: true });
      try {
        const { lsn, silent } = await readPosition();
        expect(lsn).toBe(seed);
        expect(silent).toEqual([{ kind: 'recovery-log', why: expect.stringContaining(Action) as string }]);
      } finally {
        await lab.standIn.control('PATCH', 'iam', { policy: null, enforce: false });
      }
    }
  });

  it('lies behind the last transaction that the clone has, and not behind the first that it lacks', async () => {
    const { lsn, evidence } = await readPosition();
    const splits = evidence.filter(({ kind }) => kind === 'xid-split');
    expect(splits).toHaveLength(DATABASES.length);
    for (const { after, upTo } of splits as Required<PositionEvidence>[]) {
      expect(compareLsn(after, lsn)).toBeLessThan(0);
      expect(compareLsn(lsn, upTo)).toBeLessThanOrEqual(0);
    }
  });

  it('is proven without the seed function as well, which is said to be silent', async () => {
    await withoutRdsTools();
    const { lsn, evidence, silent } = await readPosition();
    expect(lsn).toBe(seed);
    expect(kindsOf(evidence)).toEqual(['recovery-log', 'walinspect', 'xid-split']);
    expect(silent).toEqual([{ kind: 'seed-function', why: expect.stringContaining('not available') as string }]);
    await set({ rdsTools: true });
    await lab.standIn.control('POST', `instances/${TARGET}/restart`, { mode: 'fast' });
  });

  it.each([-1000, 1000, -1, 1])(
    'is disputed when the seed function is %d bytes off, with every value found',
    async (offset) => {
      await set({ seedLsnOffset: offset });
      const { message, details } = await disputed();
      const { evidence } = details?.[0] as { evidence: PositionEvidence[] };
      const lie = evidence.find(({ kind }) => kind === 'seed-function')?.exactly as Lsn;
      expect(lsnDistanceBytes(lie, seed)).toBe(offset);
      expect(kindsOf(evidence)).toEqual(['recovery-log', 'seed-function', 'walinspect', 'xid-split']);
      for (const { kind, found } of evidence) expect(message).toContain(`${kind}: ${found}`);
      for (const value of [lie, seed]) expect(message).toContain(value);
      expect(message).toMatch(/What you can do:\n {2}- .*send abort, and start again/);
      await expect(lab.sql(TARGET, 'SELECT 1 FROM pg_subscription')).resolves.toEqual([]);
    },
  );

  it('does not change with restarts of the target, clean or not', async () => {
    for (const mode of ['fast', 'immediate']) {
      await lab.standIn.control('POST', `instances/${TARGET}/restart`, { mode });
      await expect(readPosition()).resolves.toMatchObject({ lsn: seed });
    }
  });

  it('is not looked for when a slot was moved or is gone', async () => {
    const [first, ...rest] = steps.slots;
    if (!first) throw new Error('no slots');
    for (const wrong of [
      { ...first, consistentPoint: '0/1' },
      { ...first, slot: 'keyshift_gone' },
    ]) {
      await expect(readPosition({ slots: [...rest, wrong] })).rejects.toMatchObject({ type: 'SlotLost' });
    }
  });
});

// After the position: it drops evidence.
describe('the quarantine', () => {
  it('refuses a clone without the mark of this run, and touches nothing', async () => {
    const other = MARK.replace('6f', '7f');
    await expect(lab.run('quarantineClone', { ...steps.input, mark: other })).rejects.toMatchObject({
      type: 'ProvenanceFailed',
      message: expect.stringContaining(`keyshift ${ref.id} ${MARK}`) as string,
    });
    await expect(lab.sql(TARGET, 'SELECT 1 FROM pg_replication_slots')).resolves.toHaveLength(DATABASES.length);
    await expect(lab.sql(TARGET, 'SELECT 1 FROM pg_prepared_xacts')).resolves.toHaveLength(1);
  });

  it('rolls prepared transactions back and drops copied slots, on the clone only', async () => {
    await expect(lab.run('quarantineClone', { ...steps.input, mark: MARK })).resolves.toMatchObject({
      preparedTransactions: [`half'way`],
    });
    for (const [instance, prepared, slots] of [
      [TARGET, 0, 0],
      ['app-db', 1, DATABASES.length],
    ] as const) {
      await expect(lab.sql(instance, 'SELECT 1 FROM pg_prepared_xacts')).resolves.toHaveLength(prepared);
      await expect(lab.sql(instance, 'SELECT 1 FROM pg_replication_slots')).resolves.toHaveLength(slots);
    }
  });

  it('leaves two kinds of evidence at least, for a position that is read anew', async () => {
    await withoutRdsTools();
    const { lsn, evidence } = await readPosition();
    expect(compareLsn(lsn, seed)).toBeLessThanOrEqual(0);
    // Without the copied slots the clone may have removed the WAL that `walinspect` reads.
    expect(kindsOf(evidence)).toEqual(expect.arrayContaining(['recovery-log', 'xid-split']));
  });

  it('a transaction that was prepared before the snapshot arrives when it is committed on the source', async () => {
    await lab.run('createSubscriptions', { ...steps.input, position: seed });
    await lab.run('enableSubscriptions', { ...steps.input, position: seed });
    await lab.sql('app-db', `COMMIT PREPARED 'half''way'`, 'shop');
    await lab.run('waitForCatchUp', steps.input);
    await expect(lab.sql(TARGET, `SELECT note FROM orders WHERE note = 'prepared'`, 'shop')).resolves.toHaveLength(1);
  });
});

describe('transactions of the clone itself', () => {
  it('are not taken for some of the source', async () => {
    const instance = 'second-clone';
    const clone = migrationRef({ ...SMALLEST_PLAN, target: { ...SMALLEST_PLAN.target, instance } });
    // A source has one migration at a time.
    await lab.run('dropSlots', steps.input);
    await lab.run('dropPublications', steps.input);
    await lab.run('dropAccess', ref);
    const { slots } = await captureAndClone(lab, clone);
    for (let n = 1; n <= 5; n++) await lab.sql(instance, `CREATE TABLE own_${n} (id int)`, 'shop');
    const { lsn, evidence } = await lab.run('readPosition', { ...clone, slots });
    for (const { exactly } of evidence) expect(exactly ?? lsn).toBe(lsn);
    expect(kindsOf(evidence)).toContain('xid-split');
  });
});

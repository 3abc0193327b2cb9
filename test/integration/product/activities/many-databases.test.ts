import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { MARK } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';

/** What stands still waits for good. */
const PATIENCE_MS = 60_000;

/** In CI only those that stood still; others, such as 1,20,50, where they are asked for. */
const COUNTS = (process.env.KEYSHIFT_TEST_DATABASES ?? '4,8').split(',').map(Number);

let lab: ActivityLab;
beforeEach(async () => (lab = await ActivityLab.open()));
afterEach(() => lab?.close());

/** On the groups that RDS gives by default: with four databases all workers are taken by apply, with eight they are too few. */
it.each(COUNTS)(
  '%i databases catch up, with a worker left for a table that is made meanwhile',
  async (count) => {
    const databases = Array.from({ length: count }, (_, index) => `db_${index}`);
    for (const database of databases) {
      await lab.sql('app-db', `CREATE DATABASE ${database}`);
      await lab.sql('app-db', 'CREATE TABLE orders (id int PRIMARY KEY)', database);
    }
    const ref = migrationRef({ ...SMALLEST_PLAN, databases });
    const input = { ...ref, databases };
    const { checks, source } = await lab.run('runPreflight', ref);
    expect(checks.find(({ code }) => code === 'source-capacity')).toMatchObject({
      level: 'ok',
      message: expect.stringContaining(`keyshift-${ref.id}-logical sets: `) as string,
    });
    if (!source) throw new Error('the preflight blocks');
    const { raised } = await lab.run('prepareParameters', ref);
    expect(raised?.some((one) => one.startsWith('max_logical_replication_workers'))).toBe(count > 1);
    await lab.run('rebootSource', ref);
    await lab.run('createAccess', ref);
    await lab.run('createPublications', { ...input, mark: MARK });
    const slots = await lab.run('createSlots', input);
    await lab.run('createSnapshot', ref);
    const encrypted = { ...ref, kmsKeyArn: source.targetKmsKeyArn };
    await lab.run('copySnapshot', encrypted);
    await lab.run('restoreTarget', encrypted);
    const { lsn: position } = await lab.run('readPosition', { ...ref, slots });
    await lab.run('quarantineClone', { ...input, mark: MARK });
    await lab.run('createSubscriptions', { ...input, position });
    await lab.run('enableSubscriptions', { ...input, position });
    await lab.run('prepareWayBack', input);
    for (const database of databases) await lab.sql('app-db', 'INSERT INTO orders VALUES (1)', database);
    await catchUp(input);
    const copied = `SELECT srrelid::regclass::text AS label FROM pg_subscription_rel WHERE srsublsn IS NOT NULL`;
    for (const database of databases) {
      await expect(lab.sql('app-db-encrypted', 'SELECT id FROM orders', database)).resolves.toEqual([{ id: 1 }]);
      await expect(lab.sql('app-db-encrypted', copied, database)).resolves.toEqual([]);
    }

    const last = databases.at(-1);
    const made = 'CREATE TABLE made_meanwhile (id int PRIMARY KEY)';
    await lab.sql('app-db', `${made}; INSERT INTO made_meanwhile VALUES (1)`, last);
    await lab.sql(
      'app-db-encrypted',
      `SET default_transaction_read_only = off; SET transaction_read_only = off; ${made}`,
      last,
    );
    await catchUp(input);
    await expect(lab.sql('app-db-encrypted', 'SELECT id FROM made_meanwhile', last)).resolves.toEqual([{ id: 1 }]);
  },
  5 * PATIENCE_MS,
);

async function catchUp(input: Parameters<typeof lab.run<'waitForCatchUp'>>[1]): Promise<void> {
  const { result, cancel } = lab.start('waitForCatchUp', input);
  const patience = setTimeout(cancel, PATIENCE_MS);
  await result.finally(() => clearTimeout(patience));
}

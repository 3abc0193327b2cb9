import { waitFor } from '../../../../local/world/wait-for';
import { accessTo, withSession } from '../../../../activities/postgres/session';
import { applicationName, slotName } from '../../../../plan/names';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { MARK } from '../../../support/migration-steps';

const ref = migrationRef();
let lab: ActivityLab;

beforeAll(async () => {
  lab = await ActivityLab.open();
  await lab.run('prepareParameters', ref);
  await lab.run('rebootSource', ref);
  await lab.run('createPublications', { ...ref, databases: ['postgres'], mark: MARK });
});
afterAll(() => lab?.close());

const creating = () =>
  lab.sql(
    'app-db',
    `SELECT pid FROM pg_stat_activity WHERE application_name = '${applicationName(ref.id, 'slot')}' AND state = 'active'`,
  );

test('a session ends with its signal, and so does what it is doing in the server', async () => {
  const access = await accessTo(lab.dependencies, ref, 'source');
  const timeout = new AbortController();
  const options = { step: 'look', database: 'postgres', signal: timeout.signal };
  const sleeping = () =>
    lab.sql(
      'app-db',
      `SELECT pid FROM pg_stat_activity WHERE application_name = '${applicationName(ref.id, 'look')}' AND state = 'active'`,
    );
  const looking = expect(
    withSession(access, options, (session) => session.query('SELECT pg_sleep(50)')),
  ).rejects.toThrow();
  await waitFor('it looks', async () => (await sleeping()).length > 0);
  timeout.abort();
  await looking;
  await waitFor('it has ended in the server', async () => (await sleeping()).length === 0);
});

test('an abort does not wait for a statement that waits itself: it is cancelled in the server', async () => {
  const holder = await lab.standIn.connect('app-db', { database: 'postgres' });
  try {
    await holder.query('BEGIN; CREATE TABLE held (id int)');
    const { result, cancel } = lab.start('createSlots', { ...ref, databases: ['postgres'] });
    const ended = expect(result).rejects.toMatchObject({ name: 'CancelledFailure' });
    await waitFor('the slot waits for the transaction', async () => (await creating()).length > 0);
    cancel();
    await ended;
    await waitFor('the statement has ended', async () => (await creating()).length === 0);
    expect(
      await lab.sql('app-db', `SELECT 1 FROM pg_replication_slots WHERE slot_name = '${slotName(ref, 'postgres')}'`),
    ).toEqual([]);
  } finally {
    await holder.query('ROLLBACK');
    await holder.end();
  }
});

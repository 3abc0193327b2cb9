import { Client } from 'pg';
import { replicationRole } from '../../../../plan/names';
import { settingsOf } from '../../../../activities/postgres/session';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { BareServer } from '../../../support/postgres';

/** Other than what we rely on, each of them. */
const ODD: Readonly<Record<string, string>> = {
  array_nulls: 'off',
  xmloption: 'document',
  xmlbinary: 'hex',
  bytea_output: 'escape',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kolkata',
  extra_float_digits: '-5',
  transform_null_equals: 'on',
  standard_conforming_strings: 'off',
  quote_all_identifiers: 'on',
  row_security: 'on',
  search_path: 'public',
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  synchronous_commit: 'off',
  statement_timeout: '1h',
  lock_timeout: '1h',
  transaction_timeout: '1h',
  idle_in_transaction_session_timeout: '1h',
  idle_session_timeout: '1h',
};

describe('sessions of ours', () => {
  let server: BareServer;
  const open = async (database: string): Promise<Client> => {
    const client = new Client({ ...server.address, user: 'master', database });
    await client.connect();
    return client;
  };
  const lookIn = async (database: string): Promise<unknown> => {
    const client = await open(database);
    await client.query(settingsOf({}));
    const { rows } = await client.query(
      `SELECT name, setting FROM pg_settings WHERE name = ANY ($1::text[]) UNION ALL SELECT 'current_user', current_user ORDER BY 1`,
      [Object.keys(ODD)],
    );
    // What it is about: an array of ours with a null in it.
    const { rows: nulls } = await client.query(`SELECT ('{NULL}'::text[])[1] IS NULL AS null`);
    await client.end();
    return { rows, nulls };
  };

  beforeAll(async () => {
    server = await BareServer.asRds(17);
    const admin = new Client({ ...server.address, user: 'rdsadmin', database: 'postgres' });
    await admin.connect();
    await admin.query('CREATE ROLE app');
    await admin.query('GRANT app TO master');
    for (const name of ['plain', 'of_database', 'of_role']) await admin.query(`CREATE DATABASE ${name}`);
    for (const [name, value] of [...Object.entries(ODD), ['role', 'app'] as const]) {
      const shown = name === 'DateStyle' ? value : `'${value}'`;
      await admin.query(`ALTER DATABASE of_database SET ${name} = ${shown}`);
      await admin.query(`ALTER ROLE master IN DATABASE of_role SET ${name} = ${shown}`);
    }
    await admin.end();
  });
  afterAll(() => server?.remove());

  it.each(['of_database', 'of_role'])('have settings of their own, whatever the defaults %s say', async (database) => {
    const plain = await open(database);
    const { rows } = await plain.query(`SELECT current_user AS role, current_setting('array_nulls') AS nulls`);
    await plain.end();
    expect(rows).toEqual([{ role: 'app', nulls: 'off' }]);
    await expect(lookIn(database)).resolves.toEqual(await lookIn('plain'));
  });
});

it('what reads from the source for the target has no timeout, whatever the defaults say', async () => {
  const lab = await ActivityLab.open('17');
  try {
    const ref = migrationRef();
    await lab.twice('createAccess', ref);
    const [role] = await lab.sql<{ settings: string[] }>(
      SMALLEST_PLAN.source.instance,
      `SELECT rolconfig AS settings FROM pg_roles WHERE rolname = '${replicationRole(ref.id)}'`,
    );
    expect([...(role?.settings ?? [])].sort()).toEqual([
      'default_transaction_read_only=off',
      'idle_in_transaction_session_timeout=0',
      'idle_session_timeout=0',
      'lock_timeout=0',
      'statement_timeout=0',
      'transaction_timeout=0',
    ]);
  } finally {
    await lab.close();
  }
});

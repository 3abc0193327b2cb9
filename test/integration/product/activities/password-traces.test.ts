import { MockActivityEnvironment } from '@temporalio/testing';
import { DescribeDBLogFilesCommand, DownloadDBLogFilePortionCommand } from '@aws-sdk/client-rds';
import { conninfo } from '../../../../activities/postgres/conninfo';
import { executeWithConninfo } from '../../../../activities/postgres/execute-with-conninfo';
import { ensureReplicationCredentials } from '../../../../activities/secrets/replication-secret';
import { accessTo, withSession } from '../../../../activities/postgres/session';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { captureAndClone, createApplication, DATABASES, subscribe } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { until } from '../../../support/stand-in';

const INSTANCE = SMALLEST_PLAN.source.instance;
const PASSWORD = `it's-a-"password"-of-größe`;
const CONNECTION = conninfo({
  address: 'source.example',
  port: 5_432,
  username: 'keyshift_m',
  password: PASSWORD,
  database: 'shop',
  bundle: '/etc/bundle.pem',
});
/** Made by a plain statement: without a connection, CREATE SUBSCRIPTION warns, and a warning is logged with its statement. */
const MADE = `CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere password=none' PUBLICATION p WITH (connect = false, enabled = false, create_slot = false, slot_name = NONE)`;
/** The part of it that no quoting changes. */
const TELLING = '-of-größe';

/** Every statement, every parameter. */
const TALKATIVE = [
  'log_min_duration_statement = 0',
  `log_statement = 'all'`,
  `log_min_error_statement = 'debug5'`,
  'log_parameter_max_length_on_error = -1',
];

let lab: ActivityLab;

beforeEach(async () => {
  lab = await ActivityLab.open('16');
  await settle(...TALKATIVE);
});
afterEach(() => lab?.close());

/** As a parameter group would. */
const settle = (...settings: string[]) =>
  lab.standIn.asService(INSTANCE, [...settings.map((one) => `ALTER SYSTEM SET ${one}`), 'SELECT pg_reload_conf()']);

async function trackStatements(): Promise<void> {
  await settle(`shared_preload_libraries = 'pg_stat_statements'`);
  await lab.standIn.control('POST', `instances/${INSTANCE}/restart`, {});
  await lab.standIn.untilInstance(INSTANCE);
  await lab.sql(INSTANCE, 'CREATE EXTENSION pg_stat_statements');
  await settle(`pg_stat_statements.track = 'all'`);
}
/** RDS's master user has no right to it; plain PostgreSQL can give it since 15. */
const letTurnOff = () => lab.standIn.asService(INSTANCE, 'GRANT SET ON PARAMETER pg_stat_statements.track TO master');

async function log(instance = INSTANCE): Promise<string> {
  const { rds } = lab.aws();
  const files = await rds.send(new DescribeDBLogFilesCommand({ DBInstanceIdentifier: instance }));
  const texts = await Promise.all(
    (files.DescribeDBLogFiles ?? []).map(async ({ LogFileName }) => {
      const portion = { DBInstanceIdentifier: instance, LogFileName, Marker: '0' };
      return (await rds.send(new DownloadDBLogFilePortionCommand(portion))).LogFileData ?? '';
    }),
  );
  return texts.join('\n');
}
const kept = async () =>
  (await lab.sql<{ query: string }>(INSTANCE, 'SELECT query FROM pg_stat_statements'))
    .map(({ query }) => query)
    .join('\n');
const access = () => accessTo(lab.dependencies, migrationRef(), 'source');

describe('the password of a subscription', () => {
  it('arrives as it is, and is neither in the server’s log nor in pg_stat_statements, as by a plain statement', async () => {
    await trackStatements();
    await letTurnOff();
    await withSession(await access(), { step: 'subscribe', database: 'postgres' }, async (session) => {
      await session.query(`SELECT 'a statement that is logged'`);
      await session.query(MADE);
      await executeWithConninfo(session, 'ALTER SUBSCRIPTION s CONNECTION %L', CONNECTION);
      await expect(executeWithConninfo(session, 'ALTER SUBSCRIPTION other CONNECTION %L', CONNECTION)).rejects.toThrow(
        'does not exist',
      );
    });
    const [made] = await lab.standIn.asService<{ subconninfo: string }>(
      INSTANCE,
      'SELECT subconninfo FROM pg_subscription',
    );
    expect(made?.subconninfo).toBe(CONNECTION);
    const text = await log();
    expect(text).toContain('a statement that is logged');
    expect(text).not.toContain(TELLING);
    await expect(kept()).resolves.not.toContain(TELLING);
    await lab.sql(INSTANCE, `ALTER SUBSCRIPTION s CONNECTION 'dbname=shop password=x-of-größe'`);
    // The log collector is a process of its own.
    await until('the statement is in the log', async () => (await log()).includes(TELLING));
    await expect(kept()).resolves.toContain(TELLING);
  });

  it('is warned of where the master user can’t turn pg_stat_statements off', async () => {
    await trackStatements();
    const found = async () =>
      (await lab.run('runPreflight', migrationRef())).checks.find(({ code }) => code === 'statement-tracking');
    await expect(found()).resolves.toMatchObject({
      level: 'warn',
      remedy: expect.stringContaining('ParameterName=pg_stat_statements.track,ParameterValue=top') as string,
    });
    await settle('pg_stat_statements.track_utility = off');
    await expect(found()).resolves.toMatchObject({ level: 'ok' });
    await settle('pg_stat_statements.track_utility = on');
    await letTurnOff();
    await expect(found()).resolves.toMatchObject({ level: 'ok' });
  });
});

describe('the password of the replication role, on the whole path', () => {
  it('is in the log of neither side, though both log every statement and every parameter', async () => {
    const ref = migrationRef({ ...SMALLEST_PLAN, databases: [...DATABASES] });
    await createApplication(lab);
    const steps = await captureAndClone(lab, ref);
    await subscribe(lab, steps);
    await lab.run('prepareWayBack', steps.input);
    let password = '';
    await new MockActivityEnvironment().run(async () => {
      ({ password } = await ensureReplicationCredentials(lab.aws(), ref.id));
    });
    for (const instance of [INSTANCE, SMALLEST_PLAN.target.instance]) {
      const text = await log(instance);
      expect(text).toContain('CREATE SUBSCRIPTION');
      expect(text).toContain('keyshift.conninfo');
      expect(text.includes(password)).toBe(false);
    }
  });
});

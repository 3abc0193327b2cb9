import { DescribeDBSnapshotsCommand } from '@aws-sdk/client-rds';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand, GetParameterCommand } from '@aws-sdk/client-ssm';
import type { CutOverResult } from '../../../../activities/cutover/cut-over-input';
import type { FencePlan } from '../../../../activities/cutover/fence';
import { publicationMark } from '../../../../activities/postgres/create-publications';
import type { SourceFacts } from '../../../../plan/checks';
import type { Position, SlotFacts } from '../../../../plan/position';
import { redLines } from '../../../../plan/board';
import { publicationName, replicationRole, subscriptionName } from '../../../../plan/names';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { createApplication, DATABASES, MARK, ordersOf, writeOrders } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { runScript } from '../../../support/psql';
import { MASTER } from '../../../support/stand-in';

type Switched = Extract<CutOverResult, { switched: true }>;
function switchedBy(result: CutOverResult): Switched {
  if (!result.switched) throw new Error(`given up: ${result.reason}`);
  return result;
}

/** Operations of this migration that make something, and how long that is not seen. */
const MAKERS = [
  'CreateDBParameterGroup',
  'CreateSecret',
  'CreateDBSnapshot',
  'CopyDBSnapshot',
  'RestoreDBInstanceFromDBSnapshot',
  'DeleteDBInstance',
];
const LAG_MS = 700;
const PARAMETER = '/app/database';
const SECRET = 'app/login';
const LOGIN = { username: 'app', password: 'app-password', dbname: 'shop' };
const ref = migrationRef({
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  cutover: {
    traffic: [
      { type: 'ssm-parameter', name: PARAMETER },
      { type: 'secrets-manager', secret: SECRET },
    ],
  },
});
const input = { ...ref, databases: DATABASES };

let lab: ActivityLab;
let source: SourceFacts;
let slots: SlotFacts[];
let position: Position;
let fence: FencePlan;
let cutover: Switched;

const parameter = async () => (await lab.aws().ssm.send(new GetParameterCommand({ Name: PARAMETER }))).Parameter?.Value;

async function endpoint(instance: string): Promise<string> {
  const { Endpoint } = await lab.standIn.instance(instance);
  return `${Endpoint?.Address}:${Endpoint?.Port}`;
}

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  await lab.sql(
    'app-db',
    `CREATE MATERIALIZED VIEW "order" AS SELECT count(*) AS n FROM orders; CREATE SEQUENCE tickets; SELECT setval('tickets', 900)`,
    'shop',
  );
  await lab
    .aws()
    .ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value: await endpoint('app-db') }));
  const [host, port] = (await endpoint('app-db')).split(':');
  const SecretString = JSON.stringify({ ...LOGIN, host, port: Number(port) });
  await lab.aws().secrets.send(new CreateSecretCommand({ Name: SECRET, SecretString }));
  // Reads lag behind writes: whatever the migration makes is not to be seen at first.
  for (const operation of MAKERS) {
    await lab.standIn.control('POST', 'faults', { operation, kind: 'unseen', delayMs: LAG_MS });
  }
});
afterAll(() => lab?.close());

/**
 * A whole migration, activity by activity, each run twice in a row as after an answer that got lost: the tests build on
 * one another.
 */
describe('every activity, run twice, does its work once', () => {
  it('preflight', async () => {
    const { source: facts } = await lab.run('runPreflight', ref);
    source = facts as SourceFacts;
    await expect(lab.run('runPreflight', ref, 2)).resolves.toMatchObject({ source });
    expect(source.databases).toEqual(DATABASES);
  });

  it('parameters, and the reboot that they need', async () => {
    const before = await lab.standIn.instance('app-db');
    await expect(lab.twice('prepareParameters', ref)).resolves.toEqual({
      group: `keyshift-${ref.id}-logical`,
      previousGroup: before.DBParameterGroups?.[0]?.DBParameterGroupName,
      raised: ['max_worker_processes = 13'],
      rebootNeeded: true,
    });
    await expect(lab.twice('rebootSource', ref)).resolves.toEqual({ walLevel: 'logical' });
    await expect(lab.run('prepareParameters', ref)).resolves.toMatchObject({ rebootNeeded: false });
    const [ceiling] = await lab.sql('app-db', 'SHOW max_slot_wal_keep_size');
    expect(ceiling).toEqual({ max_slot_wal_keep_size: '50GB' });
  });

  it('access, also to a database that is not open to PUBLIC', async () => {
    await lab.sql('app-db', 'REVOKE CONNECT ON DATABASE ledger FROM PUBLIC; GRANT CONNECT ON DATABASE ledger TO app');
    await lab.twice('createAccess', ref);
    const grants = await lab.sql(
      'app-db',
      `SELECT pg_get_userbyid(roleid) AS role FROM pg_auth_members WHERE pg_get_userbyid(member) LIKE 'keyshift%'`,
    );
    expect(grants).toEqual([{ role: 'rds_replication' }]);
  });

  it('publications and slots', async () => {
    await lab.twice('createPublications', { ...input, mark: MARK });
    slots = await lab.twice('createSlots', input);
    expect(slots.map(({ database }) => database)).toEqual(DATABASES);
    await writeOrders(lab, 'between slot and snapshot');
  });

  it('snapshot, encrypted copy and restore', async () => {
    await lab.twice('createSnapshot', ref);
    await writeOrders(lab, 'after the snapshot');
    const encrypted = { ...ref, kmsKeyArn: source.targetKmsKeyArn };
    await lab.twice('copySnapshot', encrypted);
    const target = await lab.twice('restoreTarget', encrypted);
    expect(target).toMatchObject({ instance: 'app-db-encrypted', kmsKeyArn: lab.keyArn });
    const notes = await ordersOf(lab, 'app-db-encrypted', 'shop');
    expect(notes.join('\n')).toContain('between slot and snapshot 5');
    expect(notes.join('\n')).not.toContain('after the snapshot');
  });

  it('position, by four kinds of evidence', async () => {
    position = await lab.run('readPosition', { ...ref, slots });
    await expect(lab.run('readPosition', { ...ref, slots }, 2)).resolves.toMatchObject({ lsn: position.lsn });
    const kinds = new Set(position.evidence.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(['recovery-log', 'seed-function', 'walinspect', 'xid-split']);
    expect(position.silent).toEqual([]);
  });

  it('quarantine', async () => {
    const first = await lab.run('quarantineClone', { ...input, mark: MARK });
    expect([...first.slots].sort()).toEqual(slots.map(({ slot }) => slot).sort());
    await expect(lab.run('quarantineClone', { ...input, mark: MARK }, 2)).resolves.toEqual({
      preparedTransactions: [],
      slots: [],
      subscriptions: [],
      cronJobs: [],
      triggers: [],
      readOnly: DATABASES.map((database) => `${database} default_transaction_read_only`),
    });
    await expect(lab.sql('app-db-encrypted', 'SELECT 1 FROM pg_replication_slots')).resolves.toEqual([]);
    await expect(lab.sql('app-db', 'SELECT 1 FROM pg_replication_slots')).resolves.toHaveLength(DATABASES.length);
  });

  it('subscriptions, from exactly the position', async () => {
    await lab.twice('createSubscriptions', { ...input, position: position.lsn });
    await lab.twice('enableSubscriptions', { ...input, position: position.lsn });
    await expect(lab.run('waitForCatchUp', input)).resolves.toMatchObject({ trend: 'steady' });
    await lab.run('waitForCatchUp', input, 2);
  });

  it('settings, with which automated backups begin', async () => {
    await lab.twice('applySettings', ref);
    await lab.run('createSubscriptions', { ...input, position: position.lsn }, 3);
    await writeOrders(lab, 'while subscribed');
    await lab.run('waitForCatchUp', input);
    for (const database of DATABASES) {
      const there = await ordersOf(lab, 'app-db', database);
      expect(there.join('\n')).toContain('while subscribed 5');
      await expect(ordersOf(lab, 'app-db-encrypted', database)).resolves.toEqual(there);
    }
  });

  it('the way back, disabled until the pause', async () => {
    await lab.twice('prepareWayBack', input);
  });

  it('warm-up and comparison', async () => {
    const { relations, blocks } = await lab.run('warmTarget', input);
    expect(relations).toBeGreaterThan(0);
    expect(blocks).toBeGreaterThanOrEqual(relations);
    await lab.run('warmTarget', input, 2);
    for (const attempt of [1, 2]) {
      await expect(lab.run('verifyContents', input, attempt)).resolves.toMatchObject({
        differences: [],
        undecided: 0,
        tables: 4,
      });
    }
  });

  it('materialized views', async () => {
    await lab.twice('refreshViews', input);
    await expect(lab.sql('app-db-encrypted', 'SELECT n::int FROM "order"', 'shop')).resolves.toEqual([{ n: 515 }]);
  });

  it('the board', async () => {
    const board = await lab.run('readGoNoGo', input);
    expect(board).toMatchObject({ fence: { roles: ['app'], unlockable: [] } });
    expect(redLines(board.lines)).toEqual([]);
    expect(board.lines.map(({ text }) => text).join('\n')).toContain(
      `${await endpoint('app-db')} becomes ${await endpoint('app-db-encrypted')}`,
    );
    ({ fence } = board);
  });

  describe('the board, of what no replication carries', () => {
    const lineOf = async (code: string) => {
      const { lines } = await lab.run('readGoNoGo', input);
      return lines.find((line) => line.code === code);
    };
    const scriptIn = (text: string | undefined) => text?.slice(text.indexOf('\n') + 1) ?? '';
    const run = (instance: string, script: string) =>
      runScript((database) => lab.standIn.connect(instance, { database }), script);

    it('names a materialized view that was refreshed on the source since, until that of the target is, too', async () => {
      await expect(lineOf('stale-views')).resolves.toMatchObject({ red: false });
      await lab.sql('app-db', 'REFRESH MATERIALIZED VIEW "order"', 'shop');
      const line = await lineOf('stale-views');
      expect(line).toMatchObject({ red: true });
      await run('app-db-encrypted', scriptIn(line?.text));
      await expect(lineOf('stale-views')).resolves.toMatchObject({ red: false });
    });

    it('names a role whose password is not that of the source, and its login, until the target has it', async () => {
      const linesOf = async () => (await lab.run('readGoNoGo', input)).lines.filter(({ code }) => code === 'passwords');
      const unknown = /^whether the passwords of app were changed since the snapshot can't be known/;
      await expect(linesOf()).resolves.toMatchObject([
        { red: false, text: expect.stringMatching(unknown) as string },
        { red: false, text: `login app of secret ${SECRET} works on app-db-encrypted` },
      ]);
      // On RDS nobody may read them; elsewhere a master user may.
      for (const instance of ['app-db', 'app-db-encrypted'])
        await lab.standIn.asService(instance, `GRANT SELECT ON pg_authid TO ${MASTER.MasterUsername}`);
      const alike = [
        { red: false, text: 'passwords of 1 role are the same on both sides' },
        { red: false, text: `login app of secret ${SECRET} works on app-db-encrypted` },
      ];
      await expect(linesOf()).resolves.toMatchObject(alike);
      await lab.sql('app-db-encrypted', `ALTER ROLE app PASSWORD 'another'`);
      const [verifiers, login] = await linesOf();
      expect(verifiers).toMatchObject({
        red: true,
        text: expect.stringMatching(/^the password of app was set/) as string,
      });
      expect(login).toMatchObject({
        red: true,
        text: expect.stringContaining('works on app-db and not on app-db-encrypted') as string,
      });
      const answers = await run('app-db', scriptIn(verifiers?.text));
      const script = answers.flat().map((row) => Object.values(row as object).join(''));
      expect(script.join()).toMatch(/ALTER ROLE app PASSWORD 'SCRAM-SHA-256/);
      expect(JSON.stringify([verifiers, login])).not.toMatch(/SCRAM-SHA-256|app-password/);
      await run('app-db-encrypted', script.join('\n'));
      await expect(linesOf()).resolves.toMatchObject(alike);
    });
  });

  it('the board forecasts the pause, step by step, and stops nothing', async () => {
    const { forecast, lines } = await lab.run('readGoNoGo', input);
    const sum = (forecast?.steps ?? []).reduce((total, { ms }) => total + ms, 0);
    expect(forecast?.ms).toBeCloseTo(sum, 0);
    for (const step of ['fence', 'sessions', 'drain', 'sequences', 'switch']) {
      expect(forecast?.steps.find((one) => one.step === step)?.ms).toBeGreaterThan(0);
    }
    expect(forecast?.ms).toBeLessThan(10_000);
    expect(lines.at(-1)).toMatchObject({ code: 'forecast', red: false });
    await expect(lab.sql('app-db', `SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app'`)).resolves.toEqual([
      { rolcanlogin: true },
    ]);
  });

  it('the board says whether the way back is ready', async () => {
    const line = async () => (await lab.run('readGoNoGo', input)).lines.filter(({ code }) => code === 'way-back');
    await expect(line()).resolves.toEqual([
      {
        code: 'way-back',
        red: false,
        text: expect.stringMatching(/^way back: disabled subscriptions on app-db/) as string,
      },
    ]);
    const [subscription, publication] = [subscriptionName(ref, 'shop'), publicationName(ref.id)];
    await lab.sql('app-db', `ALTER SUBSCRIPTION ${subscription} RENAME TO away`, 'shop');
    await lab.sql('app-db-encrypted', `DROP PUBLICATION ${publication}`, 'ledger');
    await expect(line()).resolves.toEqual([
      {
        code: 'way-back',
        red: true,
        text: `subscription ${subscription} in database shop of app-db is gone; the preparation of the pause makes it anew`,
      },
      {
        code: 'way-back',
        red: true,
        text: expect.stringMatching(/^publication \S+ is gone from database ledger/) as string,
      },
    ]);
    // By its comment it is known as ours, and goes with the rest.
    const comment = `COMMENT ON PUBLICATION ${publication} IS '${publicationMark(ref.id, MARK)}'`;
    await lab.sql('app-db-encrypted', `CREATE PUBLICATION ${publication} FOR ALL TABLES; ${comment}`, 'ledger');
    await lab.sql(
      'app-db',
      `ALTER SUBSCRIPTION away RENAME TO ${subscription}; ALTER SUBSCRIPTION ${subscription} ENABLE`,
      'shop',
    );
    await expect(line()).resolves.toMatchObject([
      { red: true, text: expect.stringContaining('is enabled before') as string },
    ]);
    await lab.sql('app-db', `ALTER SUBSCRIPTION ${subscription} DISABLE`, 'shop');
  });

  it('the watch of the board comes back when another set of lines is red, and not before', async () => {
    const watch = { ...input, waived: [], blocking: [], lookEveryMs: 100, notBeforeMs: 0 };
    const watched = lab.start('watchBoard', watch);
    const onTime = watched.result.then(({ lines }) => redLines(lines));
    await lab.sql('app-db', `SELECT pg_create_physical_replication_slot('watched')`);
    const found = await onTime;
    expect(found.map(({ code }) => code)).toEqual(['replication-slots']);
    const waived = lab.start('watchBoard', { ...watch, waived: ['replication-slots'] });
    await lab.sql('app-db', `SELECT pg_drop_replication_slot('watched')`);
    waived.cancel();
    await expect(waived.result).rejects.toThrow();
    const window = { cron: '* * * * *', timeZone: 'UTC', minutes: 60 };
    const gates = { ...input.plan.gates, cutover: { ...input.plan.gates.cutover, window } };
    const inWindow = { ...watch, plan: { ...input.plan, gates }, untilWindow: {} };
    await expect(lab.run('watchBoard', inWindow)).resolves.toMatchObject({ window: { open: true } });
  });

  it('the pause', async () => {
    await lab.run('prepareWayBack', input);
    await lab.twice('preparePause', input);
    await lab.sql('app-db', `SELECT setval('tickets', 7)`, 'shop');
    cutover = switchedBy(await lab.run('cutOver', { ...input, fence }));
    expect(cutover).toMatchObject({ holder: 'holder', attempts: 1, sequences: 3, fencedRoles: ['app'] });
    await expect(parameter()).resolves.toBe(await endpoint('app-db-encrypted'));
    await expect(lab.sql('app-db', `SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app'`)).resolves.toEqual([
      { rolcanlogin: false },
    ]);
    // Set back on the source since the target had it.
    await expect(lab.sql('app-db-encrypted', 'SELECT last_value::int FROM tickets', 'shop')).resolves.toEqual([
      { last_value: 7 },
    ]);
  });

  it('the proof under the snapshots of the pause', async () => {
    await writeOrders(lab, 'after the cutover', 'app-db-encrypted');
    const { targetSnapshots } = cutover;
    await expect(lab.run('proveContents', { ...input, targetSnapshots })).resolves.toMatchObject({
      method: 'snapshot',
      differences: [],
      tables: 4,
      changedSince: 0,
    });
  });

  it('the pause again: it is found done and reported the same, and the proof goes by row versions', async () => {
    const again = switchedBy(await lab.run('cutOver', { ...input, fence }, 2));
    const { holder: _, ...facts } = cutover;
    expect(again).toEqual({
      ...facts,
      attempts: 2,
      timeline: again.timeline,
      pauseMs: again.pauseMs,
      switchedAt: again.switchedAt,
    });
    const { targetSnapshots } = again;
    await expect(lab.run('proveContents', { ...input, targetSnapshots }, 2)).resolves.toMatchObject({
      method: 'row-versions',
      differences: [],
      changedSince: 10,
    });
  });

  it('who is connected where', async () => {
    await expect(lab.run('watchTraffic', ref)).resolves.toMatchObject({
      stragglers: [],
      removal: {
        logGroups: [],
        costs: [{ instance: 'app-db', amount: expect.any(Number) as number, currency: 'USD' }],
      },
    });
  });

  it('a grant by hand to our role stops its removal, with the statement that takes it back', async () => {
    const role = replicationRole(ref.id);
    await lab.sql('app-db', `GRANT TEMPORARY ON DATABASE ledger TO ${role}`);
    await lab.sql('app-db', `GRANT SELECT ON orders TO ${role}`, 'shop');
    const refused = await lab.run('removeReplication', input).catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({
      type: 'NotOurs',
      message: expect.stringMatching(/app-db: role ".*" cannot be dropped .*shop/) as string,
    });
    const [, statements = ''] = /in each database that is named: (.*;) then/.exec((refused as Error).message) ?? [];
    await lab.sql('app-db', statements, 'shop');
  });

  it('decommission: only the target, its group and the final snapshot stay', async () => {
    await lab.twice('removeReplication', input);
    const plan = { ...ref.plan, keep: { ...ref.plan.keep, encryptFinalSnapshot: true } };
    const removed = { ...ref, plan, resourceId: source.resourceId, kmsKeyArn: lab.keyArn };
    const final = `keyshift-${ref.id}-final`;
    await lab.standIn.control('PATCH', 'quotas', { instances: 0 });
    await expect(lab.run('deleteSource', removed)).rejects.toMatchObject({
      type: 'QuotaExceeded',
      message: expect.stringContaining('RDS does not delete app-db, whose automated backups would stay') as string,
    });
    await lab.standIn.control('PATCH', 'quotas', { instances: 40 });
    await expect(lab.run('deleteSource', removed)).resolves.toMatchObject({ finalSnapshot: `${final}-encrypted` });
    await expect(lab.run('deleteSource', removed, 2)).resolves.toMatchObject({ finalSnapshot: `${final}-encrypted` });
    const { DBSnapshots } = await lab.aws().rds.send(new DescribeDBSnapshotsCommand({ SnapshotType: 'manual' }));
    const finals = DBSnapshots?.filter(({ DBSnapshotIdentifier }) => DBSnapshotIdentifier?.startsWith(final));
    expect(finals).toMatchObject([
      {
        DBSnapshotIdentifier: `${final}-encrypted`,
        Encrypted: true,
        KmsKeyId: lab.keyArn,
        TagList: expect.arrayContaining([{ Key: 'keyshift:role', Value: 'encrypted-final-snapshot' }]) as unknown,
      },
    ]);
    await lab.twice('deleteSnapshots', ref);
    const text = JSON.stringify(await lab.standIn.control('GET', 'listing'));
    for (const gone of [
      `keyshift-${ref.id}-source`,
      `keyshift-${ref.id}-encrypted`,
      `keyshift-${ref.id}-replication`,
    ]) {
      expect(text).not.toContain(gone);
    }
    for (const stays of ['app-db-encrypted', `keyshift-${ref.id}-final`]) expect(text).toContain(stays);
    const faults = (await lab.standIn.control('GET', 'faults')) as { operation: string; hits: number }[];
    expect(faults.filter(({ hits }) => hits > 0).map(({ operation }) => operation)).toEqual(MAKERS);
    for (const database of DATABASES) {
      const left = await lab.sql(
        'app-db-encrypted',
        `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'keyshift%' UNION ALL SELECT pubname FROM pg_publication
          UNION ALL SELECT subname FROM pg_subscription UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'keyshift%'`,
        database,
      );
      expect(left).toEqual([]);
    }
  });

  it('the whole decommission once more, as after a retry: what went with the source is gone', async () => {
    await lab.run('removeReplication', input, 2);
  });
});

import { CreateBlueGreenDeploymentCommand, DeleteBlueGreenDeploymentCommand } from '@aws-sdk/client-rds';
import { lineText, redLines } from '../../../../plan/board';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  MARK,
  type Steps,
  subscribe,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { until } from '../../../support/stand-in';

const SOURCE = SMALLEST_PLAN.source.instance;
const TARGET = SMALLEST_PLAN.target.instance;
let lab: ActivityLab;

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  for (const sql of [
    'CREATE TABLE bare_full (what text)',
    'CREATE TABLE bare_index (id int NOT NULL UNIQUE, note text)',
    'CREATE TABLE bare_nothing (id int PRIMARY KEY, note text)',
    'ALTER TABLE bare_nothing REPLICA IDENTITY NOTHING',
    `INSERT INTO bare_full VALUES ('one')`,
  ]) {
    await lab.sql(SOURCE, sql, 'shop');
  }
});
afterAll(() => lab?.close());

const IDENTITIES = `SELECT relname || ' ' || relreplident::text AS line FROM pg_class WHERE relname LIKE 'bare\\_%' AND relkind = 'r' ORDER BY 1`;
const identitiesOf = async (instance: string) =>
  (await lab.sql<{ line: string }>(instance, IDENTITIES, 'shop')).map(({ line }) => line);
const BEFORE = ['bare_full d', 'bare_index d', 'bare_nothing n'];
const SET = ['bare_full f', 'bare_index i', 'bare_nothing d'];
const schemasOf = (instance: string) =>
  lab.sql(instance, `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'keyshift%'`, 'shop');

describe('replica identities that the plan lets Keyshift set', () => {
  const ref = migrationRef({ ...SMALLEST_PLAN, replicaIdentity: 'set' }, 'm-undone');
  const input = { ...ref, databases: [...DATABASES] };

  it('are the cheapest, are set once, and let the tables be written to while they are published', async () => {
    const { checks } = await lab.run('runPreflight', ref);
    const found = checks.find(({ code }) => code === 'replica-identity');
    expect(found).toMatchObject({
      level: 'ok',
      message: expect.stringContaining('shop: public.bare_index USING INDEX bare_index_id_key') as string,
    });
    const set = await lab.twice('setReplicaIdentities', input);
    expect(set).toEqual({
      tables: 3,
      found: [
        'shop: public.bare_full FULL',
        'shop: public.bare_index USING INDEX bare_index_id_key',
        'shop: public.bare_nothing DEFAULT',
      ],
    });
    await expect(identitiesOf(SOURCE)).resolves.toEqual(SET);
    await lab.run('createPublications', { ...input, mark: MARK });
    await lab.sql(SOURCE, `UPDATE bare_full SET what = 'two'`, 'shop');
  });

  it('are restored on abort, whichever of the two undos has run before', async () => {
    await lab.run('dropPublications', input);
    await lab.run('restoreReplicaIdentities', { ...input, side: 'source' });
    await expect(identitiesOf(SOURCE)).resolves.toEqual(BEFORE);
    await expect(schemasOf(SOURCE)).resolves.toEqual([]);
    await lab.run('restoreReplicaIdentities', { ...input, side: 'source' }, 2);
    await expect(identitiesOf(SOURCE)).resolves.toEqual(BEFORE);
  });

  it('give way to somebody who has the table, and come when it is free', async () => {
    const session = await lab.standIn.connect(SOURCE, { database: 'shop' });
    await session.query('BEGIN; LOCK TABLE bare_full IN ACCESS SHARE MODE');
    const setting = lab.run('setReplicaIdentities', input);
    try {
      await until('it waits for the table', async () => {
        const waiting = await lab.sql(
          SOURCE,
          `SELECT FROM pg_stat_activity WHERE application_name LIKE 'keyshift/m-undone/%' AND wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
      // Whoever comes behind it is let through by and by.
      await lab.sql(SOURCE, 'SELECT FROM bare_full', 'shop');
    } finally {
      await session.end();
    }
    await setting;
    await expect(identitiesOf(SOURCE)).resolves.toEqual(SET);
  });

  it('that somebody changed meanwhile are left as they are', async () => {
    await lab.sql(SOURCE, 'ALTER TABLE bare_index REPLICA IDENTITY FULL', 'shop');
    await lab.run('restoreReplicaIdentities', { ...input, side: 'source' });
    await expect(identitiesOf(SOURCE)).resolves.toEqual(['bare_full d', 'bare_index f', 'bare_nothing n']);
    await lab.sql(SOURCE, 'ALTER TABLE bare_index REPLICA IDENTITY DEFAULT', 'shop');
  });
});

describe('a migration that has caught up', () => {
  const ref = migrationRef({ ...SMALLEST_PLAN, replicaIdentity: 'set' }, 'm-again');
  let steps: Steps;
  const red = async (plan = ref.plan) =>
    redLines((await lab.run('readGoNoGo', { ...steps.input, plan })).lines).map(lineText);

  beforeAll(async () => {
    await lab.run('setReplicaIdentities', { ...ref, databases: [...DATABASES] });
    steps = await captureAndClone(lab, ref);
    await subscribe(lab, steps);
    await lab.run('applySettings', ref);
    await lab.run('prepareWayBack', steps.input);
  });

  it('finds nothing against itself: what is ours is no finding', async () => {
    await expect(red()).resolves.toEqual([]);
  });

  it('closes the gate for what came since the preflight, unless the plan lets it pass', async () => {
    await lab.sql(SOURCE, `SELECT lo_from_bytea(0, 'late')`, 'shop');
    await lab.sql(SOURCE, `SELECT pg_create_physical_replication_slot('late')`);
    await lab.sql(SOURCE, 'CREATE DATABASE late');
    const found = await red();
    expect(found).toEqual([
      expect.stringMatching(/^source-databases: .*late/),
      expect.stringMatching(/^large-objects: 1 large object/),
      expect.stringMatching(/^replication-slots: .*late/),
    ]);
    await expect(
      red({
        ...ref.plan,
        acknowledge: ['replication-slots'],
        override: [{ code: 'large-objects', reason: 'nobody reads them' }],
      }),
    ).resolves.toEqual([expect.stringMatching(/^source-databases/)]);
    await lab.sql(SOURCE, 'DROP DATABASE late');
    await lab.sql(SOURCE, `SELECT pg_drop_replication_slot('late')`);
    await lab.sql(SOURCE, 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata', 'shop');
  });

  it('closes it for what AWS says since, too', async () => {
    const { rds } = lab.aws();
    const { DBInstanceArn: Source } = await lab.standIn.instance(SOURCE);
    const { BlueGreenDeployment } = await rds.send(
      new CreateBlueGreenDeploymentCommand({ BlueGreenDeploymentName: 'late', Source }),
    );
    const { AllocatedStorage = 0 } = await lab.standIn.instance(SOURCE);
    const switches = (body: object) => lab.standIn.control('PATCH', `instances/${SOURCE}`, body);
    await switches({ ballastBytes: 0.9 * AllocatedStorage * 1024 ** 3 });
    await expect(red()).resolves.toEqual([
      expect.stringMatching(/^blue-green: app-db is part of/),
      expect.stringMatching(/^storage-headroom: .*the guard would pause/),
    ]);
    const BlueGreenDeploymentIdentifier = BlueGreenDeployment?.BlueGreenDeploymentIdentifier;
    await rds.send(new DeleteBlueGreenDeploymentCommand({ BlueGreenDeploymentIdentifier }));
    await switches({ ballastBytes: 0 });
    await expect(red()).resolves.toEqual([]);
  });

  it('says how many roles each pattern of the plan leaves out; the fence knows them all the same', async () => {
    await lab.sql(
      SOURCE,
      'CREATE ROLE "v-1" LOGIN; CREATE ROLE "v-2" LOGIN; GRANT "v-1" TO CURRENT_USER; GRANT SELECT ON orders TO "v-1"',
      'shop',
    );
    await lab.sql(TARGET, 'SET default_transaction_read_only = off; CREATE ROLE "v-0"');
    await expect(red()).rejects.toMatchObject({ type: 'SchemaDrifted' });
    const plan = { ...ref.plan, ignore: { roles: ['v-*', 'teleport-*'] } };
    const { lines, fence } = await lab.run('readGoNoGo', { ...steps.input, plan });
    expect(redLines(lines)).toEqual([]);
    expect(lines.filter(({ code }) => code === 'ignored-roles').map(({ text }) => text)).toEqual([
      `ignore.roles "v-*" leaves out 3 roles now, 2 on ${SOURCE} only: they can't log in to ${TARGET} until they are issued anew there; 1 on ${TARGET} only. The fence locks them out like others`,
      'ignore.roles "teleport-*" leaves out 0 roles now. The fence locks them out like others',
    ]);
    expect(fence.roles).toEqual(['app', 'v-1', 'v-2']);
    await lab.sql(SOURCE, 'DROP OWNED BY "v-1"; DROP ROLE "v-1", "v-2"', 'shop');
    await lab.sql(TARGET, 'SET default_transaction_read_only = off; DROP ROLE "v-0"');
    await expect(red()).resolves.toEqual([]);
  });

  it('looks at the collations of the target, too', async () => {
    const collation = (version: string) =>
      lab.standIn.asService(
        TARGET,
        `UPDATE pg_collation SET collversion = ${version} WHERE collname = 'und-x-icu'`,
        'shop',
      );
    // On both: an index of the target alone would be drift.
    for (const side of [SOURCE, TARGET]) {
      await lab.sql(side, 'CREATE INDEX by_note ON orders (note COLLATE "und-x-icu")', 'shop');
    }
    await collation(`'1.0'`);
    await expect(red()).resolves.toEqual([expect.stringMatching(/^collations: 1 collation of the target .*und-x-icu/)]);
    await collation('pg_collation_actual_version(oid)');
    await expect(red()).resolves.toEqual([]);
  });

  it('restores the replica identities of both sides with the publications, the target by the record that came with the snapshot', async () => {
    await expect(identitiesOf(TARGET)).resolves.toEqual(SET);
    await expect(identitiesOf(SOURCE)).resolves.toEqual(SET);
    await lab.run('removeReplication', steps.input);
    for (const side of ['source', 'target'] as const) {
      await lab.run('restoreReplicaIdentities', { ...steps.input, side });
      await expect(identitiesOf(side === 'source' ? SOURCE : TARGET)).resolves.toEqual(BEFORE);
      await expect(schemasOf(side === 'source' ? SOURCE : TARGET)).resolves.toEqual([]);
    }
  });
});

import {
  CreateDBParameterGroupCommand,
  CreateDBSnapshotCommand,
  DescribeDBInstanceAutomatedBackupsCommand,
} from '@aws-sdk/client-rds';
import { awsName, fenceSchema, publicationName, replicationRole } from '../../../../plan/names';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { captureAndClone, createApplication, DATABASES, MARK, type Steps } from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';

/** A migration that goes as far as its target; and one that meets what others made under its names. */
const ours = migrationRef();
const other = migrationRef(SMALLEST_PLAN, 'm-other');
const NOT_OURS = { type: 'NotOurs', nonRetryable: true };

let lab: ActivityLab;
let steps: Steps;
beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  steps = await captureAndClone(lab, ours);
});
afterAll(() => lab?.close());

describe('what somebody else made under a name that we need', () => {
  const input = { ...other, databases: ['shop'] };

  it('is refused and left alone: a snapshot', async () => {
    const DBSnapshotIdentifier = awsName(other.id, 'source');
    await lab.aws().rds.send(new CreateDBSnapshotCommand({ DBInstanceIdentifier: 'app-db', DBSnapshotIdentifier }));
    await lab.standIn.untilSnapshot(DBSnapshotIdentifier);
    await expect(lab.run('createSnapshot', other)).rejects.toMatchObject(NOT_OURS);
    await lab.run('deleteSnapshot', other);
    await expect(lab.standIn.snapshot(DBSnapshotIdentifier)).resolves.toMatchObject({ Status: 'available' });
  });

  it('is refused and left alone: an encrypted snapshot', async () => {
    const DBSnapshotIdentifier = awsName(other.id, 'encrypted');
    await lab.aws().rds.send(new CreateDBSnapshotCommand({ DBInstanceIdentifier: 'app-db', DBSnapshotIdentifier }));
    await lab.standIn.untilSnapshot(DBSnapshotIdentifier);
    await expect(lab.run('copySnapshot', { ...other, kmsKeyArn: lab.keyArn })).rejects.toMatchObject(NOT_OURS);
    await lab.run('deleteEncryptedSnapshot', other);
    await expect(lab.standIn.snapshot(DBSnapshotIdentifier)).resolves.toMatchObject({ Status: 'available' });
  });

  it('is refused and left alone: the target, also when another migration made it', async () => {
    await expect(lab.run('restoreTarget', { ...other, kmsKeyArn: lab.keyArn })).rejects.toMatchObject(NOT_OURS);
    await lab.run('deleteTarget', other);
    await expect(lab.standIn.instance('app-db-encrypted')).resolves.toMatchObject({ DBInstanceStatus: 'available' });
  });

  it('is refused: a secret', async () => {
    await lab.secret(awsName(other.id, 'replication'), 'somebody', 'their-password');
    await expect(lab.run('createAccess', other)).rejects.toMatchObject(NOT_OURS);
    await expect(lab.sql('app-db', `SELECT 1 FROM pg_roles WHERE rolname = 'somebody'`)).resolves.toEqual([]);
    await lab.run('dropAccess', other);
    expect(JSON.stringify(await lab.standIn.control('GET', 'listing'))).toContain(awsName(other.id, 'replication'));
  });

  it('is refused: a publication with another mark', async () => {
    await lab.sql('app-db', `CREATE PUBLICATION ${publicationName(other.id)}`, 'shop');
    await expect(lab.run('createPublications', { ...input, mark: MARK })).rejects.toMatchObject({
      ...NOT_OURS,
      message: expect.stringContaining(`DROP PUBLICATION ${publicationName(other.id)};`) as string,
    });
  });

  it('is refused: a slot of another plugin', async () => {
    await lab.sql(
      'app-db',
      `SELECT pg_create_logical_replication_slot('keyshift_m_other__shop', 'test_decoding')`,
      'shop',
    );
    await expect(lab.run('createSlots', input)).rejects.toMatchObject(NOT_OURS);
    // The server would not start with it once it decodes no more.
    await lab.sql('app-db', `SELECT pg_drop_replication_slot('keyshift_m_other__shop')`);
  });

  it('is not deleted: an instance that took over the name of the source', async () => {
    await expect(lab.run('deleteSource', { ...ours, resourceId: 'db-THEONEBEFORE' })).rejects.toMatchObject(NOT_OURS);
    await expect(lab.standIn.instance('app-db')).resolves.toMatchObject({ DBInstanceStatus: 'available' });
  });
});

describe('what is ours', () => {
  it('is adopted by its tag, and not made a second time', async () => {
    const before = await lab.standIn.control('GET', 'listing');
    await lab.run('createSnapshot', ours, 2);
    await lab.run('copySnapshot', { ...ours, kmsKeyArn: lab.keyArn }, 2);
    await lab.run('restoreTarget', { ...ours, kmsKeyArn: lab.keyArn }, 2);
    expect(await lab.standIn.control('GET', 'listing')).toEqual(before);
  });

  it('is not adopted under another key than the wanted one', async () => {
    const wanted = { ...ours, kmsKeyArn: `${lab.keyArn}-other` };
    await expect(lab.run('copySnapshot', wanted)).rejects.toMatchObject({ type: 'ResourceFailed' });
    await expect(lab.run('restoreTarget', wanted)).rejects.toMatchObject({ type: 'ResourceFailed' });
  });

  it('is known without the comments that an earlier build did not make, too', async () => {
    const role = replicationRole(ours.id);
    await lab.sql('app-db', `COMMENT ON ROLE ${role} IS NULL`);
    for (const database of DATABASES) {
      await lab.sql('app-db', `COMMENT ON SCHEMA ${fenceSchema(ours.id)} IS NULL`, database);
      await lab.sql('app-db', `DELETE FROM ${fenceSchema(ours.id)}.fence WHERE purpose = 'slot-begun'`, database);
    }
    await lab.twice('createAccess', ours);
    await expect(lab.run('createSlots', steps.input, 2)).resolves.toEqual(steps.slots);
  });

  it('is undone, newest first, until the source is as it was found; undoing it again does no harm', async () => {
    const { ref, input, source } = steps;
    for (let attempt = 1; attempt <= 2; attempt++) {
      await lab.run('deleteTarget', ref, attempt);
      await lab.run('deleteEncryptedSnapshot', ref, attempt);
      await lab.run('deleteSnapshot', ref, attempt);
      await lab.run('dropSlots', input, attempt);
      await lab.run('dropPublications', input, attempt);
      await lab.run('dropAccess', ref, attempt);
      const { rebootNeeded } = await lab.run(
        'restoreParameters',
        { ...ref, previousGroup: source.parameterGroup },
        attempt,
      );
      expect(rebootNeeded).toBe(true);
    }
    await lab.run('rebootSource', ref);
    // What we made goes whole: no snapshot and no automated backups of the target are left.
    await expect(
      lab.aws().rds.send(new DescribeDBInstanceAutomatedBackupsCommand({ DBInstanceIdentifier: 'app-db-encrypted' })),
    ).resolves.toMatchObject({ DBInstanceAutomatedBackups: [] });
    for (const database of DATABASES) {
      const left = await lab.sql<{ n: string }>(
        'app-db',
        `SELECT nspname AS n FROM pg_namespace WHERE nspname ~ '^keyshift' UNION ALL SELECT slot_name FROM pg_replication_slots
         UNION ALL SELECT rolname FROM pg_roles WHERE rolname = '${replicationRole(ours.id)}'`,
        database,
      );
      expect(left).toEqual([]);
    }
    expect(JSON.stringify(await lab.standIn.control('GET', 'listing'))).not.toContain(`keyshift-${ref.id}`);
    const [{ wal_level: walLevel }] = (await lab.sql<{ wal_level: string }>('app-db', 'SHOW wal_level')) as [
      { wal_level: string },
    ];
    expect(walLevel).toBe('replica');
  });

  it('is refused where it is not ours after all: a parameter group, once the source needs one again', async () => {
    const DBParameterGroupName = awsName(other.id, 'logical');
    const group = { DBParameterGroupName, DBParameterGroupFamily: 'postgres16', Description: 'x' };
    await lab.aws().rds.send(new CreateDBParameterGroupCommand(group));
    await expect(lab.run('prepareParameters', other)).rejects.toMatchObject(NOT_OURS);
    await expect(lab.standIn.instance('app-db')).resolves.toMatchObject({
      DBParameterGroups: [{ DBParameterGroupName: 'default.postgres16' }],
    });
  });
});

import {
  CreateDBInstanceReadReplicaCommand,
  CreateDBParameterGroupCommand,
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { lookAtReplicas, replicasToRemove } from '../../../../activities/replicas/look-at-replicas';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { until } from '../../../support/stand-in';

const ref = migrationRef({
  ...SMALLEST_PLAN,
  target: { ...SMALLEST_PLAN.target, replicas: { names: { reports: 'reports-encrypted' } } },
});
const NEW = { 'app-db-reader': 'app-db-encrypted-reader', reports: 'reports-encrypted' } as const;

let lab: ActivityLab;
beforeAll(async () => {
  lab = await ActivityLab.open();
  const { rds } = lab.aws();
  const SourceDBInstanceIdentifier = 'app-db';
  await rds.send(
    new CreateDBInstanceReadReplicaCommand({
      SourceDBInstanceIdentifier,
      DBInstanceIdentifier: 'app-db-reader',
      DBInstanceClass: 'db.r6g.xlarge',
      DeletionProtection: true,
    }),
  );
  await rds.send(
    new CreateDBInstanceReadReplicaCommand({
      SourceDBInstanceIdentifier,
      DBInstanceIdentifier: 'reports',
      DBInstanceClass: 'db.t4g.medium',
      PubliclyAccessible: false,
      MonitoringInterval: 60,
      MonitoringRoleArn: 'arn:aws:iam::123456789012:role/monitoring',
      Tags: [{ Key: 'team', Value: 'reports' }],
    }),
  );
  for (const id of Object.keys(NEW)) await lab.standIn.untilInstance(id);
  await rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: 'reports-group',
      DBParameterGroupFamily: 'postgres16',
      Description: 'their own',
    }),
  );
  await rds.send(
    new ModifyDBInstanceCommand({
      DBInstanceIdentifier: 'reports',
      PreferredMaintenanceWindow: 'tue:03:12-tue:03:42',
      DBParameterGroupName: 'reports-group',
      MaxAllocatedStorage: 500,
    }),
  );
  await until('the group waits for a reboot', async () => {
    const { DBParameterGroups, DBInstanceStatus } = await lab.standIn.instance('reports');
    return DBInstanceStatus === 'available' && DBParameterGroups?.[0]?.ParameterApplyStatus === 'pending-reboot';
  });
  await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'reports' }));
  await lab.standIn.untilInstance('reports');
  // A clone of a migration has its schema inside.
  await lab.run('createPublications', { ...ref, databases: ['postgres'], mark: 'mark' });
  await lab.run('createSnapshot', ref);
  await lab.run('copySnapshot', { ...ref, kmsKeyArn: lab.keyArn });
  await lab.run('restoreTarget', { ...ref, kmsKeyArn: lab.keyArn });
});
afterAll(() => lab?.close());

const ids = async () => {
  const { DBInstances } = await lab.aws().rds.send(new DescribeDBInstancesCommand({}));
  return (DBInstances ?? []).map(({ DBInstanceIdentifier }) => DBInstanceIdentifier).sort();
};

test('the settings say which read replicas the source has', async () => {
  await expect(lab.twice('applySettings', ref)).resolves.toMatchObject({ replicas: ['app-db-reader', 'reports'] });
});

test('before they are rebuilt, the board is red', async () => {
  const { red } = await lookAtReplicas(lab.dependencies, ref);
  expect(red).toHaveLength(2);
  expect(red.join('\n')).toContain('read replica reports-encrypted is missing, for reports on the source');
});

test('each is rebuilt with its own class and settings, and streams from the target', async () => {
  const { instances, left } = await lab.twice('createReplicas', ref);
  expect(left).toEqual([]);
  expect(instances).toMatchObject([
    { instance: 'app-db-encrypted-reader', like: 'app-db-reader', differences: [] },
    { instance: 'reports-encrypted', like: 'reports', differences: [] },
  ]);
  await expect(lab.standIn.instance('reports-encrypted')).resolves.toMatchObject({
    DBInstanceClass: 'db.t4g.medium',
    PubliclyAccessible: false,
    MonitoringInterval: 60,
    PreferredMaintenanceWindow: 'tue:03:12-tue:03:42',
    StorageEncrypted: true,
    KmsKeyId: lab.keyArn,
    ReadReplicaSourceDBInstanceIdentifier: 'app-db-encrypted',
    MaxAllocatedStorage: 500,
    DBParameterGroups: [{ DBParameterGroupName: 'reports-group', ParameterApplyStatus: 'in-sync' }],
  });
  const { MaxAllocatedStorage } = await lab.standIn.instance('app-db-encrypted-reader');
  expect(MaxAllocatedStorage).toBeUndefined();
  await lab.sql('app-db-encrypted', 'CREATE TABLE seen AS SELECT 42 AS n');
  for (const replica of Object.values(NEW)) {
    await until(`${replica} has replayed it`, async () => {
      const [row] = await lab.sql<{ n: number }>(replica, `SELECT n FROM seen`).catch(() => []);
      return row?.n === 42;
    });
    await expect(lab.sql(replica, 'SELECT pg_is_in_recovery() AS standby')).resolves.toEqual([{ standby: true }]);
  }
});

test('the board shows them ready, and where readers have to go', async () => {
  const { red, findings } = await lookAtReplicas(lab.dependencies, ref);
  expect(red).toEqual([]);
  expect(findings.join('\n')).toMatch(/read replica reports-encrypted is ready, \d+ bytes behind; point readers of/);
});

test('one that is gone is red, and made again', async () => {
  await lab
    .aws()
    .rds.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'reports-encrypted', SkipFinalSnapshot: true }));
  await until('it is gone', async () => !(await ids()).includes('reports-encrypted'));
  expect((await lookAtReplicas(lab.dependencies, ref)).red).toHaveLength(1);
  await expect(
    lab.sql('app-db-encrypted', `SELECT count(*)::int AS slots FROM pg_replication_slots WHERE slot_type = 'physical'`),
  ).resolves.toEqual([{ slots: 1 }]);
  await lab.run('createReplicas', ref);
  expect((await lookAtReplicas(lab.dependencies, ref)).red).toEqual([]);
});

test('the undo deletes them, protected or not, and leaves those of the source alone', async () => {
  await lab.twice('deleteReplicas', ref);
  await expect(ids()).resolves.toEqual(['app-db', 'app-db-encrypted', 'app-db-reader', 'reports']);
});

test('the decommission deletes the old ones with the source, by the approval of what it found', async () => {
  await lab.run('createReplicas', ref);
  const reader = await lab.standIn.connect('reports');
  const { removed, left } = await replicasToRemove(lab.dependencies, ref);
  await reader.end();
  expect(left).toEqual([]);
  expect(removed).toMatchObject([
    { instance: 'app-db-reader', replacedBy: 'app-db-encrypted-reader', protected: true, sessions: 0 },
    { instance: 'reports', replacedBy: 'reports-encrypted', protected: false, sessions: 1 },
  ]);
  const { DbiResourceId: resourceId = '' } = await lab.standIn.instance('app-db');
  await lab.aws().rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'app-db', DeletionProtection: true }));
  await expect(lab.run('deleteSource', { ...ref, resourceId, replicas: removed })).rejects.toMatchObject({
    type: 'InvalidRequest',
  });
  // Protection that was just taken off shows for a while.
  const stale = { operation: 'DeleteDBInstance', kind: 'error', code: 'InvalidParameterCombination', status: 400 };
  const message = 'Cannot delete protected DB Instance, please disable deletion protection and try again.';
  await lab.standIn.control('POST', 'faults', { ...stale, message, times: 2 });
  await lab.twice('deleteSource', { ...ref, resourceId, unprotect: true, replicas: removed });
  await expect(ids()).resolves.toEqual(['app-db-encrypted', ...Object.values(NEW)]);
});

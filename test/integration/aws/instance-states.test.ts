import {
  AddTagsToResourceCommand,
  CreateDBInstanceCommand,
  CreateDBInstanceReadReplicaCommand,
  CreateDBParameterGroupCommand,
  CreateDBSnapshotCommand,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RebootDBInstanceCommand,
  RestoreDBInstanceFromDBSnapshotCommand,
} from '@aws-sdk/client-rds';
import type { RDSClient } from '@aws-sdk/client-rds';
import { MASTER, StandIn, until } from '../../support/stand-in';

let aws: StandIn;
let rds: RDSClient;
const shop = { DBInstanceIdentifier: 'shop' } as const;
const modify = (input: object) => rds.send(new ModifyDBInstanceCommand({ ...shop, ApplyImmediately: true, ...input }));
/** What a call works on stays in this state until `go`. */
const hold = (operation: string, state: string) => aws.control('POST', 'faults', { operation, kind: 'stall', state });
const go = () => aws.control('DELETE', 'faults');
const serves = () => aws.query('shop', 'SELECT 1 AS one');

beforeAll(async () => {
  aws = await StandIn.start();
  rds = aws.rds();
});
afterAll(() => aws?.remove());

const create = (input: object) =>
  rds.send(
    new CreateDBInstanceCommand({
      ...shop,
      Engine: 'postgres',
      EngineVersion: '16',
      DBInstanceClass: 'db.m6g.large',
      ...MASTER,
      ...input,
    }),
  );

test.each([
  [{ AllocatedStorage: 100, MaxAllocatedStorage: 100 }, 'must be greater than storage size'],
  [{ AllocatedStorage: 100, MaxAllocatedStorage: 109 }, 'at least 10 percent'],
])('a new instance can not have the ceiling of %j', async (input, message) => {
  await expect(create(input)).rejects.toMatchObject({
    name: 'InvalidParameterCombination',
    message: expect.stringContaining(message) as string,
  });
});

test('automated backups begin with a first one: the instance serves, and takes no call', async () => {
  await hold('CreateDBInstance', 'backing-up');
  await create({ AllocatedStorage: 100, StorageType: 'gp3', BackupRetentionPeriod: 7 });
  await aws.untilInstance('shop', 'backing-up');
  await expect(serves()).resolves.toEqual([{ one: 1 }]);
  for (const refused of [modify({ MultiAZ: true }), rds.send(new RebootDBInstanceCommand(shop))]) {
    await expect(refused).rejects.toMatchObject({ name: 'InvalidDBInstanceStateFault' });
  }
  await go();
  await aws.untilInstance('shop');
});

test('a replica beside its primary is not given a parameter group', async () => {
  const replica = { DBInstanceIdentifier: 'reader', SourceDBInstanceIdentifier: 'shop' };
  const named = new CreateDBInstanceReadReplicaCommand({ ...replica, DBParameterGroupName: 'default.postgres16' });
  await expect(rds.send(named)).rejects.toMatchObject({
    name: 'InvalidParameterCombination',
    message: "A parameter group can't be specified during Read Replica creation for the following DB engine: postgres",
  });
  const off = new CreateDBInstanceReadReplicaCommand({ ...replica, MaxAllocatedStorage: 100 });
  await expect(rds.send(off)).rejects.toMatchObject({ name: 'InvalidParameterCombination' });
});

test.each([
  [
    'configuring-enhanced-monitoring',
    { MonitoringInterval: 60, MonitoringRoleArn: 'arn:aws:iam::123456789012:role/m' },
  ],
  ['configuring-log-exports', { CloudwatchLogsExportConfiguration: { EnableLogTypes: ['postgresql'] } }],
  ['configuring-iam-database-auth', { EnableIAMDatabaseAuthentication: true }],
])('a change goes through %s, in which it serves', async (state, input) => {
  await hold('ModifyDBInstance', state);
  await modify(input);
  await aws.untilInstance('shop', state);
  await expect(serves()).resolves.toEqual([{ one: 1 }]);
  await go();
  await aws.untilInstance('shop');
});

test('a change of the volume is optimized for long: snapshots are taken, a further change of the volume is not', async () => {
  await modify({ MaxAllocatedStorage: 300 });
  await hold('ModifyDBInstance', 'storage-optimization');
  await modify({ AllocatedStorage: 120 });
  await aws.untilInstance('shop', 'storage-optimization');
  await expect(modify({ AllocatedStorage: 140 })).rejects.toMatchObject({
    name: 'InvalidParameterCombination',
    message: expect.stringContaining('previous storage change is being optimized') as string,
  });
  await rds.send(new CreateDBSnapshotCommand({ ...shop, DBSnapshotIdentifier: 'before' }));
  await aws.untilSnapshot('before');
  await go();
  await aws.untilInstance('shop');
});

test('a ceiling at the size itself turns storage autoscaling off, one below 110 % is refused', async () => {
  await expect(modify({ MaxAllocatedStorage: 125 })).rejects.toMatchObject({ name: 'InvalidParameterCombination' });
  await modify({ MaxAllocatedStorage: 120 });
  await expect(aws.instance('shop')).resolves.not.toHaveProperty('MaxAllocatedStorage');
});

test('automated backups that are turned on restart the server', async () => {
  const started = async () =>
    (await aws.query<{ at: string }>('shop', 'SELECT pg_postmaster_start_time()::text AS at'))[0]?.at;
  const before = await started();
  await modify({ BackupRetentionPeriod: 0 });
  await until('it has none', async () => (await aws.instance('shop')).BackupRetentionPeriod === 0);
  await aws.untilInstance('shop');
  const off = await started();
  expect(off).not.toBe(before);
  await hold('ModifyDBInstance', 'backing-up');
  await modify({ BackupRetentionPeriod: 7 });
  await aws.untilInstance('shop', 'backing-up');
  expect(await started()).not.toBe(off);
  await go();
  await aws.untilInstance('shop');
});

test('a restored instance may be left without its parameter group, which a reboot brings into force', async () => {
  const group = { DBParameterGroupName: 'own' };
  await rds.send(
    new CreateDBParameterGroupCommand({ ...group, DBParameterGroupFamily: 'postgres16', Description: 'own' }),
  );
  const Parameters = [
    { ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' as const },
  ];
  await rds.send(new ModifyDBParameterGroupCommand({ ...group, Parameters }));
  await aws.control('PATCH', 'whims', { groupLeftPending: 1, storageInitialization: 1 });
  await hold('RestoreDBInstanceFromDBSnapshot', 'storage-initialization');
  const restored = { DBInstanceIdentifier: 'restored' };
  await rds.send(
    new RestoreDBInstanceFromDBSnapshotCommand({
      ...restored,
      ...group,
      DBSnapshotIdentifier: 'before',
      BackupRetentionPeriod: 0,
    }),
  );
  await aws.untilInstance('restored', 'storage-initialization');
  const walLevel = () => aws.query('restored', `SELECT current_setting('wal_level') AS level`);
  await expect(walLevel()).resolves.toEqual([{ level: 'replica' }]);
  await go();
  const { DBParameterGroups } = await aws.untilInstance('restored');
  expect(DBParameterGroups).toMatchObject([{ DBParameterGroupName: 'own', ParameterApplyStatus: 'pending-reboot' }]);
  await rds.send(new RebootDBInstanceCommand(restored));
  await aws.untilInstance('restored');
  await expect(walLevel()).resolves.toEqual([{ level: 'logical' }]);
});

test('reads lag behind writes, where that is wanted, and catch up', async () => {
  const { DBInstanceArn } = await aws.instance('shop');
  await aws.control('PATCH', 'whims', { seed: 1, staleReads: 1, staleSeconds: 600_000 });
  await rds.send(new AddTagsToResourceCommand({ ResourceName: DBInstanceArn, Tags: [{ Key: 'new', Value: 'yes' }] }));
  const tags = async () => (await rds.send(new DescribeDBInstancesCommand(shop))).DBInstances?.[0]?.TagList;
  await expect(tags()).resolves.toEqual([]);
  await aws.control('PATCH', 'whims', { staleReads: 1, staleSeconds: 0 });
  await rds.send(new AddTagsToResourceCommand({ ResourceName: DBInstanceArn, Tags: [{ Key: 'newer', Value: 'yes' }] }));
  await expect(tags()).resolves.toHaveLength(2);
});

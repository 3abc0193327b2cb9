import {
  CreateDBInstanceCommand,
  CreateDBParameterGroupCommand,
  DeleteDBInstanceCommand,
  DeleteDBParameterGroupCommand,
  DescribeDBInstancesCommand,
  DescribeDBParameterGroupsCommand,
  DescribeDBParametersCommand,
  DescribeEventsCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  paginateDescribeDBParameters,
  RebootDBInstanceCommand,
  ResetDBParameterGroupCommand,
  StartDBInstanceCommand,
  StopDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { Client } from 'pg';
import { MASTER, StandIn, until } from '../../support/stand-in';

const INSTANCE = { Engine: 'postgres', DBInstanceClass: 'db.m6g.large', AllocatedStorage: 20, ...MASTER } as const;

describe('an instance from creation to deletion', () => {
  let aws: StandIn;
  beforeAll(async () => {
    aws = await StandIn.start();
    await aws.rds().send(
      new CreateDBInstanceCommand({
        ...INSTANCE,
        DBInstanceIdentifier: 'Shop',
        EngineVersion: '16',
        DBName: 'shop',
        Tags: [{ Key: 'team', Value: 'a & <b>' }],
      }),
    );
    await aws.untilInstance('shop');
  });
  afterAll(() => aws.remove());

  const applyStatus = async () => (await aws.instance('shop')).DBParameterGroups?.[0]?.ParameterApplyStatus;

  it('is described in full', async () => {
    const instance = await aws.instance('shop');
    expect(instance).toMatchObject({
      DBInstanceIdentifier: 'shop',
      DBInstanceArn: 'arn:aws:rds:eu-central-1:123456789012:db:shop',
      StorageEncrypted: false,
      StorageEncryptionType: 'none',
      TagList: [{ Key: 'team', Value: 'a & <b>' }],
      DBParameterGroups: [{ DBParameterGroupName: 'default.postgres16', ParameterApplyStatus: 'in-sync' }],
      Endpoint: { Address: 'localhost' },
    });
    expect(instance.DbiResourceId).toMatch(/^db-[0-9A-Z]{26}$/);
  });

  it('is in its own region only', async () => {
    const { DBInstances } = await aws.rds({ region: 'eu-west-1' }).send(new DescribeDBInstancesCommand({}));
    expect(DBInstances).toEqual([]);
  });

  it('has the roles of RDS, and keeps rdsadmin to itself', async () => {
    const roles = await aws.query<{ rolname: string }>(
      'shop',
      "SELECT rolname FROM pg_roles WHERE rolname LIKE 'rds%' ORDER BY 1",
      'shop',
    );
    expect(roles.map(({ rolname }) => rolname)).toEqual([
      'rds_iam',
      'rds_password',
      'rds_replication',
      'rds_superuser',
      'rdsadmin',
      'rdsrepladmin',
    ]);
    await expect(aws.connect('shop', { database: 'rdsadmin' })).rejects.toThrow(/rejects connection/);
  });

  it('lets nobody in without TLS', async () => {
    const { Endpoint } = await aws.instance('shop');
    const plain = new Client({
      host: 'localhost',
      port: Endpoint?.Port ?? 0,
      user: MASTER.MasterUsername,
      password: MASTER.MasterUserPassword,
      database: 'shop',
    });
    await expect(plain.connect()).rejects.toThrow(/no encryption|SSL off/);
  });

  it('gives members of rds_replication the right to replicate, and takes it back', async () => {
    await aws.query('shop', "CREATE ROLE copier LOGIN PASSWORD 'correct-horse'");
    const may = async () =>
      (
        await aws.query<{ rolreplication: boolean }>(
          'shop',
          "SELECT rolreplication FROM pg_roles WHERE rolname = 'copier'",
        )
      )[0]?.rolreplication;
    await aws.query('shop', 'GRANT rds_replication TO copier');
    await until('the right is there', may);
    await aws.query('shop', 'REVOKE rds_replication FROM copier');
    await until('the right is gone', async () => (await may()) === false);
    await aws.query('shop', 'DROP ROLE copier');
  });

  it('refuses what AWS refuses, with its codes', async () => {
    const rds = aws.rds();
    await expect(
      rds.send(new CreateDBInstanceCommand({ ...INSTANCE, DBInstanceIdentifier: 'shop' })),
    ).rejects.toMatchObject({
      name: 'DBInstanceAlreadyExistsFault',
      $metadata: { httpStatusCode: 400 },
    });
    await expect(aws.instance('nobody')).rejects.toMatchObject({
      name: 'DBInstanceNotFoundFault',
      $metadata: { httpStatusCode: 404 },
    });
    await expect(
      rds.send(new CreateDBInstanceCommand({ ...INSTANCE, DBInstanceIdentifier: '1x' })),
    ).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
    await expect(rds.send(new DescribeDBInstancesCommand({ MaxRecords: 5 }))).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
    await aws.control('PATCH', 'quotas', { instances: 1 });
    await expect(
      rds.send(new CreateDBInstanceCommand({ ...INSTANCE, DBInstanceIdentifier: 'two' })),
    ).rejects.toMatchObject({
      name: 'InstanceQuotaExceededFault',
    });
    await aws.control('PATCH', 'quotas', { instances: 40 });
  });

  it('lists the parameters of a family in pages', async () => {
    const all = [];
    const pages = paginateDescribeDBParameters(
      { client: aws.rds(), pageSize: 20 },
      { DBParameterGroupName: 'default.postgres16' },
    );
    for await (const page of pages) all.push(...(page.Parameters ?? []));
    expect(new Set(all.map(({ ParameterName }) => ParameterName)).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(50);
    expect(all.find(({ ParameterName }) => ParameterName === 'rds.logical_replication')).toMatchObject({
      ParameterValue: '0',
      ApplyType: 'static',
      Source: 'system',
      AllowedValues: '0,1',
      IsModifiable: true,
    });
  });

  it('takes a new parameter group with the next reboot, and dynamic changes of it at once', async () => {
    const rds = aws.rds();
    const group = { DBParameterGroupName: 'logical' };
    await rds.send(
      new CreateDBParameterGroupCommand({ ...group, DBParameterGroupFamily: 'postgres16', Description: 'x' }),
    );
    const change = (ParameterName: string, ParameterValue: string, ApplyMethod: 'immediate' | 'pending-reboot') =>
      rds.send(
        new ModifyDBParameterGroupCommand({ ...group, Parameters: [{ ParameterName, ParameterValue, ApplyMethod }] }),
      );
    await expect(change('rds.logical_replication', '1', 'immediate')).rejects.toMatchObject({
      name: 'InvalidParameterCombination',
    });
    await expect(change('rds.logical_replication', '2', 'pending-reboot')).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
    await change('rds.logical_replication', '1', 'pending-reboot');
    const modify = new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'shop', ...group, ApplyImmediately: true });
    const { DBInstance: modified } = await rds.send(modify);
    expect(modified?.DBParameterGroups).toEqual([
      { DBParameterGroupName: 'logical', ParameterApplyStatus: 'applying' },
    ]);
    await until('a reboot is pending', async () => (await applyStatus()) === 'pending-reboot');
    expect(await aws.query('shop', 'SHOW wal_level')).toEqual([{ wal_level: 'replica' }]);
    const before = await aws.instance('shop');
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'shop' }));
    const after = await aws.untilInstance('shop');
    expect(after.Endpoint).toEqual(before.Endpoint);
    expect(await applyStatus()).toBe('in-sync');
    expect(await aws.query('shop', 'SHOW wal_level')).toEqual([{ wal_level: 'logical' }]);
    expect(await aws.query('shop', 'SHOW max_wal_senders')).toEqual([{ max_wal_senders: '20' }]);

    await change('max_slot_wal_keep_size', '512', 'immediate');
    await until('the running server has it', async () => {
      const [row] = await aws.query<{ max_slot_wal_keep_size: string }>('shop', 'SHOW max_slot_wal_keep_size');
      return row?.max_slot_wal_keep_size === '512MB';
    });
    await rds.send(
      new ResetDBParameterGroupCommand({
        ...group,
        Parameters: [{ ParameterName: 'max_slot_wal_keep_size', ApplyMethod: 'immediate' }],
      }),
    );
    const { Parameters } = await rds.send(new DescribeDBParametersCommand({ ...group, Source: 'user' }));
    expect(Parameters?.map(({ ParameterName }) => ParameterName)).toEqual(['rds.logical_replication']);
    await expect(rds.send(new DeleteDBParameterGroupCommand(group))).rejects.toMatchObject({
      name: 'InvalidDBParameterGroupStateFault',
    });
  });

  it('changes settings after a while, in which it still says available', async () => {
    const rds = aws.rds();
    const { DBInstance: answered } = await rds.send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: 'shop',
        DBInstanceClass: 'db.m6g.xlarge',
        MasterUserPassword: 'battery-staple',
        ApplyImmediately: true,
      }),
    );
    expect(answered).toMatchObject({
      DBInstanceStatus: 'available',
      PendingModifiedValues: { DBInstanceClass: 'db.m6g.xlarge', MasterUserPassword: '****' },
    });
    await until('nothing is pending', async () => {
      const { PendingModifiedValues: pending } = await aws.instance('shop');
      return Object.values(pending ?? {}).every((value) => value === undefined);
    });
    expect((await aws.instance('shop')).DBInstanceClass).toBe('db.m6g.xlarge');
    await (await aws.connect('shop', { password: 'battery-staple' })).end();
    await expect(aws.connect('shop')).rejects.toThrow(/password/);
  });

  it('stops and starts, and restarts behind the back of RDS', async () => {
    const rds = aws.rds();
    const id = { DBInstanceIdentifier: 'shop' };
    const login = { password: 'battery-staple' };
    await aws.untilInstance('shop');
    await rds.send(new StopDBInstanceCommand(id));
    await aws.untilInstance('shop', 'stopped');
    await expect(aws.connect('shop', login)).rejects.toThrow();
    await expect(rds.send(new RebootDBInstanceCommand(id))).rejects.toMatchObject({
      name: 'InvalidDBInstanceStateFault',
    });
    await rds.send(new StartDBInstanceCommand(id));
    await aws.untilInstance('shop');
    await aws.control('POST', 'instances/shop/restart', { mode: 'immediate' });
    expect((await aws.instance('shop')).DBInstanceStatus).toBe('available');
    await (await aws.connect('shop', login)).end();
  });

  it('is deleted only unprotected, with what happened to it on record', async () => {
    const rds = aws.rds();
    const id = { DBInstanceIdentifier: 'shop' };
    await rds.send(new ModifyDBInstanceCommand({ ...id, DeletionProtection: true }));
    await expect(rds.send(new DeleteDBInstanceCommand({ ...id, SkipFinalSnapshot: true }))).rejects.toMatchObject({
      name: 'InvalidParameterCombination',
    });
    await rds.send(new ModifyDBInstanceCommand({ ...id, DeletionProtection: false }));
    await expect(rds.send(new DeleteDBInstanceCommand(id))).rejects.toMatchObject({
      name: 'InvalidParameterCombination',
    });
    await rds.send(new DeleteDBInstanceCommand({ ...id, FinalDBSnapshotIdentifier: 'last' }));
    await until('the instance is gone', () =>
      aws.instance('shop').then(
        () => false,
        (error: Error) => error.name === 'DBInstanceNotFoundFault',
      ),
    );
    expect(await aws.snapshot('last')).toMatchObject({ Status: 'available', PercentProgress: 100 });
    await rds.send(new DeleteDBParameterGroupCommand({ DBParameterGroupName: 'logical' }));
    const { DBParameterGroups } = await rds.send(new DescribeDBParameterGroupsCommand({}));
    expect(DBParameterGroups?.every(({ DBParameterGroupName }) => DBParameterGroupName?.startsWith('default.'))).toBe(
      true,
    );
    const { Events } = await rds.send(
      new DescribeEventsCommand({ SourceType: 'db-instance', SourceIdentifier: 'shop' }),
    );
    expect(Events?.map(({ Message }) => Message)).toEqual(
      expect.arrayContaining([
        'DB instance created',
        'DB instance restarted',
        'DB instance stopped',
        'DB instance deleted',
      ]),
    );
  });
});

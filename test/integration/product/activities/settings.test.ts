import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import {
  AddRoleToDBInstanceCommand,
  AddTagsToResourceCommand,
  CreateDBInstanceCommand,
  CreateDBSubnetGroupCommand,
  CreateOptionGroupCommand,
  type DBInstance,
  ModifyDBInstanceCommand,
  RemoveRoleFromDBInstanceCommand,
} from '@aws-sdk/client-rds';
import type { MigrationRef } from '../../../../activities/dependencies';
import { compareSettings } from '../../../../activities/settings/compare-settings';
import { FIELD_NAMES, SETTING_FIELDS } from '../../../../activities/settings/setting-fields';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { findAwsCli, pasteAws } from '../../../support/aws-cli';
import { SMALLEST_PLAN } from '../../../support/plan';
import { until } from '../../../support/stand-in';

const ROLE = 'arn:aws:iam::123456789012:role';
const SOURCE = 'changed-db';
const TARGET = 'changed-db-encrypted';

/** Every setting of an RDS PostgreSQL instance that a user can give, and none as it comes. */
const CHANGED = {
  DBInstanceClass: 'db.r6g.xlarge',
  AllocatedStorage: 500,
  MaxAllocatedStorage: 2_000,
  StorageType: 'gp3',
  Iops: 14_000,
  StorageThroughput: 600,
  MultiAZ: true,
  DBSubnetGroupName: 'own-subnets',
  VpcSecurityGroupIds: ['sg-0fedcba9876543210', 'sg-0aaaabbbbccccdddd'],
  PubliclyAccessible: false,
  NetworkType: 'DUAL',
  Port: 15_999,
  PreferredBackupWindow: '02:11-02:41',
  PreferredMaintenanceWindow: 'tue:03:12-tue:03:42',
  BackupRetentionPeriod: 12,
  AutoMinorVersionUpgrade: false,
  CopyTagsToSnapshot: true,
  DeletionProtection: true,
  OptionGroupName: 'own-options',
  MonitoringInterval: 15,
  MonitoringRoleArn: `${ROLE}/monitoring`,
  EnableIAMDatabaseAuthentication: true,
  EnablePerformanceInsights: true,
  DatabaseInsightsMode: 'advanced' as const,
  PerformanceInsightsRetentionPeriod: 465,
  EnableCloudwatchLogsExports: ['postgresql', 'upgrade'],
  CACertificateIdentifier: 'rds-ca-ecc384-g1',
  EngineLifecycleSupport: 'open-source-rds-extended-support-disabled',
  DedicatedLogVolume: true,
  ManageMasterUserPassword: true,
  Tags: [
    { Key: 'team', Value: 'orders' },
    { Key: 'cost-centre', Value: '42' },
  ],
};

let lab: ActivityLab;
let ref: MigrationRef;

beforeAll(async () => {
  lab = await ActivityLab.open();
  const { rds } = lab.aws();
  await rds.send(
    new CreateDBSubnetGroupCommand({
      DBSubnetGroupName: 'own-subnets',
      DBSubnetGroupDescription: 'own',
      SubnetIds: ['subnet-0aaaaaaaaaaaaaaa1', 'subnet-0aaaaaaaaaaaaaaa2'],
    }),
  );
  await rds.send(
    new CreateOptionGroupCommand({
      OptionGroupName: 'own-options',
      EngineName: 'postgres',
      MajorEngineVersion: '16',
      OptionGroupDescription: 'own',
    }),
  );
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: SOURCE,
      Engine: 'postgres',
      EngineVersion: '16',
      MasterUsername: 'master',
      ...CHANGED,
      PerformanceInsightsKMSKeyId: lab.keyArn,
      MasterUserSecretKmsKeyId: lab.keyArn,
    }),
  );
  await lab.standIn.untilInstance(SOURCE);
  for (const feature of ['s3Import', 'Lambda']) {
    await rds.send(
      new AddRoleToDBInstanceCommand({
        DBInstanceIdentifier: SOURCE,
        FeatureName: feature,
        RoleArn: `${ROLE}/${feature}`,
      }),
    );
  }
  const source = await lab.standIn.instance(SOURCE);
  ref = migrationRef({
    ...SMALLEST_PLAN,
    source: { instance: SOURCE, secret: source.MasterUserSecret?.SecretArn ?? '' },
    target: { ...SMALLEST_PLAN.target, instance: TARGET },
  });
});
afterAll(() => lab?.close());

async function passwordIn(secret: string | undefined): Promise<string> {
  const { SecretString } = await lab.aws().secrets.send(new GetSecretValueCommand({ SecretId: secret }));
  return (JSON.parse(SecretString ?? '{}') as { password: string }).password;
}

/** Runs statements on the source, whose password only its secret knows. */
async function onSource(...statements: string[]): Promise<void> {
  const session = await lab.standIn.connect(SOURCE, { password: await passwordIn(ref.plan.source.secret) });
  for (const statement of statements) await session.query(statement);
  await session.end();
}

/** Names whose values differ, of what the table says has to be equal, compared here by what RDS shows and nothing else. */
function unlike(source: DBInstance, target: DBInstance): string[] {
  const shown = (instance: DBInstance, name: keyof DBInstance) => {
    const value = instance[name];
    if (name === 'Endpoint') return instance.Endpoint?.Port;
    if (name === 'MasterUserSecret')
      return [instance.MasterUserSecret?.KmsKeyId, instance.MasterUserSecret?.SecretStatus];
    // What has names of its own is compared by its names, whatever the order.
    if (name === 'TagList')
      return instance.TagList?.filter((tag) => !tag.Key?.startsWith('keyshift:'))
        .map((tag) => JSON.stringify(tag))
        .sort();
    if (name === 'AvailabilityZone') return undefined;
    return Array.isArray(value) ? value.map((one) => JSON.stringify(one)).sort() : value;
  };
  return FIELD_NAMES.filter((name) => SETTING_FIELDS[name].kind === 'same').filter(
    (name) => JSON.stringify(shown(source, name)) !== JSON.stringify(shown(target, name)),
  );
}

test('the source has every setting changed from its default', async () => {
  const plain = await lab.standIn.instance('app-db');
  const source = await lab.standIn.instance(SOURCE);
  const settable = [...Object.keys(CHANGED), 'AssociatedRoles'];
  const asShown: Record<string, string> = {
    DBSubnetGroupName: 'DBSubnetGroup',
    VpcSecurityGroupIds: 'VpcSecurityGroups',
    OptionGroupName: 'OptionGroupMemberships',
    Port: 'Endpoint',
    EnableIAMDatabaseAuthentication: 'IAMDatabaseAuthenticationEnabled',
    EnablePerformanceInsights: 'PerformanceInsightsEnabled',
    EnableCloudwatchLogsExports: 'EnabledCloudwatchLogsExports',
    ManageMasterUserPassword: 'MasterUserSecret',
    Tags: 'TagList',
  };
  const differs = unlike(plain, source);
  expect(differs).toEqual(expect.arrayContaining(settable.map((name) => asShown[name] ?? name)));
});

test('a restore alone is not enough, for RDS gives its defaults to what a restore does not take', async () => {
  await onSource(`CREATE ROLE app LOGIN`, `CREATE DATABASE shop`, `CREATE DATABASE ledger`);
  await onSource(`ALTER DATABASE shop SET work_mem = '16MB'`);
  // A clone of a migration has its schema inside.
  await lab.run('createPublications', { ...ref, databases: ['postgres'], mark: 'mark' });
  await lab.run('createSnapshot', ref);
  await lab.run('copySnapshot', { ...ref, kmsKeyArn: lab.keyArn });
  await lab.twice('restoreTarget', { ...ref, kmsKeyArn: lab.keyArn });
  const [source, target] = [await lab.standIn.instance(SOURCE), await lab.standIn.instance(TARGET)];
  expect(unlike(source, target).sort()).toEqual([
    'AssociatedRoles',
    'BackupRetentionPeriod',
    'DatabaseInsightsMode',
    'MaxAllocatedStorage',
    'MonitoringInterval',
    'MonitoringRoleArn',
    'PerformanceInsightsEnabled',
    'PerformanceInsightsKMSKeyId',
    'PerformanceInsightsRetentionPeriod',
    'PreferredMaintenanceWindow',
  ]);
});

test('with the settings applied, the description of the target equals that of the source field by field', async () => {
  const { instances, roleSettings } = await lab.twice('applySettings', ref);
  const [source, target] = [await lab.standIn.instance(SOURCE), await lab.standIn.instance(TARGET)];
  expect(unlike(source, target)).toEqual([]);
  expect(target).toMatchObject({ StorageEncrypted: true, KmsKeyId: lab.keyArn });
  expect(instances).toMatchObject([{ instance: TARGET, like: SOURCE, planned: [], differences: [], notCompared: [] }]);
  expect(instances[0]?.compared).toBeGreaterThan(50);
  expect(roleSettings).toBeGreaterThan(0);
});

test('the target has a secret of its own, which opens it; that of the source opens the source only', async () => {
  const [source, target] = [await lab.standIn.instance(SOURCE), await lab.standIn.instance(TARGET)];
  const [ofSource, ofTarget] = await Promise.all(
    [source, target].map(({ MasterUserSecret }) => passwordIn(MasterUserSecret?.SecretArn)),
  );
  expect(ofTarget).not.toBe(ofSource);
  await (await lab.standIn.connect(TARGET, { password: ofTarget ?? '' })).end();
  await expect(lab.standIn.connect(TARGET, { password: ofSource ?? '' })).rejects.toThrow(/authentication/);
});

describe('a difference that the plan does not ask for', () => {
  const change = async (input: object) => {
    // Only an instance at rest takes it.
    await lab.standIn.untilInstance(TARGET);
    const modify = { DBInstanceIdentifier: TARGET, ApplyImmediately: true, ...input };
    await lab.aws().rds.send(new ModifyDBInstanceCommand(modify));
  };

  it('parks, with each field and the command that fixes it', async () => {
    await change({ PreferredBackupWindow: '05:00-05:30', BackupRetentionPeriod: 3 });
    await until('the change shows', async () => (await lab.standIn.instance(TARGET)).BackupRetentionPeriod === 3);
    await expect(compareSettings(lab.dependencies, ref)).rejects.toMatchObject({
      type: 'SettingsDiffer',
      nonRetryable: true,
      message: expect.stringContaining(
        `${TARGET} BackupRetentionPeriod: 3, wanted 12. aws rds modify-db-instance --db-instance-identifier ${TARGET} --backup-retention-period 12 --apply-immediately`,
      ) as string,
    });
  });

  it('is fixed by applying the settings once more, which waits until nothing is pending', async () => {
    await change({ MonitoringInterval: 0, MultiAZ: false });
    await lab.run('applySettings', ref);
    const [source, target] = [await lab.standIn.instance(SOURCE), await lab.standIn.instance(TARGET)];
    expect(target.PendingModifiedValues).toEqual({});
    expect(unlike(source, target)).toEqual([]);
  });

  it('is found in tags, roles and by SQL', async () => {
    const { DBInstanceArn } = await lab.standIn.instance(TARGET);
    const { rds } = lab.aws();
    await rds.send(
      new AddTagsToResourceCommand({ ResourceName: DBInstanceArn, Tags: [{ Key: 'stray', Value: 'x y' }] }),
    );
    await onSource(
      `ALTER ROLE app IN DATABASE shop SET search_path = "Shop", public`,
      `ALTER DATABASE ledger SET work_mem = '32MB'`,
    );
    await onSource(`CREATE ROLE "v-token-1" LOGIN`, `ALTER ROLE "v-token-1" SET work_mem = '1MB'`);
    const messageOf = async (plan = ref.plan) =>
      compareSettings(lab.dependencies, { ...ref, plan }).then(String, (error: unknown) => (error as Error).message);
    const failure = await compareSettings(lab.dependencies, ref).catch((error: unknown) => error as Error);
    await expect(messageOf()).resolves.toContain('v-token-1');
    await expect(messageOf({ ...ref.plan, ignore: { roles: ['v-*'] } })).resolves.not.toContain('v-token-1');
    await onSource(`DROP ROLE "v-token-1"`);
    for (const line of [
      `aws rds remove-tags-from-resource --resource-name ${DBInstanceArn} --tag-keys stray`,
      `ALTER ROLE "app" IN DATABASE "shop" SET search_path = "Shop", public;`,
      `ALTER DATABASE "ledger" SET work_mem = '32MB';`,
    ]) {
      expect((failure as Error).message).toContain(line);
    }
  });
});

/** The `aws` command is a client that we didn't write; where it can't be had, there is nothing to paste into. */
const aws = findAwsCli();
(aws === undefined ? test.skip : test)(
  'every command and statement, run as it is printed, fixes what it is printed for',
  async () => {
    const { rds } = lab.aws();
    const settled = () =>
      until('nothing is pending', async () => {
        const { DBInstanceStatus, PendingModifiedValues } = await lab.standIn.instance(TARGET);
        return DBInstanceStatus === 'available' && Object.keys(PendingModifiedValues ?? {}).length === 0;
      });
    await settled();
    await rds.send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: TARGET,
        ApplyImmediately: true,
        DBInstanceClass: 'db.t4g.medium',
        MultiAZ: false,
        AllocatedStorage: 500,
        Iops: 12_000,
        MaxAllocatedStorage: 500,
        VpcSecurityGroupIds: ['sg-0aaaabbbbccccdddd'],
        PubliclyAccessible: true,
        PreferredMaintenanceWindow: 'sat:01:00-sat:01:30',
        DeletionProtection: false,
        EnableIAMDatabaseAuthentication: false,
        MonitoringInterval: 0,
        DatabaseInsightsMode: 'standard',
        PerformanceInsightsRetentionPeriod: 31,
        CloudwatchLogsExportConfiguration: { DisableLogTypes: ['upgrade'], EnableLogTypes: ['iam-db-auth-error'] },
        OptionGroupName: 'default:postgres-16',
      }),
    );
    await rds.send(
      new RemoveRoleFromDBInstanceCommand({
        DBInstanceIdentifier: TARGET,
        FeatureName: 'Lambda',
        RoleArn: `${ROLE}/Lambda`,
      }),
    );
    await settled();
    const failure = (await compareSettings(lab.dependencies, ref).catch((error: unknown) => error)) as Error;
    const lines = failure.message.split('\n').slice(1);
    expect(lines.length).toBeGreaterThan(17);
    for (const line of lines) {
      const statement = /run on the target: (.*)$/.exec(line)?.[1];
      if (statement !== undefined) {
        const password = await passwordIn((await lab.standIn.instance(TARGET)).MasterUserSecret?.SecretArn);
        const session = await lab.standIn.connect(TARGET, { password });
        await session.query(statement);
        await session.end();
        continue;
      }
      const commands = (line.match(/aws rds .*$/)?.[0] ?? '').split(' && ');
      for (const command of commands) await pasteAws(aws ?? '', lab.standIn.endpoint, command);
      await settled();
    }
    await expect(compareSettings(lab.dependencies, ref)).resolves.toMatchObject({ instances: [{ differences: [] }] });
  },
);

test('a source whose storage grew by itself is no difference, nor is its ceiling', async () => {
  await lab.standIn.untilInstance(SOURCE);
  const grown = { AllocatedStorage: 1_900, Iops: 14_000, StorageThroughput: 600 };
  const modify = { DBInstanceIdentifier: SOURCE, ApplyImmediately: true, ...grown };
  await lab.aws().rds.send(new ModifyDBInstanceCommand(modify));
  await until('it has grown', async () => (await lab.standIn.instance(SOURCE)).AllocatedStorage === 1_900);
  await expect(compareSettings(lab.dependencies, ref)).resolves.toMatchObject({ instances: [{ differences: [] }] });
});

test('a member that AWS adds is listed as not compared', async () => {
  await lab.standIn.control('PATCH', `instances/${SOURCE}`, { describes: { FutureSetting: 'on' } });
  await expect(compareSettings(lab.dependencies, ref)).resolves.toMatchObject({
    instances: [{ differences: [], notCompared: [{ field: 'FutureSetting', wanted: 'on', found: 'none' }] }],
  });
});

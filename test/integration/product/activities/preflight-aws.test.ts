import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuthorizeSecurityGroupIngressCommand, RevokeSecurityGroupIngressCommand } from '@aws-sdk/client-ec2';
import { CreateKeyCommand, DisableKeyCommand } from '@aws-sdk/client-kms';
import {
  AddTagsToResourceCommand,
  CreateBlueGreenDeploymentCommand,
  CreateDBParameterGroupCommand,
  CreateDBProxyCommand,
  CreateDBSnapshotCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RebootDBInstanceCommand,
  RegisterDBProxyTargetsCommand,
  RemoveTagsFromResourceCommand,
} from '@aws-sdk/client-rds';
import { type Check, CHECKS, type CheckCode } from '../../../../plan/checks';
import { judgeChecks } from '../../../../plan/judge-checks';
import type { PlanInput } from '../../../../plan/plan';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { findAwsCli } from '../../../support/aws-cli';
import { SMALLEST_PLAN } from '../../../support/plan';
import { runRemedy } from '../../../support/run-remedy';
import { until } from '../../../support/stand-in';

const GIB = 1024 ** 3;
const DAY_MS = 86_400_000;
const GROUP = 'sg-0a1b2c3d4e5f60718';
const { source, target } = SMALLEST_PLAN;
const DBInstanceIdentifier = source.instance;
const ID = 'aws-checks';

let lab: ActivityLab;
let arn: string;

beforeAll(async () => {
  lab = await ActivityLab.open();
  arn = (await lab.standIn.instance(source.instance)).DBInstanceArn ?? '';
});
afterAll(() => lab?.close());

const preflight = async (change: Partial<PlanInput> = {}): Promise<readonly Check[]> =>
  (await lab.run('runPreflight', migrationRef({ ...SMALLEST_PLAN, ...change }, ID))).checks;
const findings = (checks: readonly Check[]) => checks.filter(({ level }) => level !== 'ok');
const levels = (checks: readonly Check[]) => findings(checks).map(({ code, level }) => `${level} ${code}`);
const only = (checks: readonly Check[], code: CheckCode): Check => {
  expect(levels(checks).map((text) => text.split(' ')[1])).toEqual([code]);
  return findings(checks)[0] as Check;
};

/** The lines of a remedy that are to be run. */
const commandsOf = (remedy = '') => remedy.split('\n').filter((line) => line.startsWith('aws '));

const available = () => lab.standIn.untilInstance(source.instance);
const settled = () =>
  until('the instance is settled', async () => {
    const found = await available();
    return found.DBParameterGroups?.[0]?.ParameterApplyStatus !== 'applying' && found;
  });
/** An instance still says `available` right after a call that changes it: what was asked for has to show. */
async function modify(change: object, applied: (shown: object) => boolean): Promise<void> {
  await lab.aws().rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier, ApplyImmediately: true, ...change }));
  await until('the change is made', async () => {
    const found = await lab.standIn.instance(source.instance);
    return found.DBInstanceStatus === 'available' && applied(found);
  });
}
const switches = (body: object) => lab.standIn.control('PATCH', `instances/${source.instance}`, body);
const describes = (members: object) => switches({ describes: members });
const everything = { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: GROUP }] };

describe('an instance in good order', () => {
  it('has nothing that stops a migration', async () => {
    const checks = await preflight();
    expect(levels(checks)).toEqual([]);
    const said = new Set(checks.map(({ code }) => code));
    expect(checks.find(({ code }) => code === 'permissions')?.evidence).toMatchObject({
      principal: 'arn:aws:iam::123456789012:user/local',
      simulated: true,
    });
    for (const code of AWS_CODES) expect(said).toContain(code);
  });

  it('tells what is worth knowing without stopping anybody', async () => {
    await modify({ DeletionProtection: true, MaxAllocatedStorage: 500 }, () => true);
    const { MultiRegion = false, Arn } =
      (await lab.aws().kms.send(new CreateKeyCommand({ MultiRegion: true }))).KeyMetadata ?? {};
    expect(MultiRegion).toBe(true);
    const now = new Date();
    const clock = (minutes: number) => new Date(now.getTime() + minutes * 60_000).toISOString().slice(11, 16);
    await modify({ PreferredBackupWindow: `${clock(-20)}-${clock(20)}` }, () => true);
    await describes({ ReadReplicaDBInstanceIdentifiers: ['app-db-copy'] });
    try {
      const checks = await preflight({ target: { ...target, kmsKeyId: Arn ?? '' } });
      const text = (code: CheckCode) => checks.find((check) => check.code === code)?.message;
      expect(levels(checks)).toEqual([]);
      expect(text('deletion-protection')).toContain('asks you to take it off');
      expect(text('storage-headroom')).toContain('grows by itself up to 500 GiB');
      expect(text('key-usable')).toContain('multi-region');
      expect(text('backups')).toContain('it is open now');
      expect(text('read-replicas')).toContain('app-db-copy');
    } finally {
      await describes({});
      await modify({ DeletionProtection: false }, () => true);
    }
  });
});

/** Codes of what AWS says; each has a case here. */
const AWS_CODES = [
  'network-path',
  'instance-class',
  'permissions',
  'parameter-group',
  'option-group',
  'storage-headroom',
  'storage-performance',
  'cpu-credits',
  'source-topology',
  'read-replicas',
  'rds-proxy',
  'blue-green',
  'pending-modifications',
  'pending-maintenance',
  'backups',
  'managed-by-stack',
  'iam-authentication',
  'deletion-protection',
  'certificate',
] as const satisfies readonly CheckCode[];

const command = findAwsCli();

(command === undefined ? describe.skip : describe)('an instance with one of everything', () => {
  const key = { id: '', arn: '' };
  /** In the order of the preflight. */
  const EXPECTED = [
    'block key-usable',
    'block target-name',
    'block network-path',
    'warn parameter-group',
    'warn storage-performance',
    'warn cpu-credits',
    'warn rds-proxy',
    'block blue-green',
    'warn pending-maintenance',
    'block pending-modifications',
    'warn backups',
    'warn certificate',
    'block storage-headroom',
    'block permissions',
  ];

  beforeAll(async () => {
    const { rds, kms, ec2 } = lab.aws();
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    Object.assign(key, { id: KeyMetadata?.KeyId, arn: KeyMetadata?.Arn });
    await kms.send(new DisableKeyCommand({ KeyId: key.id }));
    await rds.send(
      new CreateDBSnapshotCommand({ DBInstanceIdentifier, DBSnapshotIdentifier: `keyshift-${ID}-source` }),
    );
    await lab.standIn.untilSnapshot(`keyshift-${ID}-source`);
    await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId: GROUP, IpPermissions: [everything] }));

    const DBParameterGroupName = 'own';
    await rds.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName,
        DBParameterGroupFamily: 'postgres16',
        Description: 'x',
      }),
    );
    await available();
    await modify(
      {
        DBParameterGroupName,
        DBInstanceClass: 'db.t3.micro',
        BackupRetentionPeriod: 0,
        CACertificateIdentifier: 'rds-ca-2019',
      },
      (shown) => JSON.stringify(shown).includes('rds-ca-2019') && JSON.stringify(shown).includes('db.t3.micro'),
    );
    await settled();
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier }));
    await until('the group is in force', async () => {
      const { DBInstanceStatus, DBParameterGroups } = await lab.standIn.instance(source.instance);
      return DBInstanceStatus === 'available' && DBParameterGroups?.[0]?.ParameterApplyStatus === 'in-sync';
    });
    await rds.send(
      new ModifyDBParameterGroupCommand({
        DBParameterGroupName,
        Parameters: [{ ParameterName: 'max_connections', ParameterValue: '150', ApplyMethod: 'pending-reboot' }],
      }),
    );
    await until('a value waits', async () => {
      const { DBParameterGroups } = await lab.standIn.instance(source.instance);
      return DBParameterGroups?.[0]?.ParameterApplyStatus === 'pending-reboot';
    });
    await switches({ ballastBytes: 90 * GIB, metrics: { ReadIOPS: 280, CPUCreditBalance: 4, BurstBalance: 20 } });

    const DBProxyName = 'front';
    const RoleArn = 'arn:aws:iam::123456789012:role/proxy';
    await rds.send(new CreateDBProxyCommand({ DBProxyName, EngineFamily: 'POSTGRESQL', RoleArn, VpcSubnetIds: ['x'] }));
    await rds.send(new RegisterDBProxyTargetsCommand({ DBProxyName, DBInstanceIdentifiers: [source.instance] }));
    await rds.send(new CreateBlueGreenDeploymentCommand({ BlueGreenDeploymentName: 'upgrade', Source: arn }));
    const forcedApply = new Date(Date.now() + 3 * DAY_MS).toISOString();
    await lab.standIn.control('PUT', `instances/${source.instance}/maintenance`, {
      actions: [{ action: 'system-update', description: 'New operating system', forcedApply }],
    });
    await rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier, MultiAZ: true, ApplyImmediately: false }));
    const looks = [
      'rds:Describe*',
      'rds:List*',
      'kms:*',
      'secretsmanager:*',
      'cloudwatch:*',
      'ec2:*',
      'iam:*',
      'ssm:*',
    ];
    await lab.standIn.control('PATCH', 'iam', {
      policy: { Statement: [{ Effect: 'Allow', Action: looks, Resource: '*' }] },
    });
  });
  afterAll(async () => {
    await switches({ ballastBytes: 0, metrics: {} });
    await lab.standIn.control('PATCH', 'iam', { policy: null });
  });

  const plan = () => ({ target: { ...target, kmsKeyId: key.arn } });
  let found: readonly Check[] = [];

  it('shows all of it in one run, each with what to do and what was seen', async () => {
    found = findings(await preflight(plan()));
    expect(levels(found).sort()).toEqual([...EXPECTED].sort());
    const text = (code: CheckCode) => found.find((check) => check.code === code)?.message;
    expect(text('network-path')).toMatch(/no rule lets it in/);
    expect(text('storage-performance')).toMatch(/BurstBalance was at 20 %; its busiest hour took 290 of 300 IOPS/);
    expect(text('storage-headroom')).toMatch(/9\.\d of 100 GiB free, 9 %: the guard would pause/);
    expect(text('pending-modifications')).toContain('MultiAZ: true');
    expect(text('permissions')).toMatch(
      /user\/local is not allowed rds:CreateDBSnapshot on arn:aws:rds:.*:db:app-db\./,
    );
    for (const { code, remedy, evidence } of found) {
      expect([code, commandsOf(remedy).length]).not.toEqual([code, 0]);
      if (!['key-usable', 'target-name'].includes(code)) expect([code, evidence]).not.toEqual([code, undefined]);
    }
  });

  it('says nothing against a proxy that the plan switches', async () => {
    const checks = await preflight({ ...plan(), cutover: { traffic: [{ type: 'rds-proxy', proxy: 'front' }] } });
    expect(checks.find(({ code }) => code === 'rds-proxy')).toMatchObject({
      level: 'ok',
      message: expect.stringContaining('the plan switches what leads to app-db: RDS Proxy front') as string,
    });
  });

  it('is in good order again after every remedy was run as it is printed', async () => {
    for (const { remedy } of found) {
      for (const line of commandsOf(remedy)) {
        await settled();
        await runRemedy(lab, source.instance, line);
      }
    }
    await until('what was asked for is done', async () => {
      const shown = await lab.standIn.instance(source.instance);
      return shown.DBInstanceStatus === 'available' && Object.keys(shown.PendingModifiedValues ?? {}).length === 0;
    });
    expect(levels(await preflight(plan()))).toEqual([]);
    expect(await lab.standIn.instance(source.instance)).toMatchObject({
      AllocatedStorage: 129,
      StorageType: 'gp3',
      DBInstanceClass: 'db.m6i.large',
      MultiAZ: true,
      BackupRetentionPeriod: 7,
    });
  });
});

describe('what only a person can decide', () => {
  it.each<[CheckCode, object, RegExp]>([
    [
      'managed-by-stack',
      { TagList: [{ Key: 'aws:cloudformation:stack-name', Value: 'shop' }] },
      /CloudFormation stack shop/,
    ],
    ['iam-authentication', { IAMDatabaseAuthenticationEnabled: true }, /by resource id \(db-/],
    ['read-replicas', { ReadReplicaDBInstanceIdentifiers: ['arn:aws:rds:eu-west-1:123456789012:db:far'] }, /eu-west-1/],
    [
      'backups',
      { DBInstanceAutomatedBackupsReplications: [{ DBInstanceAutomatedBackupsArn: 'arn:x' }] },
      /another region/,
    ],
    [
      'certificate',
      { CertificateDetails: { CAIdentifier: 'rds-ca-rsa2048-g1', ValidTill: new Date(Date.now() + DAY_MS) } },
      /ends on/,
    ],
  ])('%s is a warning that the plan can accept', async (code, members, message) => {
    await describes(members);
    try {
      const checks = await preflight();
      expect(only(checks, code)).toMatchObject({ level: 'warn', message: expect.stringMatching(message) as string });
      const judged = judgeChecks(checks, { acknowledge: [code], override: [] });
      expect(judged.stops).toEqual([]);
    } finally {
      await describes({});
    }
  });

  it('a tool that manages the instance is known by its tag', async () => {
    const { rds } = lab.aws();
    const Tags = [{ Key: 'ManagedBy', Value: 'Terraform' }];
    await rds.send(new AddTagsToResourceCommand({ ResourceName: arn, Tags }));
    try {
      expect(only(await preflight(), 'managed-by-stack').remedy).toContain('terraform import');
    } finally {
      await rds.send(new RemoveTagsFromResourceCommand({ ResourceName: arn, TagKeys: ['ManagedBy'] }));
    }
  });
});

describe('what stops a migration', () => {
  it.each<[CheckCode, object, RegExp]>([
    ['source-topology', { DBClusterIdentifier: 'three-nodes' }, /Multi-AZ DB cluster three-nodes/],
    ['source-topology', { ReadReplicaSourceDBInstanceIdentifier: 'primary' }, /read replica of primary/],
    [
      'option-group',
      { OptionGroupMemberships: [{ OptionGroupName: 'gone', Status: 'in-sync' }] },
      /gone .* does not exist any more/,
    ],
    ['option-group', { OptionGroupMemberships: [{ OptionGroupName: 'default:postgres-15' }] }, /is for postgres 15/],
    [
      'parameter-group',
      { DBParameterGroups: [{ DBParameterGroupName: 'default.postgres15' }] },
      /of family postgres15/,
    ],
  ])('%s', async (code, members, message) => {
    await describes(members);
    try {
      const check = only(await preflight(), code);
      expect(check).toMatchObject({ level: 'block', message: expect.stringMatching(message) as string });
      expect(check.remedy).toContain('aws rds');
    } finally {
      await describes({});
    }
  });

  it('a class that AWS no longer gives out', async () => {
    const check = only(await preflight({ target: { ...target, instanceClass: 'db.m3.large' } }), 'instance-class');
    expect(check).toMatchObject({
      level: 'block',
      message: expect.stringContaining('does not give out db.m3.large') as string,
    });
  });

  it('a key of another region', async () => {
    const kmsKeyId = lab.keyArn.replace('eu-central-1', 'eu-west-1');
    expect(only(await preflight({ target: { ...target, kmsKeyId } }), 'key-usable')).toMatchObject({
      level: 'block',
      message: expect.stringContaining('is one of region eu-west-1') as string,
    });
  });

  it('security groups that let nothing out; a rule for the subnets lets in as well as one for the group', async () => {
    const { ec2 } = lab.aws();
    const rule = (CidrIp: string) => ({ IpProtocol: 'tcp', FromPort: 1024, ToPort: 65535, IpRanges: [{ CidrIp }] });
    const clear = async () => {
      for (const one of [everything, { IpProtocol: 'tcp', UserIdGroupPairs: [{ GroupId: GROUP }] }])
        await ec2
          .send(new RevokeSecurityGroupIngressCommand({ GroupId: GROUP, IpPermissions: [one] }))
          .catch(() => undefined);
    };
    const { Endpoint } = await lab.standIn.instance(source.instance);
    await clear();
    const own = {
      IpProtocol: 'tcp',
      FromPort: Endpoint?.Port,
      ToPort: Endpoint?.Port,
      UserIdGroupPairs: [{ GroupId: GROUP }],
    };
    await ec2
      .send(new RevokeSecurityGroupIngressCommand({ GroupId: GROUP, IpPermissions: [own] }))
      .catch(() => undefined);
    try {
      // Only one of the two subnets.
      await ec2.send(
        new AuthorizeSecurityGroupIngressCommand({ GroupId: GROUP, IpPermissions: [rule('172.31.0.0/20')] }),
      );
      only(await preflight(), 'network-path');
      await ec2.send(
        new AuthorizeSecurityGroupIngressCommand({ GroupId: GROUP, IpPermissions: [rule('172.31.0.0/16')] }),
      );
      expect(levels(await preflight())).toEqual([]);
    } finally {
      await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId: GROUP, IpPermissions: [everything] }));
    }
  });
});

describe('permissions', () => {
  const statement = (Effect: string, ...Action: string[]) => ({ Effect, Action, Resource: '*' });
  const withPolicy = async <T>(body: object, work: () => Promise<T>): Promise<T> => {
    await lab.standIn.control('PATCH', 'iam', body);
    try {
      return await work();
    } finally {
      await lab.standIn.control('PATCH', 'iam', { policy: null, enforce: false });
    }
  };

  it('name the call that is denied, and what else is, while every other check goes on', async () => {
    const policy = {
      Statement: [statement('Allow', '*'), statement('Deny', 'rds:DescribeDBProxies', 'ec2:Describe*')],
    };
    const checks = await withPolicy({ policy, enforce: true }, () => preflight());
    const check = only(checks, 'permissions');
    expect(check).toMatchObject({
      level: 'block',
      message: expect.stringMatching(
        /^arn:aws:iam::123456789012:user\/local is not allowed (rds:DescribeDBProxies|ec2:Describe\w+)/,
      ) as string,
    });
    expect(check.message).toContain('rds:DescribeDBProxies');
    expect(check.remedy).toContain('aws iam put-user-policy --user-name local');
    expect(checks.map(({ code }) => code)).toContain('blue-green');
    expect(checks.map(({ code }) => code)).not.toContain('rds-proxy');
  });

  it('are all there with docs/iam-policy.json, filled in', async () => {
    const statements = ['iam-policy.json', 'iam-policy-options.json'].flatMap((name) => {
      const text = readFileSync(join(__dirname, '../../../../docs', name), 'utf8');
      return (JSON.parse(text) as { Statement: object[] }).Statement;
    });
    const filled = JSON.stringify({ Statement: statements })
      .replaceAll('REGION', 'eu-central-1')
      .replaceAll('ACCOUNT', '123456789012')
      .replaceAll('SOURCE-INSTANCE', source.instance)
      .replaceAll('TARGET-INSTANCE', target.instance)
      .replaceAll('SOURCE-MASTER-SECRET', source.secret)
      .replaceAll('TARGET-KEY-ID', lab.keyArn.split('/').at(-1) ?? '');
    const checks = await withPolicy({ policy: JSON.parse(filled) as object, enforce: true }, () => preflight());
    expect(levels(checks)).toEqual([]);
    expect(checks.find(({ code }) => code === 'permissions')).toMatchObject({
      message: expect.stringContaining('may make every call') as string,
      evidence: { simulated: true },
    });
  });

  it('say so where not even the source can be looked at', async () => {
    const policy = { Statement: [statement('Allow', 'sts:*')] };
    const checks = await withPolicy({ policy, enforce: true }, () => preflight());
    expect(only(checks, 'permissions').message).toContain('is not allowed rds:DescribeDBInstances');
  });

  it('are not held against a worker that may not ask the simulator', async () => {
    const policy = { Statement: [statement('Allow', '*'), statement('Deny', 'iam:*')] };
    const checks = await withPolicy({ policy, enforce: true }, () => preflight());
    expect(levels(checks)).toEqual([]);
    expect(checks.find(({ code }) => code === 'permissions')?.message).toContain('iam:SimulatePrincipalPolicy');
  });

  it('may be overridden by reason', () => {
    expect(CHECKS.permissions).toEqual({ overridable: true, again: true });
  });
});

describe('room on the disk', () => {
  afterEach(() => switches({ ballastBytes: 0, metrics: {} }));

  it('lowers the ceiling on WAL to what the disk can bear, in the group as well', async () => {
    const { AllocatedStorage = 0 } = await lab.standIn.instance(source.instance);
    await switches({ metrics: { FreeStorageSpace: 0.4 * AllocatedStorage * GIB } });
    const check = (await preflight()).find(({ code }) => code === 'storage-headroom');
    const ceiling = Math.floor(AllocatedStorage * 0.33 * 1024);
    expect(check).toMatchObject({ level: 'ok', evidence: { ceilingMiB: ceiling, planCeilingMiB: 51_200 } });
    expect(check?.message).toContain(`slots may keep ${ceiling} MiB of WAL`);
  });

  it('is doubtful when CloudWatch has no figure, or the source has less than the guard wants', async () => {
    const { AllocatedStorage = 0 } = await lab.standIn.instance(source.instance);
    await switches({ metrics: { FreeStorageSpace: 0.2 * AllocatedStorage * GIB } });
    expect(only(await preflight(), 'storage-headroom')).toMatchObject({
      level: 'warn',
      message: expect.stringContaining('the guard would warn from the beginning') as string,
    });
  });
});

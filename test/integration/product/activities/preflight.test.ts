import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  PutKeyPolicyCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { CreateDBInstanceCommand, StartDBInstanceCommand, StopDBInstanceCommand } from '@aws-sdk/client-rds';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { blocking, type Check, type CheckCode, type Preflight } from '../../../../plan/checks';
import type { PlanInput } from '../../../../plan/plan';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { runRemedy } from '../../../support/run-remedy';

const { source, target } = SMALLEST_PLAN;
let lab: ActivityLab;

beforeAll(async () => {
  lab = await ActivityLab.open();
  await lab.sql(source.instance, 'CREATE DATABASE shop');
  await lab.sql(source.instance, 'CREATE TABLE orders (id int PRIMARY KEY, note text)', 'shop');
  await lab.sql(source.instance, `CREATE ROLE app LOGIN PASSWORD 'app'; GRANT CREATE ON SCHEMA public TO app`, 'shop');
});
afterAll(() => lab?.close());

const preflight = (change: Partial<PlanInput> = {}, id?: string): Promise<Preflight> =>
  lab.run('runPreflight', migrationRef({ ...SMALLEST_PLAN, ...change }, id));

const blocksOf = async (change: Partial<PlanInput> = {}): Promise<Check[]> =>
  blocking((await preflight(change)).checks);
/** What lets a migration go no further unless the plan answers it. */
const stopping = (checks: readonly Check[]): Check[] => checks.filter(({ level }) => level !== 'ok');
const codes = (checks: readonly Check[]): CheckCode[] => checks.map(({ code }) => code);

/** Expects that exactly this blocks, and that the operator is told what to do. */
function expectOnly(blocks: readonly Check[], code: CheckCode, message: string | RegExp): void {
  expect(codes(blocks)).toEqual([code]);
  expect(blocks[0]?.message).toMatch(message);
  expect(blocks[0]?.remedy?.length).toBeGreaterThan(10);
}

describe('a source that can be moved', () => {
  it('passes every check, and is described', async () => {
    const { checks, source: facts } = await preflight();
    expect(blocking(checks)).toEqual([]);
    expect(facts).toMatchObject({
      instance: 'app-db',
      engineVersion: expect.stringMatching(/^16\./) as string,
      encrypted: false,
      targetKmsKeyArn: lab.keyArn,
      resourceId: expect.stringMatching(/^db-/) as string,
      masterUser: 'master',
      databases: expect.arrayContaining(['shop']) as string[],
    });
  });

  it('is not touched: everything in the account is as it was', async () => {
    const before = await lab.standIn.control('GET', 'listing');
    await preflight();
    expect(await lab.standIn.control('GET', 'listing')).toEqual(before);
  });

  it('answers the same a second time', async () => {
    const ref = migrationRef();
    const settled = async () => (await lab.run('runPreflight', ref)).checks.filter(({ code }) => code !== 'wal-rate');
    expect(await settled()).toEqual(await settled());
  });
});

describe('the source', () => {
  it('that does not exist blocks', async () => {
    expectOnly(
      await blocksOf({ source: { ...source, instance: 'other-db' } }),
      'source-exists',
      'no DB instance other-db',
    );
  });

  it('is looked for in the region of the plan', async () => {
    const blocks = await blocksOf({ source: { ...source, region: 'us-west-2' } });
    expect(codes(blocks)).toContain('source-exists');
    expect(blocks.find(({ code }) => code === 'source-exists')?.message).toContain('in region us-west-2');
  });

  it('that is stopped blocks, with the command that starts it', async () => {
    const { rds } = lab.aws();
    await rds.send(new StopDBInstanceCommand({ DBInstanceIdentifier: source.instance }));
    await lab.standIn.untilInstance(source.instance, 'stopped');
    try {
      const blocks = await blocksOf();
      expectOnly(blocks, 'source-available', 'is in state stopped');
      expect(blocks[0]?.remedy).toContain('aws rds start-db-instance');
    } finally {
      await rds.send(new StartDBInstanceCommand({ DBInstanceIdentifier: source.instance }));
      await lab.standIn.untilInstance(source.instance);
    }
  });
});

describe('the key', () => {
  let key: string;
  const withKey = (kmsKeyId: string) => blocksOf({ target: { ...target, kmsKeyId } });

  beforeAll(async () => {
    const { KeyMetadata } = await lab.aws().kms.send(new CreateKeyCommand({}));
    key = KeyMetadata?.Arn ?? '';
  });

  it.each(['alias/missing', 'a1b2c3d4-0000-0000-0000-000000000000', 'arn:aws:kms:eu-central-1:000000000000:key/x'])(
    'that does not exist blocks (%s)',
    async (missing) => {
      expectOnly(await withKey(missing), 'key-usable', missing);
    },
  );

  it('that is disabled blocks, with the command that enables it', async () => {
    await lab.aws().kms.send(new DisableKeyCommand({ KeyId: key }));
    try {
      const blocks = await withKey(key);
      expectOnly(blocks, 'key-usable', 'is disabled');
      expect(blocks[0]?.remedy).toContain('aws kms enable-key');
    } finally {
      await lab.aws().kms.send(new EnableKeyCommand({ KeyId: key }));
    }
  });

  it('that is pending deletion blocks', async () => {
    const { kms } = lab.aws();
    await kms.send(new ScheduleKeyDeletionCommand({ KeyId: key, PendingWindowInDays: 7 }));
    try {
      expectOnly(await withKey(key), 'key-usable', 'pending deletion');
    } finally {
      await kms.send(new CancelKeyDeletionCommand({ KeyId: key }));
      await kms.send(new EnableKeyCommand({ KeyId: key }));
    }
  });

  it('that AWS manages for RDS is used by way of RDS only, and passes', async () => {
    const { checks, source: facts } = await preflight({ target: { ...target, kmsKeyId: 'alias/aws/rds' } });
    expect(stopping(checks)).toEqual([]);
    expect(facts?.targetKmsKeyArn).toMatch(/^arn:aws:kms:eu-central-1:\d+:key\//);
  });

  it('passes where its policy lets it be used by way of RDS only', async () => {
    const arn = await keyWith(byWayOf('rds'), administration('kms:Get*'));
    expect(stopping((await preflight({ target: { ...target, kmsKeyId: arn } })).checks)).toEqual([]);
  });

  it('passes where the worker may not read its policy, which is said', async () => {
    const arn = await keyWith(byWayOf('rds'), administration());
    const { checks } = await preflight({ target: { ...target, kmsKeyId: arn } });
    expect(stopping(checks)).toEqual([]);
    expect(checks.find(({ code }) => code === 'key-usable')?.message).toContain('may not read its policy');
  });

  it('warns where its policy lets nobody use it by way of RDS, until the printed statement is added', async () => {
    const arn = await keyWith(byWayOf('ec2'), administration('kms:Get*'));
    const stops = async () => stopping((await preflight({ target: { ...target, kmsKeyId: arn } })).checks);
    const [found] = await stops();
    expect(found).toMatchObject({
      code: 'key-usable',
      level: 'warn',
      message: expect.stringContaining('kms:CreateGrant to nobody of its account by way of RDS') as string,
      remedy: expect.stringContaining('aws kms put-key-policy') as string,
    });
    const printed = /^# (\{.+\})$/m.exec(found?.remedy ?? '')?.[1] ?? '';
    const added = JSON.parse(printed.replace(/<ARN[^>]+>/, 'arn:aws:iam::123456789012:role/worker')) as object;
    const Policy = policyOf(byWayOf('ec2'), administration('kms:Get*'), added);
    await lab.aws().kms.send(new PutKeyPolicyCommand({ KeyId: arn, PolicyName: 'default', Policy }));
    expect(await stops()).toEqual([]);
  });

  it('that the worker may not even look at is taken by its ARN, and warns', async () => {
    const arn = await keyWith(byWayOf('rds'), { ...administration(), Action: ['kms:Put*', 'kms:CreateAlias'] });
    await lab.aws().kms.send(new CreateAliasCommand({ AliasName: 'alias/unseen', TargetKeyId: arn }));
    const byArn = await preflight({ target: { ...target, kmsKeyId: arn } });
    expect(stopping(byArn.checks)).toMatchObject([{ code: 'key-usable', level: 'warn' }]);
    expect(byArn.source?.targetKmsKeyArn).toBe(arn);
    expectOnly(await withKey('alias/unseen'), 'key-usable', 'does not let this caller see key');
  });
});

const account = { AWS: 'arn:aws:iam::123456789012:root' };
const byWayOf = (service: string): object => ({
  Effect: 'Allow',
  Principal: account,
  Action: ['kms:CreateGrant', 'kms:Describe*'],
  Resource: '*',
  Condition: { StringEquals: { 'kms:ViaService': `${service}.eu-central-1.amazonaws.com` } },
});
const administration = (...more: string[]): object => ({
  Effect: 'Allow',
  Principal: account,
  Action: ['kms:DescribeKey', 'kms:Put*', ...more],
  Resource: '*',
});
const policyOf = (...Statement: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement });

async function keyWith(...statements: object[]): Promise<string> {
  const Policy = policyOf(...statements);
  return (await lab.aws().kms.send(new CreateKeyCommand({ Policy }))).KeyMetadata?.Arn ?? '';
}

describe('the names that we need', () => {
  it.each(['a--b', 'a-', 'a-final'])('block where RDS would refuse them, or another has them: %s', async (id) => {
    // As whoever starts the workflow without our command, which refuses such an id itself.
    expectOnly(blocking((await preflight({}, id)).checks), 'target-name', `after the migration ${id}`);
  });

  it('block where the target is an instance of somebody else', async () => {
    await lab.aws().rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: 'taken',
        Engine: 'postgres',
        EngineVersion: '16',
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 20,
        MasterUsername: 'other',
        MasterUserPassword: 'other-password',
      }),
    );
    expectOnly(await blocksOf({ target: { ...target, instance: 'taken' } }), 'target-name', 'taken exists already');
  });
});

describe('the network of the target', () => {
  it('blocks where the plan names a subnet group that there is not', async () => {
    expectOnly(await blocksOf({ target: { ...target, subnetGroup: 'missing' } }), 'target-network', 'missing');
  });
});

describe('what is in the databases', () => {
  it('blocks where a table has no replica identity, naming it', async () => {
    await lab.sql(
      source.instance,
      'CREATE TABLE events (what text); CREATE TABLE logs (id int); ALTER TABLE logs REPLICA IDENTITY FULL',
      'shop',
    );
    try {
      const blocks = await blocksOf();
      expectOnly(blocks, 'replica-identity', 'shop: public.events');
      expect(blocks[0]?.message).not.toContain('logs');
      expect(blocks[0]?.remedy).toContain('REPLICA IDENTITY');
    } finally {
      await lab.sql(source.instance, 'DROP TABLE events, logs', 'shop');
    }
  });

  it('blocks where the plan names a database that there is not', async () => {
    const blocks = await blocksOf({ databases: ['shop', 'ledger'] });
    expectOnly(blocks, 'source-databases', 'no database ledger');
  });

  it('carries a database that is marked as a template, and names what is left out by name', async () => {
    await lab.sql(source.instance, 'CREATE DATABASE crm IS_TEMPLATE true');
    try {
      const { checks, source: facts } = await preflight();
      expect(facts?.databases).toContain('crm');
      expect(checks.find(({ code }) => code === 'source-databases')).toMatchObject({
        level: 'ok',
        message: expect.stringMatching(
          /crm.*left out by name: template0, template1, rdsadmin.*TEMPLATE crm fails/,
        ) as string,
      });
    } finally {
      await lab.sql(source.instance, 'ALTER DATABASE crm IS_TEMPLATE false');
      await lab.sql(source.instance, 'DROP DATABASE crm');
    }
  });

  it('blocks for a database that accepts no connections, until the remedy has been run as printed', async () => {
    await lab.sql(source.instance, 'CREATE DATABASE "Crm old" ALLOW_CONNECTIONS false');
    try {
      const blocks = await blocksOf();
      expectOnly(blocks, 'source-databases', 'Crm old is not replicated: it does not accept connections');
      const kept = await preflight({ keep: { source: true } });
      expect(kept.checks.find(({ code }) => code === 'source-databases')?.level).toBe('warn');
      await runRemedy(lab, source.instance, blocks[0]?.remedy);
      await expect(blocksOf()).resolves.toEqual([]);
    } finally {
      await lab.sql(source.instance, 'DROP DATABASE "Crm old"');
    }
  });

  it('blocks for a database postgres that the plan leaves out, unless nothing is in it', async () => {
    await expect(blocksOf({ databases: ['shop'] })).resolves.toEqual([]);
    await lab.sql(source.instance, 'CREATE TABLE notes (id int PRIMARY KEY)');
    try {
      expectOnly(await blocksOf({ databases: ['shop'] }), 'source-databases', 'postgres as of the snapshot only');
    } finally {
      await lab.sql(source.instance, 'DROP TABLE notes');
    }
  });
});

describe('the fence', () => {
  it('warns of sessions of the master user that are not ours', async () => {
    const session = await lab.standIn.connect(source.instance);
    try {
      const { checks } = await preflight();
      expect(checks).toContainEqual(
        expect.objectContaining({
          code: 'fence-roles',
          level: 'warn',
          message: expect.stringContaining('Sessions of the master user') as string,
        }),
      );
    } finally {
      await session.end();
    }
  });

  it('blocks where a role could not be locked out, until it is granted or spared', async () => {
    // Whoever makes a role is a member of it since 16, and could not be granted to it.
    await lab.standIn.asService(
      source.instance,
      `CREATE ROLE weak_master LOGIN CREATEROLE PASSWORD 'weak'; CREATE ROLE writer LOGIN`,
    );
    await lab.secret('weak-master', 'weak_master', 'weak');
    const fence = async () =>
      (await preflight({ source: { ...source, secret: 'weak-master' } })).checks.find(
        ({ code }) => code === 'fence-roles',
      );
    try {
      const found = await fence();
      expect(found).toMatchObject({ level: 'block', message: expect.stringContaining('writer') as string });
      // On RDS nobody has ADMIN OPTION on the master user itself.
      await lab.standIn.asService(source.instance, found?.remedy?.match(/GRANT [^;]+;/g) ?? []);
      expect((await fence())?.message).not.toMatch(/take LOGIN from [^.]*writer/);
    } finally {
      await lab.standIn.asService(source.instance, 'DROP ROLE writer, weak_master');
    }
  });
});

describe('roles that the plan ignores', () => {
  const found = async (...roles: string[]) =>
    (await preflight({ ignore: { roles } })).checks.find(({ code }) => code === 'ignored-roles');

  it('are counted, are not the master user, and own nothing', async () => {
    await expect(found()).resolves.toMatchObject({ level: 'ok', message: 'the plan ignores no roles' });
    await expect(found('v-*', 'mast*')).resolves.toMatchObject({
      level: 'block',
      message: 'ignore.roles "mast*" would leave out the master user master.',
    });
    await lab.sql(
      source.instance,
      `CREATE ROLE "v-1" LOGIN; CREATE ROLE "v-2"; CREATE ROLE v_3; GRANT "v-2" TO CURRENT_USER`,
    );
    try {
      await expect(found('v-*')).resolves.toMatchObject({
        level: 'ok',
        message: 'ignore.roles leaves out now: "v-*" 2 roles',
        evidence: { count: 2, found: ['v-1', 'v-2'] },
      });
      await lab.sql(
        source.instance,
        `GRANT CREATE ON SCHEMA public TO "v-2"; CREATE TABLE of_v (id int PRIMARY KEY); ALTER TABLE of_v OWNER TO "v-2"`,
        'shop',
      );
      await expect(found('v-*')).resolves.toMatchObject({
        level: 'warn',
        message: expect.stringMatching(/^1 role that the plan ignores own objects: v-2\./) as string,
      });
    } finally {
      await lab.sql(source.instance, `DROP OWNED BY "v-2"`, 'shop');
      await lab.sql(source.instance, `DROP ROLE "v-1", "v-2", v_3`);
    }
  });
});

describe('the secret', () => {
  it('that does not exist blocks', async () => {
    expectOnly(await blocksOf({ source: { ...source, secret: 'missing' } }), 'source-credentials', 'no secret missing');
  });

  it('with a wrong password blocks, and the password is nowhere in the answer', async () => {
    await lab.secret('wrong', 'master', 'not-the-password');
    const { checks } = await preflight({ source: { ...source, secret: 'wrong' } });
    expectOnly(blocking(checks), 'source-credentials', /refuses master with the password of secret wrong/);
    expect(JSON.stringify(checks)).not.toContain('not-the-password');
  });

  it('of a role that logs in by IAM blocks at once, and sends no password', async () => {
    await lab.secret('iam', 'app', 'app');
    await lab.standIn.asService(source.instance, 'GRANT rds_iam TO app');
    try {
      expectOnly(
        await blocksOf({ source: { ...source, secret: 'iam' } }),
        'source-credentials',
        /^app can't log in at .*asks for the password by clear text; nothing was sent.*rds_iam/,
      );
    } finally {
      await lab.standIn.asService(source.instance, 'REVOKE rds_iam FROM app');
    }
  });

  it('of a role without privileges blocks, with the statements that would grant them', async () => {
    await lab.secret('weak', 'app', 'app');
    const blocks = await blocksOf({ source: { ...source, secret: 'weak' } });
    const privileges = blocks.find(({ code }) => code === 'source-privileges');
    expect(privileges?.message).toContain('app lacks');
    expect(privileges?.message).toContain('rds_superuser');
    expect(privileges?.remedy).toContain('GRANT');
  });
});

describe('the account', () => {
  it('blocks where a quota is used up, saying which and by how much', async () => {
    await lab.standIn.control('PATCH', 'quotas', { instances: 1, manualSnapshots: 2 });
    try {
      const blocks = await blocksOf();
      expectOnly(blocks, 'quota', /DBInstances .* of 1.*ManualSnapshots 0 of 2, needed 3/);
    } finally {
      await lab.standIn.control('PATCH', 'quotas', { instances: 40, manualSnapshots: 100 });
    }
  });
});

describe('the traffic switch', () => {
  const traffic = (name: string) => ({ cutover: { traffic: [{ type: 'ssm-parameter' as const, name }] } });

  it('blocks where it does not exist, or does not name the source', async () => {
    expectOnly(await blocksOf(traffic('/missing')), 'traffic-switch', 'no SSM parameter /missing');
    await lab.aws().ssm.send(new PutParameterCommand({ Name: '/other', Type: 'String', Value: 'other-db:5432' }));
    expectOnly(await blocksOf(traffic('/other')), 'traffic-switch', 'does not name');
  });

  it('is said to be missing where the plan has none', async () => {
    const { checks } = await preflight();
    expect(checks).toContainEqual(
      expect.objectContaining({
        code: 'traffic-switch',
        level: 'ok',
        message: expect.stringContaining('by hand') as string,
      }),
    );
  });
});

describe('the other fences', () => {
  const fences = (...fence: NonNullable<NonNullable<PlanInput['cutover']>['fence']>) => ({ cutover: { fence } });

  it('block where one could not be raised', async () => {
    expectOnly(
      await blocksOf(fences({ type: 'security-group', group: 'sg-0123456789' })),
      'fence',
      'no security group sg-0123456789',
    );
  });

  it('are said to be none where the plan has none', async () => {
    const { checks } = await preflight();
    expect(checks).toContainEqual({ code: 'fence', level: 'ok', message: 'the plan names no fence but the SQL fence' });
  });
});

describe('many mistakes', () => {
  it('are all found in one run', async () => {
    await lab.sql(source.instance, 'CREATE TABLE bare (x int)', 'shop');
    await lab.standIn.control('PATCH', 'quotas', { instances: 1 });
    try {
      const blocks = await blocksOf({
        target: { instance: 'taken', kmsKeyId: 'alias/missing' },
        databases: ['shop', 'ledger'],
        cutover: { traffic: [{ type: 'secrets-manager', secret: 'missing' }] },
      });
      expect(codes(blocks).sort()).toEqual(
        ['key-usable', 'quota', 'replica-identity', 'source-databases', 'target-name', 'traffic-switch'].sort(),
      );
    } finally {
      await lab.standIn.control('PATCH', 'quotas', { instances: 40 });
      await lab.sql(source.instance, 'DROP TABLE bare', 'shop');
    }
  });
});

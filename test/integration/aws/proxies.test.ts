import { AuthorizeSecurityGroupIngressCommand, CreateSecurityGroupCommand } from '@aws-sdk/client-ec2';
import {
  CreateDBInstanceCommand,
  CreateDBProxyCommand,
  DeleteDBProxyCommand,
  DeregisterDBProxyTargetsCommand,
  DescribeDBProxiesCommand,
  DescribeDBProxyTargetGroupsCommand,
  DescribeDBProxyTargetsCommand,
  ModifyDBProxyTargetGroupCommand,
  RebootDBInstanceCommand,
  RegisterDBProxyTargetsCommand,
  StopDBInstanceCommand,
  StartDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { MASTER, StandIn, until } from '../../support/stand-in';

const INSTANCE = { Engine: 'postgres', EngineVersion: '16', DBInstanceClass: 'db.m6g.large', AllocatedStorage: 20 };
const PROXY = {
  EngineFamily: 'POSTGRESQL',
  RoleArn: 'arn:aws:iam::123456789012:role/proxy',
  VpcSubnetIds: ['subnet-0a1b2c3d4e5f60700'],
  Auth: [{ SecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:x' }],
} as const;
/** Times are a hundredth of AWS's: a client waits up to 3 s. */
const SCALE = 0.01;
const LONGEST_WAIT = 300;

let aws: StandIn;
let port: number;
beforeAll(async () => {
  aws = await StandIn.start(SCALE);
  await Promise.all(
    ['blue', 'green'].map(async (DBInstanceIdentifier) => {
      await aws.rds().send(new CreateDBInstanceCommand({ ...INSTANCE, ...MASTER, DBInstanceIdentifier }));
      await aws.untilInstance(DBInstanceIdentifier);
      await aws.query(DBInstanceIdentifier, `CREATE TABLE who AS SELECT '${DBInstanceIdentifier}' AS name`);
    }),
  );
  port = await createProxy('front');
  await borrow(LONGEST_WAIT);
  await register('blue');
});
afterAll(() => aws?.remove());

async function createProxy(DBProxyName: string, VpcSecurityGroupIds?: string[]): Promise<number> {
  const input = { ...PROXY, DBProxyName, VpcSubnetIds: [...PROXY.VpcSubnetIds], Auth: [...PROXY.Auth] };
  const { DBProxy } = await aws
    .rds()
    .send(new CreateDBProxyCommand(VpcSecurityGroupIds ? { ...input, VpcSecurityGroupIds } : input));
  return Number(DBProxy?.Endpoint?.split(':')[1]);
}

const borrow = (ConnectionBorrowTimeout: number) =>
  aws.rds().send(
    new ModifyDBProxyTargetGroupCommand({
      DBProxyName: 'front',
      TargetGroupName: 'default',
      ConnectionPoolConfig: { ConnectionBorrowTimeout },
    }),
  );

async function health(): Promise<string[]> {
  const { Targets } = await aws.rds().send(new DescribeDBProxyTargetsCommand({ DBProxyName: 'front' }));
  return (Targets ?? []).map(({ RdsResourceId, TargetHealth }) => `${RdsResourceId} ${TargetHealth?.State}`);
}

async function register(instance: string): Promise<void> {
  const input = { DBProxyName: 'front', DBInstanceIdentifiers: [instance] };
  const { DBProxyTargets } = await aws.rds().send(new RegisterDBProxyTargetsCommand(input));
  expect(DBProxyTargets).toMatchObject([{ RdsResourceId: instance, TargetHealth: { State: 'REGISTERING' } }]);
  await until(`${instance} takes connections`, async () => (await health()).includes(`${instance} AVAILABLE`));
}

const deregister = (instance: string) =>
  aws.rds().send(new DeregisterDBProxyTargetsCommand({ DBProxyName: 'front', DBInstanceIdentifiers: [instance] }));

/** A session through the proxy, its certificate verified as that of the instance behind. */
async function connect(at = port): Promise<Client> {
  const client = new Client({
    host: 'localhost',
    port: at,
    user: MASTER.MasterUsername,
    password: MASTER.MasterUserPassword,
    database: 'postgres',
    ssl: { ca: readFileSync(join(aws.stateDir, 'rds-combined-ca-bundle.pem'), 'utf8') },
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function whoAnswers(client?: Client): Promise<string> {
  const session = client ?? (await connect());
  try {
    return (await session.query<{ name: string }>('SELECT name FROM who')).rows[0]?.name ?? '';
  } finally {
    if (!client) await session.end();
  }
}

const load = () => aws.control('GET', 'proxies/front') as Promise<{ led: number; waiting: number }>;

describe('a proxy', () => {
  it('leads to its target', async () => {
    await expect(whoAnswers()).resolves.toBe('blue');
    const { DBProxies } = await aws.rds().send(new DescribeDBProxiesCommand({ DBProxyName: 'front' }));
    expect(DBProxies).toMatchObject([{ Endpoint: `localhost:${port}`, Status: 'available' }]);
    const { TargetGroups } = await aws.rds().send(new DescribeDBProxyTargetGroupsCommand({ DBProxyName: 'front' }));
    expect(TargetGroups).toMatchObject([{ ConnectionPoolConfig: { ConnectionBorrowTimeout: LONGEST_WAIT } }]);
    await until('the session is gone', async () => (await load()).led === 0);
  });

  it('ends sessions with the target, lets clients wait, and leads them to the next target', async () => {
    const session = await connect();
    await expect(load()).resolves.toEqual({ led: 1, waiting: 0 });
    const ended = new Promise<void>((resolve) => session.once('end', () => resolve()));
    await deregister('blue');
    await ended;
    await expect(health()).resolves.toEqual([]);
    const waiting = connect();
    await until('a client waits', async () => (await load()).waiting === 1);
    await register('green');
    const moved = await waiting;
    await expect(whoAnswers(moved)).resolves.toBe('green');
    await moved.end();
    await expect(deregister('blue')).rejects.toMatchObject({ name: 'DBProxyTargetNotFoundFault' });
    await expect(register('blue')).rejects.toMatchObject({ name: 'InvalidDBProxyStateFault' });
  });

  it('refuses clients that waited in vain', async () => {
    await borrow(1);
    await deregister('green');
    await expect(connect()).rejects.toThrow();
    const plain = new Client({ host: 'localhost', port, user: 'x', password: 'x', ssl: false });
    plain.on('error', () => undefined);
    await expect(plain.connect()).rejects.toMatchObject({
      code: '08006',
      message: 'Timed-out waiting to acquire database connection',
    });
    await borrow(LONGEST_WAIT);
    await register('green');
    await expect(whoAnswers()).resolves.toBe('green');
  });

  it('holds clients while its target is away', async () => {
    await aws.rds().send(new StopDBInstanceCommand({ DBInstanceIdentifier: 'green' }));
    await until('it is away', async () => (await health()).includes('green UNAVAILABLE'));
    await aws.untilInstance('green', 'stopped');
    await aws.rds().send(new StartDBInstanceCommand({ DBInstanceIdentifier: 'green' }));
    await expect(whoAnswers()).resolves.toBe('green');
    await aws.untilInstance('green');
  });

  it('takes no target that reboots, although it would take it while it is modified', async () => {
    await deregister('green');
    await aws.control('POST', 'faults', { operation: 'RebootDBInstance', kind: 'stall' });
    await aws.rds().send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'green' }));
    await expect(register('green')).rejects.toMatchObject({
      name: 'InvalidDBInstanceStateFault',
      message:
        'DB Instance green is in an unsupported state - REBOOTING, needs to be in [AVAILABLE, MODIFYING, BACKING_UP]',
    });
    await aws.control('DELETE', 'faults');
    await aws.untilInstance('green');
    await register('green');
    await expect(whoAnswers()).resolves.toBe('green');
  });

  it('is there again after a restart, at the same port', async () => {
    await aws.stopProcess();
    await aws.startProcess();
    await expect(whoAnswers()).resolves.toBe('green');
  });

  it('lets in whom its security groups let in', async () => {
    const { GroupId = '' } = await aws
      .ec2()
      .send(new CreateSecurityGroupCommand({ GroupName: 'narrow', Description: 'x' }));
    const DBProxyName = 'narrow';
    const narrow = await createProxy(DBProxyName, [GroupId]);
    const input = { DBProxyName, DBInstanceIdentifiers: ['blue'] };
    await aws.rds().send(new RegisterDBProxyTargetsCommand(input));
    await expect(connect(narrow)).rejects.toThrow();
    const IpPermissions = [{ IpProtocol: 'tcp', FromPort: 5432, ToPort: 5432, IpRanges: [{ CidrIp: '127.0.0.1/32' }] }];
    await aws.ec2().send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
    const session = await connect(narrow);
    const ended = new Promise<void>((resolve) => session.once('end', () => resolve()));
    await aws.rds().send(new DeleteDBProxyCommand({ DBProxyName }));
    await ended;
    await expect(connect(narrow)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

const command = findAwsCli();

/** A client that we didn't write. */
(command === undefined ? describe.skip : describe)('the aws command', () => {
  const call = async (...args: string[]) => {
    const text = await callAws(command ?? '', aws.endpoint, 'rds', ...args);
    return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  };

  it('moves a proxy from one instance to another', async () => {
    const proxy = ['--db-proxy-name', 'front'];
    await call('deregister-db-proxy-targets', ...proxy, '--db-instance-identifiers', 'green');
    await expect(
      call('register-db-proxy-targets', ...proxy, '--db-instance-identifiers', 'blue'),
    ).resolves.toMatchObject({ DBProxyTargets: [{ TargetHealth: { State: 'REGISTERING' } }] });
    await until('the target is available', async () => {
      const { Targets } = await call('describe-db-proxy-targets', ...proxy);
      return JSON.stringify(Targets).includes('"AVAILABLE"');
    });
    await expect(whoAnswers()).resolves.toBe('blue');
  });
});

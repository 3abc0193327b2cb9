import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, Socket, type SocketConnectOpts } from 'node:net';
import { AuthorizeSecurityGroupIngressCommand, CreateSecurityGroupCommand } from '@aws-sdk/client-ec2';
import {
  DescribeDBProxyTargetsCommand,
  ModifyDBInstanceCommand,
  RebootDBInstanceCommand,
  RegisterDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import { Client } from 'pg';
import { closeFences, lookAtFences, lowerOthers, openFences } from '../../../../activities/cutover/fence-set';
import type { Fence } from '../../../../activities/cutover/fences/fence';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { createProxy } from '../../../support/rds-proxy';
import { MASTER, until } from '../../../support/stand-in';
import type { PlanInput } from '../../../../plan/plan';

const NO_FENCE = { roles: [], unlockable: [], databases: [] };
const clock = { mayGoOn: () => undefined, remainingMs: () => 10_000 };
let lab: ActivityLab;
const fences: Fence[] = [];

beforeAll(async () => {
  lab = await ActivityLab.open();
});
afterEach(() => closeFences(fences.splice(0)));
afterAll(() => lab?.close());

type FenceEntries = NonNullable<NonNullable<PlanInput['cutover']>['fence']>;
const refFor = (...fence: FenceEntries) => migrationRef({ ...SMALLEST_PLAN, cutover: { fence } });

async function opened(ref: ReturnType<typeof refFor>) {
  const { others, red } = await lookAtFences(lab.dependencies, ref);
  expect(red).toEqual([]);
  const [fence] = await openFences(lab.dependencies, ref, { fence: NO_FENCE, others });
  if (!fence) throw new Error('no fence');
  fences.push(fence);
  return { fence, set: { fence: NO_FENCE, others } };
}

/** RDS refuses a call, and takes it all the same, later. Whoever waits for the end of that gets it. */
async function refusedAndTaken(operation: string): Promise<() => Promise<void>> {
  const fault = { operation, kind: 'late', code: 'InvalidDBInstanceState', status: 400, delayMs: 300 };
  await lab.standIn.control('POST', 'faults', fault);
  return async () => {
    await until('RDS has taken it', async () => {
      const faults = (await lab.standIn.control('GET', 'faults')) as { hits: number; pending: number }[];
      return faults.every(({ hits, pending }) => hits > 0 && pending === 0);
    });
    await lab.standIn.control('DELETE', 'faults');
  };
}

/** As a worker on AWS, where RDS shows later what it has taken. */
const patient = () => ({
  ...lab.dependencies,
  aws: (region?: string) => ({ ...lab.aws(region), rdsShowsAfterMs: 600 }),
});

describe('security-group', () => {
  const groups = async () =>
    ((await lab.standIn.instance('app-db')).VpcSecurityGroups ?? []).map((one) => one.VpcSecurityGroupId);
  const give = (...VpcSecurityGroupIds: string[]) =>
    lab.aws().rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'app-db', VpcSecurityGroupIds }));

  /** A group that lets these addresses in. */
  async function group(name: string, ...ranges: string[]): Promise<string> {
    const { ec2 } = lab.aws();
    const { GroupId = '' } = await ec2.send(new CreateSecurityGroupCommand({ GroupName: name, Description: name }));
    for (const CidrIp of ranges) {
      const rule = { GroupId, IpProtocol: 'tcp', FromPort: 0, ToPort: 65_535, CidrIp };
      await ec2.send(new AuthorizeSecurityGroupIngressCommand(rule));
    }
    return GroupId;
  }

  /** Whether somebody who comes from this address can log in. */
  async function admits(localAddress: string): Promise<boolean> {
    const { Endpoint } = await lab.standIn.instance('app-db');
    const socket = new Socket();
    const connect = socket.connect.bind(socket) as (options: SocketConnectOpts) => Socket;
    const from = (port: number) => connect({ port, host: '127.0.0.1', localAddress });
    const client = new Client({
      host: '127.0.0.1',
      port: Endpoint?.Port ?? 0,
      user: MASTER.MasterUsername,
      password: MASTER.MasterUserPassword,
      database: 'postgres',
      ssl: { rejectUnauthorized: false },
      connectionTimeoutMillis: 3_000,
      stream: () => Object.assign<Socket, object>(socket, { connect: from }),
    });
    client.on('error', () => undefined);
    return client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  }

  let open: string;
  let closed: string;

  beforeAll(async () => {
    open = await group('application', '127.0.0.0/8');
    closed = await group('migration', '127.0.0.1/32');
    await give(open);
  });

  it('lets the application in no more, but the worker, and puts back what was there', async () => {
    expect([await admits('127.0.0.1'), await admits('127.0.0.2')]).toEqual([true, true]);
    const ref = refFor({ type: 'security-group', group: closed });
    const { fence, set } = await opened(ref);
    await fence.raise(clock);
    await fence.raise(clock);
    await until('the application is refused', async () => !(await admits('127.0.0.2')));
    expect(await admits('127.0.0.1')).toBe(true);
    await expect(groups()).resolves.toEqual([closed]);
    await fence.release();
    await expect(groups()).resolves.toEqual([closed]);
    await lowerOthers(lab.dependencies, ref, set);
    await lowerOthers(lab.dependencies, ref, set);
    await expect(groups()).resolves.toEqual([open]);
    await until('the application is let in again', () => admits('127.0.0.2'));
  });

  it('is lowered for good where RDS takes the request to raise it later', async () => {
    const ref = refFor({ type: 'security-group', group: closed });
    const { others } = await lookAtFences(lab.dependencies, ref);
    const taken = await refusedAndTaken('ModifyDBInstance');
    const [fence] = await openFences(patient(), ref, { fence: NO_FENCE, others });
    await expect(fence?.raise(clock)).rejects.toThrow('injected');
    await lowerOthers(patient(), ref, { fence: NO_FENCE, others });
    await taken();
    await expect(groups()).resolves.toEqual([open]);
  });

  it('replaces only the groups that are named', async () => {
    const other = await group('monitoring', '127.0.0.3/32');
    await give(open, other);
    const { fence } = await opened(refFor({ type: 'security-group', group: closed, replaces: [open] }));
    await fence.raise(clock);
    expect((await groups()).sort()).toEqual([closed, other].sort());
    await fence.lower();
    expect((await groups()).sort()).toEqual([open, other].sort());
    await give(open);
  });

  it('leaves groups alone that somebody changed by hand, and says so', async () => {
    const { fence } = await opened(refFor({ type: 'security-group', group: closed }));
    const byHand = await group('by hand', '127.0.0.1/32');
    await fence.raise(clock);
    await give(byHand);
    await expect(fence.lower()).rejects.toMatchObject({
      type: 'NotOurs',
      message: expect.stringMatching(/Somebody changed the security groups of app-db/) as string,
    });
    await expect(groups()).resolves.toEqual([byHand]);
    await give(closed);
    await fence.lower();
    await expect(groups()).resolves.toEqual([open]);
  });

  it('is red where the group is missing, lets everybody in, lets nobody in, or is there already', async () => {
    const redOf = async (id: string) =>
      (await lookAtFences(lab.dependencies, refFor({ type: 'security-group', group: id }))).red.join('\n');
    await expect(redOf('sg-0123456789')).resolves.toContain('there is no security group sg-0123456789');
    await expect(redOf(await group('all', '0.0.0.0/0'))).resolves.toContain('lets everybody in');
    await expect(redOf(await group('none'))).resolves.toContain('lets nobody in');
    await expect(redOf(open)).resolves.toContain('the fence would change nothing');
  });
});

describe('rds-proxy', () => {
  const proxy = 'shop';
  const ref = migrationRef({
    ...SMALLEST_PLAN,
    cutover: { fence: [{ type: 'rds-proxy', proxy }], traffic: [{ type: 'rds-proxy', proxy }] },
  });
  const targets = async () => {
    const { Targets } = await lab.aws().rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: proxy }));
    return Targets?.map(({ RdsResourceId }) => RdsResourceId);
  };

  it('takes the source out of the target group, and puts it back; both twice', async () => {
    await expect(lookAtFences(lab.dependencies, ref)).resolves.toMatchObject({
      red: [expect.stringContaining('there is no RDS Proxy shop') as string],
    });
    await createProxy(lab, proxy);
    const { rds } = lab.aws();
    await expect(lookAtFences(lab.dependencies, ref)).resolves.toMatchObject({
      red: [expect.stringContaining('does not stand before app-db') as string],
    });
    await rds.send(new RegisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: ['app-db'] }));
    const { fence, set } = await opened(ref);
    await fence.raise(clock);
    await fence.raise(clock);
    await expect(targets()).resolves.toEqual([]);
    await lowerOthers(lab.dependencies, ref, set);
    await fence.lower();
    await expect(targets()).resolves.toEqual(['app-db']);
  });

  it('puts the source back where RDS takes the request to take it out later', async () => {
    const taken = await refusedAndTaken('DeregisterDBProxyTargets');
    const { fence } = await opened(ref);
    await expect(fence.raise(clock)).rejects.toThrow('injected');
    await lowerOthers(patient(), ref, { fence: NO_FENCE, others: [null] });
    await taken();
    await expect(targets()).resolves.toEqual(['app-db']);
  });
});

describe('rds-proxy before an instance that RDS would not register again', () => {
  it('is red, and not raised', async () => {
    const proxy = 'shop';
    const ref = migrationRef({
      ...SMALLEST_PLAN,
      cutover: { fence: [{ type: 'rds-proxy', proxy }], traffic: [{ type: 'rds-proxy', proxy }] },
    });
    const { fence } = await opened(ref);
    const { rds } = lab.aws();
    await lab.standIn.control('POST', 'faults', { operation: 'RebootDBInstance', kind: 'stall' });
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'app-db' }));
    await expect(lookAtFences(lab.dependencies, ref)).resolves.toMatchObject({
      red: [expect.stringContaining('app-db is rebooting') as string],
    });
    await expect(fence.raise(clock)).rejects.toThrow('app-db is rebooting');
    const { Targets } = await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: proxy }));
    expect(Targets).toHaveLength(1);
    await lab.standIn.control('DELETE', 'faults');
    await lab.standIn.untilInstance('app-db');
  });
});

describe('hook', () => {
  let server: Server;
  let status = 200;
  const told: { event: string; direction: string; signature: string | string[] | undefined; key: string }[] = [];

  beforeAll(async () => {
    await lab.value('hook-key', 'a key', 'webhook');
    server = createServer((request: IncomingMessage, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.once('end', () => {
        const { event, direction, idempotencyKey } = JSON.parse(text) as Record<string, string>;
        const signature = request.headers['keyshift-signature'];
        told.push({ event: event ?? '', direction: direction ?? '', key: idempotencyKey ?? '', signature });
        response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const ref = () => {
    const { port } = server.address() as AddressInfo;
    return refFor({ type: 'hook', url: `http://127.0.0.1:${port}/fence`, secret: 'hook-key' });
  };

  it('is told to stop writes and to let them go on, signed, with a key for each', async () => {
    const { fence } = await opened(ref());
    await fence.raise(clock);
    await fence.lower();
    await fence.release();
    expect(told.map(({ event }) => event)).toEqual(['fence.raise', 'fence.lower', 'fence.release']);
    expect(new Set(told.map(({ key }) => key)).size).toBe(3);
    for (const { signature, direction } of told) {
      expect(signature).toMatch(/^v1=[0-9a-f]{64}$/);
      expect(direction).toBe('there');
    }
    const again = await opened(ref());
    await again.fence.raise(clock);
    expect(told.at(-1)?.key).not.toBe(told[0]?.key);
  });

  it('gives the pause up when the endpoint does not agree, and is red when it is not there', async () => {
    const { fence } = await opened(ref());
    status = 503;
    await expect(fence.raise(clock)).rejects.toThrow('fence.raise with 503');
    const nowhere = refFor({ type: 'hook', url: 'http://127.0.0.1:9/', secret: 'hook-key' });
    await expect(lookAtFences(lab.dependencies, nowhere)).resolves.toMatchObject({
      red: [expect.stringContaining("can't be reached")],
    });
  });
});

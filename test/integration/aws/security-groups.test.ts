import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import {
  CreateDBInstanceCommand,
  CreateDBInstanceReadReplicaCommand,
  ModifyDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { Socket } from 'node:net';
import { Client } from 'pg';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { MASTER, StandIn, until } from '../../support/stand-in';

const INSTANCE = { Engine: 'postgres', EngineVersion: '16', DBInstanceClass: 'db.m6g.large', AllocatedStorage: 20 };
const APPLICATION = '127.0.0.2';
const OPERATOR = '127.0.0.3';

let aws: StandIn;
let open: string;
let closed: string;
beforeAll(async () => {
  aws = await StandIn.start();
  open = await createGroup('open', '0.0.0.0/0');
  closed = await createGroup('closed', `${OPERATOR}/32`);
  await aws.rds().send(
    new CreateDBInstanceCommand({
      ...INSTANCE,
      ...MASTER,
      DBInstanceIdentifier: 'shop',
      BackupRetentionPeriod: 1,
      VpcSecurityGroupIds: [open],
    }),
  );
  await aws.untilInstance('shop');
  await aws.query('shop', `CREATE ROLE app LOGIN PASSWORD 'app-secret'`);
  await aws.query('shop', `CREATE ROLE link LOGIN PASSWORD 'link-secret'`);
  await aws.query('shop', `GRANT rds_replication TO link`);
});
afterAll(() => aws?.remove());

const permission = (CidrIp: string, port = 5432) => [
  { IpProtocol: 'tcp', FromPort: port, ToPort: port, IpRanges: [{ CidrIp }] },
];

async function createGroup(GroupName: string, cidr?: string): Promise<string> {
  const { GroupId = '' } = await aws.ec2().send(new CreateSecurityGroupCommand({ GroupName, Description: GroupName }));
  if (cidr !== undefined) {
    await aws.ec2().send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: permission(cidr) }));
  }
  return GroupId;
}

/** A session from one of the addresses of this machine. */
async function connectFrom(localAddress: string, user: 'app' | 'link' = 'app', instance = 'shop'): Promise<Client> {
  const { Endpoint } = await aws.instance(instance);
  const socket = new Socket();
  const connect = socket.connect.bind(socket);
  socket.connect = ((port: number, host: string) => connect({ port, host, localAddress })) as Socket['connect'];
  const client = new Client({
    host: '127.0.0.1',
    port: Endpoint?.Port ?? 0,
    user,
    password: `${user}-secret`,
    database: 'postgres',
    ssl: { rejectUnauthorized: false },
    stream: () => socket,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Whether somebody gets in from an address now. */
async function getsIn(localAddress: string, user: 'app' | 'link' = 'app', instance = 'shop'): Promise<boolean> {
  try {
    await (await connectFrom(localAddress, user, instance)).end();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ message: expect.stringMatching(/no pg_hba.conf entry for host/) as string });
    return false;
  }
}

const untilIn = (address: string) => until(`${address} gets in`, () => getsIn(address));
const untilOut = (address: string) => until(`${address} is refused`, async () => !(await getsIn(address)));

const setGroups = (...VpcSecurityGroupIds: string[]) =>
  aws.rds().send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'shop', VpcSecurityGroupIds }));

afterEach(async () => {
  await setGroups(open);
  await untilIn(APPLICATION);
});

describe('the security groups of an instance', () => {
  it('let in new connections by address, and leave open ones alone', async () => {
    await untilIn(APPLICATION);
    const session = await connectFrom(APPLICATION);
    await setGroups(closed);
    await untilOut(APPLICATION);
    await expect(getsIn(OPERATOR)).resolves.toBe(true);
    await expect(getsIn('127.0.0.1')).resolves.toBe(false);
    await expect(session.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
    await session.end();
    await setGroups(closed, open);
    await untilIn(APPLICATION);
  });

  it('hold with their rules of the moment', async () => {
    await setGroups(closed);
    await untilOut(APPLICATION);
    const rule = { GroupId: closed, IpPermissions: permission(`${APPLICATION}/32`) };
    await aws.ec2().send(new AuthorizeSecurityGroupIngressCommand(rule));
    await untilIn(APPLICATION);
    await aws.ec2().send(new RevokeSecurityGroupIngressCommand(rule));
    await untilOut(APPLICATION);
    const other = {
      GroupId: closed,
      IpPermissions: [...permission('127.0.0.0/8', 3306), ...permission('127.0.0.4/32')],
    };
    await aws.ec2().send(new AuthorizeSecurityGroupIngressCommand(other));
    await untilIn('127.0.0.4');
    await expect(getsIn(APPLICATION)).resolves.toBe(false);
    await aws.ec2().send(new RevokeSecurityGroupIngressCommand(other));
    const group = {
      GroupId: closed,
      IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: open }] }],
    };
    await aws.ec2().send(new AuthorizeSecurityGroupIngressCommand(group));
    await untilIn(APPLICATION);
    await aws.ec2().send(new RevokeSecurityGroupIngressCommand(group));
    await untilOut(APPLICATION);
  });

  it('without a rule let nobody in, but the service and other instances', async () => {
    const nobody = await createGroup('nobody');
    await setGroups(nobody);
    await untilOut(APPLICATION);
    await expect(getsIn(OPERATOR)).resolves.toBe(false);
    await expect(getsIn('127.0.0.1', 'link')).resolves.toBe(true);
    await expect(getsIn(APPLICATION, 'link')).resolves.toBe(false);
    await aws.rds().send(
      new CreateDBInstanceReadReplicaCommand({
        DBInstanceIdentifier: 'replica',
        SourceDBInstanceIdentifier: 'shop',
        VpcSecurityGroupIds: [open],
      }),
    );
    await aws.untilInstance('replica');
    await expect(getsIn(APPLICATION, 'app', 'replica')).resolves.toBe(true);
    // The service's own sessions: the password is set in one.
    const DBInstanceIdentifier = 'shop';
    await aws
      .rds()
      .send(new ModifyDBInstanceCommand({ DBInstanceIdentifier, MasterUserPassword: MASTER.MasterUserPassword }));
    await aws.untilInstance('shop', 'modifying');
    await aws.untilInstance('shop');
    await setGroups(open);
    await aws.ec2().send(new DeleteSecurityGroupCommand({ GroupId: nobody }));
  });

  it('hold after a restart', async () => {
    await setGroups(closed);
    await aws.stopProcess();
    await aws.startProcess();
    await expect(getsIn(APPLICATION)).resolves.toBe(false);
    await expect(getsIn(OPERATOR)).resolves.toBe(true);
  });

  it('have addresses that exist', async () => {
    const wrong = { GroupId: open, IpPermissions: permission('127.0.0.300/32') };
    await expect(aws.ec2().send(new AuthorizeSecurityGroupIngressCommand(wrong))).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
  });
});

const command = findAwsCli();

/** A client that we didn't write. */
(command === undefined ? describe.skip : describe)('the aws command', () => {
  const call = (...args: string[]) => callAws(command ?? '', aws.endpoint, ...args);

  it('swaps the group of an instance, and changes its rules', async () => {
    await call('rds', 'modify-db-instance', '--db-instance-identifier', 'shop', '--vpc-security-group-ids', closed);
    await untilOut(APPLICATION);
    const rule = ['--group-id', closed, '--protocol', 'tcp', '--port', '5432', '--cidr', `${APPLICATION}/32`];
    await call('ec2', 'authorize-security-group-ingress', ...rule);
    await untilIn(APPLICATION);
    await call('ec2', 'revoke-security-group-ingress', ...rule);
    await untilOut(APPLICATION);
  });
});

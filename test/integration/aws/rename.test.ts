import {
  CreateDBInstanceCommand,
  CreateDBInstanceReadReplicaCommand,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  type DBInstance,
} from '@aws-sdk/client-rds';
import { Client } from 'pg';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { MASTER, StandIn, until } from '../../support/stand-in';

const INSTANCE = { Engine: 'postgres', EngineVersion: '16', DBInstanceClass: 'db.m6g.large', AllocatedStorage: 20 };

let aws: StandIn;
beforeAll(async () => {
  aws = await StandIn.start();
  await Promise.all(
    ['app', 'app-new'].map(async (DBInstanceIdentifier) => {
      const Tags = [{ Key: 'was', Value: DBInstanceIdentifier }];
      await aws
        .rds()
        .send(new CreateDBInstanceCommand({ ...INSTANCE, ...MASTER, DBInstanceIdentifier, Tags, DBName: 'shop' }));
      await aws.untilInstance(DBInstanceIdentifier);
      await aws.query(DBInstanceIdentifier, `CREATE TABLE who AS SELECT '${DBInstanceIdentifier}' AS name`, 'shop');
    }),
  );
});
afterAll(() => aws?.remove());

const rename = (from: string, to: string) =>
  aws
    .rds()
    .send(
      new ModifyDBInstanceCommand({ DBInstanceIdentifier: from, NewDBInstanceIdentifier: to, ApplyImmediately: true }),
    );

/** A new name is there only once the instance has it. */
const untilRenamed = (id: string, status = 'available') =>
  until(`${id} is ${status}`, async () => {
    const { DBInstances } = await aws.rds().send(new DescribeDBInstancesCommand({}));
    return DBInstances?.find((one) => one.DBInstanceIdentifier === id && one.DBInstanceStatus === status);
  });

/** Which of the two answers at an endpoint, as a client sees it that knows nothing but the endpoint. */
async function whoAnswers(at: DBInstance): Promise<string> {
  const client = new Client({
    host: at.Endpoint?.Address ?? '',
    port: at.Endpoint?.Port ?? 0,
    user: MASTER.MasterUsername,
    password: MASTER.MasterUserPassword,
    database: 'shop',
    ssl: { rejectUnauthorized: false },
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<{ name: string }>('SELECT name FROM who')).rows[0]?.name ?? '';
  } finally {
    await client.end();
  }
}

const sorted = (...instances: DBInstance[]) => instances.map(({ DbiResourceId }) => DbiResourceId);

describe('an instance that gets another name', () => {
  it('leaves its endpoint to whoever takes the name', async () => {
    const source = await aws.instance('app');
    const target = await aws.instance('app-new');
    await aws.rds().send(
      new CreateDBInstanceReadReplicaCommand({
        DBInstanceIdentifier: 'app-replica',
        SourceDBInstanceIdentifier: 'app',
      }),
    );
    await aws.untilInstance('app-replica');
    const session = await aws.connect('app', { database: 'shop' });

    await rename('app', 'app-old');
    const old = await untilRenamed('app-old');
    expect(old).toMatchObject({
      DbiResourceId: source.DbiResourceId,
      DBInstanceArn: source.DBInstanceArn?.replace(/app$/, 'app-old'),
      TagList: [{ Key: 'was', Value: 'app' }],
      ReadReplicaDBInstanceIdentifiers: ['app-replica'],
    });
    await expect(session.query('SELECT 1')).rejects.toThrow(/terminat|connection/i);
    await expect(aws.instance('app')).rejects.toMatchObject({ name: 'DBInstanceNotFoundFault' });
    await expect(whoAnswers(source)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(whoAnswers(old)).resolves.toBe('app');
    expect(await aws.instance('app-replica')).toMatchObject({ ReadReplicaSourceDBInstanceIdentifier: 'app-old' });

    await rename('app-new', 'app');
    const renamed = await untilRenamed('app');
    expect(renamed.Endpoint).toEqual(source.Endpoint);
    expect(sorted(renamed, old)).toEqual(sorted(target, source));
    await expect(whoAnswers(source)).resolves.toBe('app-new');
    await expect(whoAnswers(target)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    // Verified against the bundle, at the place of its new name.
    await expect(aws.query('app', 'SELECT name FROM who', 'shop')).resolves.toEqual([{ name: 'app-new' }]);
  });

  it('keeps its replicas', async () => {
    await aws.query('app-old', "INSERT INTO who VALUES ('after the renaming')", 'shop');
    await until('the replica has the row', async () => {
      const rows = await aws.query('app-replica', "SELECT 1 FROM who WHERE name LIKE 'after%'", 'shop');
      return rows.length === 1;
    });
  });

  it('is found by its resource id, and by name', async () => {
    const { DbiResourceId = '' } = await aws.instance('app');
    const found = async (Name: string, ...Values: string[]) => {
      const { DBInstances } = await aws.rds().send(new DescribeDBInstancesCommand({ Filters: [{ Name, Values }] }));
      return DBInstances?.map(({ DBInstanceIdentifier }) => DBInstanceIdentifier);
    };
    await expect(found('dbi-resource-id', DbiResourceId)).resolves.toEqual(['app']);
    await expect(found('db-instance-id', 'app', 'app-old', 'none')).resolves.toEqual(['app', 'app-old']);
  });

  it('goes back to the endpoint that its first name has', async () => {
    const before = await aws.instance('app');
    await rename('app', 'app-new');
    await untilRenamed('app-new');
    await aws.stopProcess();
    await aws.startProcess();
    await rename('app-old', 'app');
    expect((await untilRenamed('app')).Endpoint).toEqual(before.Endpoint);
    await expect(whoAnswers(before)).resolves.toBe('app');
    await expect(whoAnswers(await aws.instance('app-new'))).resolves.toBe('app-new');
  });

  it('says what it is doing, and is refused a name that is taken', async () => {
    await expect(rename('app', 'app-new')).rejects.toMatchObject({ name: 'DBInstanceAlreadyExistsFault' });
    await aws.control('POST', 'faults', { operation: 'ModifyDBInstance', kind: 'stall', state: 'rebooting' });
    await rename('app-new', 'app-next');
    await expect(rename('app', 'app-next')).rejects.toMatchObject({ name: 'DBInstanceAlreadyExistsFault' });
    await untilRenamed('app-next', 'rebooting');
    // The end of the embedded AWS in the middle of it.
    await aws.stopProcess('SIGKILL');
    await aws.startProcess();
    await untilRenamed('app-next');
    await expect(whoAnswers(await aws.instance('app-next'))).resolves.toBe('app-new');
  });

  it('keeps the port that it was made with', async () => {
    const { Endpoint } = await aws.instance('app');
    const Port = Endpoint?.Port;
    await aws
      .rds()
      .send(
        new CreateDBInstanceCommand({ ...INSTANCE, ...MASTER, DBInstanceIdentifier: 'same', Port, DBName: 'shop' }),
      );
    const same = await aws.untilInstance('same');
    expect(same.Endpoint).toMatchObject({ Port, Address: expect.stringMatching(/^127\.0\.0\.\d+$/) as string });
    await rename('same', 'other');
    const other = await untilRenamed('other');
    expect(other.Endpoint?.Port).toBe(Port);
    expect(other.Endpoint?.Address).not.toBe(same.Endpoint?.Address);
    await expect(aws.query('other', 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });
});

const command = findAwsCli();

/** A client that we didn't write. */
(command === undefined ? describe.skip : describe)('the aws command', () => {
  it('renames an instance and waits for it', async () => {
    const call = async (...args: string[]) => callAws(command ?? '', aws.endpoint, 'rds', ...args);
    const { Endpoint } = await aws.instance('app');
    await call(
      ...['modify-db-instance', '--db-instance-identifier', 'app', '--new-db-instance-identifier', 'by-command'],
      '--apply-immediately',
    );
    await untilRenamed('by-command');
    const text = await call('describe-db-instances', '--filters', 'Name=db-instance-id,Values=by-command');
    const { DBInstances } = JSON.parse(text) as { DBInstances: DBInstance[] };
    expect(DBInstances[0]?.Endpoint?.Port).not.toBe(Endpoint?.Port);
  });
});

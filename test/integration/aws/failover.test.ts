import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { CreateDBInstanceCommand, DescribeEventsCommand, RebootDBInstanceCommand } from '@aws-sdk/client-rds';
import { MASTER, StandIn, until } from '../../support/stand-in';

const INSTANCE = { Engine: 'postgres', EngineVersion: '16', DBInstanceClass: 'db.m6g.large', AllocatedStorage: 20 };
const STALL = { operation: 'failover', kind: 'stall' };

let aws: StandIn;
beforeAll(async () => {
  aws = await StandIn.start();
  await Promise.all(
    ['single', 'multi'].map(async (DBInstanceIdentifier) => {
      const MultiAZ = DBInstanceIdentifier === 'multi';
      await aws.rds().send(new CreateDBInstanceCommand({ ...INSTANCE, ...MASTER, DBInstanceIdentifier, MultiAZ }));
      await aws.untilInstance(DBInstanceIdentifier);
    }),
  );
});
afterAll(() => aws?.remove());

async function events(SourceIdentifier: string): Promise<string[]> {
  const { Events } = await aws
    .rds()
    .send(new DescribeEventsCommand({ SourceType: 'db-instance', SourceIdentifier, Duration: 60 }));
  return (Events ?? []).map(({ EventCategories, Message }) => `${EventCategories?.join()}: ${Message}`);
}

async function connections(instance: string): Promise<number | undefined> {
  const Metric = {
    Namespace: 'AWS/RDS',
    MetricName: 'DatabaseConnections',
    Dimensions: [{ Name: 'DBInstanceIdentifier', Value: instance }],
  };
  const { MetricDataResults } = await aws.cloudwatch().send(
    new GetMetricDataCommand({
      MetricDataQueries: [{ Id: 'm', MetricStat: { Metric, Period: 60, Stat: 'Maximum' } }],
      StartTime: new Date(Date.now() - 3_600_000),
      EndTime: new Date(),
    }),
  );
  return MetricDataResults?.[0]?.Values?.[0];
}

it('a host that is lost ends sessions, keeps what was committed, and comes back', async () => {
  await aws.query('single', 'CREATE TABLE kept (id int)');
  const session = await aws.connect('single');
  await until('the session counts', async () => (await connections('single')) === 1);
  const ended = new Promise<void>((resolve) => session.once('end', () => resolve()));
  await session.query('INSERT INTO kept VALUES (1)');
  await aws.control('POST', 'faults', STALL);
  await aws.control('POST', 'instances/single/failover');
  await ended;
  await expect(aws.instance('single')).resolves.toMatchObject({ DBInstanceStatus: 'rebooting' });
  await until('nobody listens', () =>
    aws.connect('single').then(
      () => false,
      ({ code }: { code?: string }) => code === 'ECONNREFUSED',
    ),
  );
  await expect(connections('single')).resolves.toBeUndefined();
  await expect(aws.control('POST', 'instances/single/failover')).rejects.toThrow('is rebooting');
  await aws.control('DELETE', 'faults');
  await aws.untilInstance('single');
  await expect(aws.query('single', 'SELECT id FROM kept')).resolves.toEqual([{ id: 1 }]);
  expect((await events('single')).slice(-3)).toEqual([
    'recovery: Recovery of the DB instance has started. Recovery time will vary with the amount of data to be recovered.',
    'availability: DB instance restarted',
    'recovery: Recovery of the DB instance is complete.',
  ]);
});

it('with Multi-AZ the other side takes over', async () => {
  const before = await aws.instance('multi');
  await aws.control('POST', 'instances/multi/failover');
  const after = await aws.untilInstance('multi');
  expect(after).toMatchObject({
    AvailabilityZone: before.SecondaryAvailabilityZone,
    SecondaryAvailabilityZone: before.AvailabilityZone,
    Endpoint: before.Endpoint,
  });
  expect((await events('multi')).slice(-3)).toEqual([
    'failover: Multi-AZ instance failover started.',
    'availability: DB instance restarted',
    'failover: Multi-AZ instance failover completed.',
  ]);
  await aws.rds().send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'multi', ForceFailover: true }));
  expect((await aws.untilInstance('multi')).AvailabilityZone).toBe(before.AvailabilityZone);
});

it('is taken up again after the end of the embedded AWS', async () => {
  await aws.control('POST', 'faults', STALL);
  await aws.control('POST', 'instances/single/failover');
  await until('the server is gone', () =>
    aws.connect('single').then(
      (client) => client.end().then(() => false),
      () => true,
    ),
  );
  await aws.stopProcess('SIGKILL');
  await aws.startProcess();
  await aws.untilInstance('single');
  await expect(aws.query('single', 'SELECT id FROM kept')).resolves.toEqual([{ id: 1 }]);
});

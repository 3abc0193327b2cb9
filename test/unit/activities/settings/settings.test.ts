import type { DBInstance } from '@aws-sdk/client-rds';
import { compareInstances } from '../../../../activities/settings/compare-instances';
import { unknownMembers } from '../../../../activities/settings/describe-instance';
import { fieldOf, SETTING_FIELDS } from '../../../../activities/settings/setting-fields';
import { wantedTarget } from '../../../../activities/settings/wanted-instance';
import { restoreRequest } from '../../../../activities/rds/restore-target';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

const source: DBInstance = {
  DBInstanceIdentifier: 'app-db',
  DBInstanceClass: 'db.m6g.large',
  AllocatedStorage: 100,
  StorageType: 'gp3',
  Iops: 3_000,
  StorageThroughput: 125,
  MultiAZ: false,
  AvailabilityZone: 'eu-central-1a',
  EnabledCloudwatchLogsExports: ['postgresql', 'upgrade'],
  VpcSecurityGroups: [
    { VpcSecurityGroupId: 'sg-1', Status: 'active' },
    { VpcSecurityGroupId: 'sg-2', Status: 'active' },
  ],
  DBSubnetGroup: { DBSubnetGroupName: 'own' },
  TagList: [
    { Key: 'team', Value: 'orders' },
    { Key: 'aws:cloudformation:stack-name', Value: 's' },
  ],
};
const planOf = (target: object) => parsedPlan({ ...SMALLEST_PLAN, target: { ...SMALLEST_PLAN.target, ...target } });
const described = (instance: DBInstance) => ({ instance, unknown: new Map<string, string>() });
const compare = (target: object, found: DBInstance, changes: DBInstance = {}) => {
  const like = { ...source, ...changes };
  return compareInstances(
    'target',
    described(like),
    wantedTarget(planOf(target), like),
    described({ ...source, DBInstanceIdentifier: 'new', ...found }),
  );
};

describe('the comparison', () => {
  it('takes lists as sets, and leaves tags of AWS and ours out', () => {
    const { differences } = compare(
      {},
      {
        EnabledCloudwatchLogsExports: ['upgrade', 'postgresql'],
        VpcSecurityGroups: [...(source.VpcSecurityGroups ?? [])].reverse(),
        TagList: [
          { Key: 'keyshift:migration', Value: 'm' },
          { Key: 'team', Value: 'orders' },
        ],
      },
    );
    expect(differences).toEqual([]);
  });

  it.each<[string, DBInstance, string]>([
    ['DBInstanceClass', { DBInstanceClass: 'db.t3.micro' }, '--db-instance-class db.m6g.large'],
    ['MultiAZ', { MultiAZ: true }, '--no-multi-az'],
    ['VpcSecurityGroups', { VpcSecurityGroups: [] }, '--vpc-security-group-ids sg-1 sg-2'],
    ['MaxAllocatedStorage', { MaxAllocatedStorage: 400 }, '--max-allocated-storage 100'],
    [
      'EnabledCloudwatchLogsExports',
      { EnabledCloudwatchLogsExports: ['upgrade', 'iam-db-auth-error'] },
      `--cloudwatch-logs-export-configuration '{"EnableLogTypes":["postgresql"],"DisableLogTypes":["iam-db-auth-error"]}'`,
    ],
    ['IAMDatabaseAuthenticationEnabled', { IAMDatabaseAuthenticationEnabled: true }, ''],
    // Below 400 GiB the performance of gp3 can't be given.
    ['StorageType', { StorageType: 'gp2' }, '--storage-type gp3 --allocated-storage 100'],
  ])('names %s and the command that fixes it', (field, found, options) => {
    const { differences } = compare({}, found);
    expect(differences.map((one) => one.field)).toContain(field);
    const command = differences.find((one) => one.field === field)?.command ?? '';
    if (options)
      expect(command).toBe(`aws rds modify-db-instance --db-instance-identifier new ${options} --apply-immediately`);
  });

  it('lets source and target grow each at its own time, where storage autoscaling is on', () => {
    const autoscaled = { AllocatedStorage: 100, MaxAllocatedStorage: 200 };
    const grown = (found: DBInstance, like: DBInstance) =>
      compare({}, found, like).differences.map(({ field }) => field);
    expect(grown(autoscaled, { ...autoscaled, AllocatedStorage: 190 })).toEqual([]);
    expect(grown({ ...autoscaled, AllocatedStorage: 110 }, autoscaled)).toEqual([]);
    // The ceiling of a volume that has come near to it is not to be had for a new one.
    const near = { AllocatedStorage: 190, MaxAllocatedStorage: 200 };
    expect(grown({ ...near, MaxAllocatedStorage: 209 }, near)).toEqual([]);
    expect(grown({ ...near, MaxAllocatedStorage: 208 }, near)).toEqual(['MaxAllocatedStorage']);
    expect(grown({ AllocatedStorage: 100 }, { AllocatedStorage: 110 })).toEqual(['AllocatedStorage']);
  });

  it('raises the ceiling with a size that the plan asks for', () => {
    const { planned } = compare({ allocatedStorage: 500 }, {}, { MaxAllocatedStorage: 200 });
    expect(planned).toContain('MaxAllocatedStorage: 200 becomes 550');
  });

  it('gives a replica no ceiling that means none: RDS refuses it', () => {
    const given = (like: DBInstance) => fieldOf('MaxAllocatedStorage')?.replica?.(like);
    expect(given({ AllocatedStorage: 100 })).toEqual({});
    expect(given({ AllocatedStorage: 100, MaxAllocatedStorage: 105 })).toEqual({ MaxAllocatedStorage: 110 });
    expect(SETTING_FIELDS.DBParameterGroups).not.toHaveProperty('replica');
  });

  it('takes what the plan changes as wanted, and says so', () => {
    const { differences, planned } = compare(
      { instanceClass: 'db.r7g.large', storageType: 'io2', iops: 5_000, multiAz: true, mayDiffer: ['DBName'] },
      { DBInstanceClass: 'db.r7g.large', StorageType: 'io2', Iops: 5_000, MultiAZ: true, DBName: 'x' },
    );
    expect(differences).toEqual([]);
    expect(planned).toEqual(
      expect.arrayContaining([
        'DBInstanceClass: db.m6g.large becomes db.r7g.large',
        'StorageType: gp3 becomes io2',
        'Iops: 3000 becomes 5000',
        'MultiAZ: false becomes true',
        'DBName: as it comes',
      ]),
    );
  });
});

describe('the restore', () => {
  const request = (target: object, changes: DBInstance = {}) =>
    restoreRequest({ id: 'm', plan: planOf(target), kmsKeyArn: 'k' }, { ...source, ...changes });

  it('does not give what RDS refuses: performance of a small gp3 volume, a zone with Multi-AZ', () => {
    expect(request({})).not.toHaveProperty('Iops');
    expect(request({})).toMatchObject({ AvailabilityZone: 'eu-central-1a' });
    expect(request({}, { AllocatedStorage: 400, Iops: 12_000 })).toMatchObject({ Iops: 12_000 });
    expect(request({ multiAz: true })).not.toHaveProperty('AvailabilityZone');
    expect(request({}, { StorageType: 'gp2' })).not.toHaveProperty('StorageThroughput');
  });

  it('never makes a volume smaller than that of the source', () => {
    expect(request({ allocatedStorage: 50 })).toMatchObject({ AllocatedStorage: 100 });
    expect(request({ allocatedStorage: 200 })).toMatchObject({ AllocatedStorage: 200 });
  });

  it('gives tags of the operator and ours', () => {
    expect(request({}).Tags).toEqual([
      { Key: 'team', Value: 'orders' },
      { Key: 'keyshift:migration', Value: 'm' },
      { Key: 'keyshift:role', Value: 'target' },
    ]);
  });
});

test('members that the table does not have are found in the answer itself, at their own depth only', () => {
  const known = Object.keys(SETTING_FIELDS)
    .map((name) => `<${name}>x</${name}>`)
    .join('');
  const xml = `<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>${known}
    <Endpoint><NewInside>1</NewInside></Endpoint><NewFlag/><NewList><member><DBInstance>a</DBInstance></member></NewList>
    </DBInstance></DBInstances><After>1</After></DescribeDBInstancesResult></DescribeDBInstancesResponse>`;
  expect([...unknownMembers(xml)]).toEqual([
    ['NewFlag', ''],
    ['NewList', '<member><DBInstance>a</DBInstance></member>'],
  ]);
});

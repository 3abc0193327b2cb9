import { GetMetricDataCommand, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import { GetRoleCommand, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam';
import {
  ApplyPendingMaintenanceActionCommand,
  CreateBlueGreenDeploymentCommand,
  CreateDBInstanceCommand,
  CreateDBProxyCommand,
  CreateDBSubnetGroupCommand,
  CreateOptionGroupCommand,
  DeleteBlueGreenDeploymentCommand,
  DeleteDBProxyCommand,
  DeleteDBSubnetGroupCommand,
  DeleteOptionGroupCommand,
  DeregisterDBProxyTargetsCommand,
  DescribeAccountAttributesCommand,
  DescribeBlueGreenDeploymentsCommand,
  DescribeDBProxiesCommand,
  DescribeDBProxyTargetGroupsCommand,
  DescribeDBProxyTargetsCommand,
  DescribeDBSubnetGroupsCommand,
  DescribeOptionGroupsCommand,
  DescribeOrderableDBInstanceOptionsCommand,
  DescribePendingMaintenanceActionsCommand,
  RegisterDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { MASTER, StandIn, until } from '../../support/stand-in';

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;
const DEFAULT_GROUP = 'sg-0a1b2c3d4e5f60718';
const DEFAULT_VPC = 'vpc-0a1b2c3d4e5f60718';

let aws: StandIn;
let arn: string;
beforeAll(async () => {
  aws = await StandIn.start();
  await aws.rds().send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: 'shop',
      Engine: 'postgres',
      EngineVersion: '16',
      DBInstanceClass: 'db.t4g.medium',
      AllocatedStorage: 20,
      ...MASTER,
    }),
  );
  arn = (await aws.untilInstance('shop')).DBInstanceArn ?? '';
});
afterAll(() => aws?.remove());

const lastHour = () => ({ StartTime: new Date(Date.now() - HOUR_MS), EndTime: new Date() });

async function metric(name: string, instance = 'shop'): Promise<number | undefined> {
  const Metric = {
    Namespace: 'AWS/RDS',
    MetricName: name,
    Dimensions: [{ Name: 'DBInstanceIdentifier', Value: instance }],
  };
  const { MetricDataResults } = await aws.cloudwatch().send(
    new GetMetricDataCommand({
      MetricDataQueries: [{ Id: 'm', MetricStat: { Metric, Period: 60, Stat: 'Minimum' } }],
      ...lastHour(),
    }),
  );
  expect(MetricDataResults).toMatchObject([{ Id: 'm', StatusCode: 'Complete' }]);
  return MetricDataResults?.[0]?.Values?.[0];
}

describe('CloudWatch', () => {
  it('knows the free storage: what is allocated less what the server takes', async () => {
    const before = await metric('FreeStorageSpace');
    expect(before).toBeGreaterThan(19 * GIB);
    expect(before).toBeLessThan(20 * GIB - 20 * 1024 ** 2);
    await aws.query('shop', `CREATE TABLE heavy AS SELECT repeat(md5(i::text), 50) FROM generate_series(1, 20000) i`);
    await until('there is less', async () => ((await metric('FreeStorageSpace')) ?? 0) < (before ?? 0) - 5e6);
  });

  it('knows no metric of what is not there', async () => {
    await expect(metric('FreeStorageSpace', 'other')).resolves.toBeUndefined();
    await expect(metric('NoSuchMetric')).resolves.toBeUndefined();
    await expect(metric('BurstBalance')).resolves.toBe(100);
    await expect(metric('CPUCreditBalance')).resolves.toBe(576);
  });

  it('answers statistics, with what a test set', async () => {
    await aws.control('PATCH', 'instances/shop', { metrics: { FreeStorageSpace: 5 * GIB, 'EBSIOBalance%': 12 } });
    try {
      await expect(metric('EBSIOBalance%')).resolves.toBe(12);
      const { Datapoints, Label } = await aws.cloudwatch().send(
        new GetMetricStatisticsCommand({
          Namespace: 'AWS/RDS',
          MetricName: 'FreeStorageSpace',
          Dimensions: [{ Name: 'DBInstanceIdentifier', Value: 'shop' }],
          Period: 300,
          Statistics: ['Minimum', 'Average'],
          ...lastHour(),
        }),
      );
      expect(Label).toBe('FreeStorageSpace');
      expect(Datapoints).toMatchObject([{ Minimum: 5 * GIB, Average: 5 * GIB, Unit: 'Bytes' }]);
      expect(Datapoints?.[0]?.Timestamp?.getTime()).toBeGreaterThan(Date.now() - HOUR_MS);
    } finally {
      await aws.control('PATCH', 'instances/shop', { metrics: {} });
    }
    await expect(metric('FreeStorageSpace')).resolves.toBeGreaterThan(19 * GIB);
  });

  it('can be refused', async () => {
    const fault = { operation: 'GetMetricData', kind: 'error', code: 'AccessDenied', status: 403, message: 'no' };
    await aws.control('POST', 'faults', fault);
    await expect(metric('FreeStorageSpace')).rejects.toMatchObject({ name: 'AccessDenied' });
  });
});

describe('EC2', () => {
  it('has a default group whose members reach each other', async () => {
    const { SecurityGroupRules } = await aws
      .ec2()
      .send(new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: 'group-id', Values: [DEFAULT_GROUP] }] }));
    expect(SecurityGroupRules).toMatchObject([
      { IsEgress: false, IpProtocol: '-1', ReferencedGroupInfo: { GroupId: DEFAULT_GROUP } },
      { IsEgress: true, CidrIpv4: '0.0.0.0/0' },
    ]);
    const { Subnets } = await aws.ec2().send(new DescribeSubnetsCommand({}));
    expect(Subnets?.map(({ CidrBlock, VpcId }) => [CidrBlock, VpcId])).toEqual([
      ['172.31.0.0/20', DEFAULT_VPC],
      ['172.31.16.0/20', DEFAULT_VPC],
    ]);
    const { Vpcs } = await aws.ec2().send(new DescribeVpcsCommand({ VpcIds: [DEFAULT_VPC] }));
    expect(Vpcs).toMatchObject([{ IsDefault: true, CidrBlock: '172.31.0.0/16' }]);
  });

  it('makes groups, and rules in them, and takes both away', async () => {
    const ec2 = aws.ec2();
    const before = await aws.control('GET', 'listing');
    const { GroupId = '' } = await ec2.send(
      new CreateSecurityGroupCommand({ GroupName: 'databases', Description: 'databases', VpcId: DEFAULT_VPC }),
    );
    const IpPermissions = [
      {
        IpProtocol: 'tcp',
        FromPort: 5432,
        ToPort: 5432,
        UserIdGroupPairs: [{ GroupId: DEFAULT_GROUP, Description: 'applications' }],
        IpRanges: [{ CidrIp: '10.0.0.0/8' }],
      },
    ];
    await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
    await expect(ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }))).rejects.toMatchObject({
      name: 'InvalidPermission.Duplicate',
    });
    const { SecurityGroups } = await ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }));
    expect(SecurityGroups).toMatchObject([
      {
        GroupName: 'databases',
        VpcId: DEFAULT_VPC,
        IpPermissions: [{ IpRanges: [{ CidrIp: '10.0.0.0/8' }] }, { UserIdGroupPairs: [{ GroupId: DEFAULT_GROUP }] }],
        IpPermissionsEgress: [{ IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
      },
    ]);
    await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
    await ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
    await expect(ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }))).rejects.toMatchObject({
      name: 'InvalidGroup.NotFound',
    });
    expect(await aws.control('GET', 'listing')).toEqual(before);
  });

  it('gives subnet groups of another VPC', async () => {
    const { Vpc } = await aws.ec2().send(new CreateVpcCommand({ CidrBlock: '10.1.0.0/16' }));
    const VpcId = Vpc?.VpcId ?? '';
    const subnets = await Promise.all(
      ['a', 'b'].map((zone, index) =>
        aws.ec2().send(
          new CreateSubnetCommand({
            VpcId,
            CidrBlock: `10.1.${index}.0/24`,
            AvailabilityZone: `eu-central-1${zone}`,
          }),
        ),
      ),
    );
    const SubnetIds = subnets.map(({ Subnet }) => Subnet?.SubnetId ?? '');
    const DBSubnetGroupName = 'elsewhere';
    await aws
      .rds()
      .send(new CreateDBSubnetGroupCommand({ DBSubnetGroupName, DBSubnetGroupDescription: 'x', SubnetIds }));
    const { DBSubnetGroups } = await aws.rds().send(new DescribeDBSubnetGroupsCommand({ DBSubnetGroupName }));
    expect(DBSubnetGroups).toMatchObject([
      { VpcId, Subnets: SubnetIds.map((SubnetIdentifier) => ({ SubnetIdentifier })) },
    ]);
    await aws.rds().send(new DeleteDBSubnetGroupCommand({ DBSubnetGroupName }));
  });
});

describe('IAM', () => {
  const simulate = async (...ActionNames: string[]) => {
    const { EvaluationResults } = await aws.iam().send(
      new SimulatePrincipalPolicyCommand({
        PolicySourceArn: 'arn:aws:iam::123456789012:user/local',
        ActionNames,
        ResourceArns: [arn],
      }),
    );
    return EvaluationResults?.map(({ EvalActionName, EvalDecision }) => [EvalActionName, EvalDecision]);
  };

  it('simulates a policy', async () => {
    await expect(simulate('rds:DeleteDBInstance')).resolves.toEqual([['rds:DeleteDBInstance', 'allowed']]);
    await aws.control('PATCH', 'iam', {
      policy: {
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: 'rds:*', Resource: arn.replace(/db:.*/, 'db:*') },
          { Effect: 'Deny', Action: ['rds:Delete*'], Resource: '*' },
        ],
      },
    });
    try {
      await expect(simulate('rds:ModifyDBInstance', 'rds:DeleteDBInstance', 'kms:Encrypt')).resolves.toEqual([
        ['rds:ModifyDBInstance', 'allowed'],
        ['rds:DeleteDBInstance', 'explicitDeny'],
        ['kms:Encrypt', 'implicitDeny'],
      ]);
      await aws.control('PATCH', 'iam', { enforce: true });
      await expect(aws.rds().send(new DescribeDBProxiesCommand({}))).resolves.toMatchObject({ DBProxies: [] });
      await expect(aws.ec2().send(new DescribeVpcsCommand({}))).rejects.toMatchObject({
        name: 'UnauthorizedOperation',
        message: expect.stringContaining('user/local is not authorized to perform: ec2:DescribeVpcs') as string,
      });
    } finally {
      await aws.control('PATCH', 'iam', { policy: null, enforce: false });
    }
  });

  it('gives a role its ARN', async () => {
    const { Role } = await aws.iam().send(new GetRoleCommand({ RoleName: 'worker' }));
    expect(Role?.Arn).toBe('arn:aws:iam::123456789012:role/worker');
  });
});

describe('neighbours of an instance in RDS', () => {
  it('are proxies with their targets', async () => {
    const rds = aws.rds();
    const DBProxyName = 'front';
    await rds.send(
      new CreateDBProxyCommand({
        DBProxyName,
        EngineFamily: 'POSTGRESQL',
        RoleArn: 'arn:aws:iam::123456789012:role/proxy',
        VpcSubnetIds: ['subnet-0a1b2c3d4e5f60700'],
        Auth: [{ SecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:x' }],
      }),
    );
    await rds.send(new RegisterDBProxyTargetsCommand({ DBProxyName, DBInstanceIdentifiers: ['shop'] }));
    const { Targets } = await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName }));
    expect(Targets).toMatchObject([{ RdsResourceId: 'shop', Type: 'RDS_INSTANCE' }]);
    const { TargetGroups } = await rds.send(new DescribeDBProxyTargetGroupsCommand({ DBProxyName }));
    expect(TargetGroups).toMatchObject([{ TargetGroupName: 'default', IsDefault: true }]);
    const { DBProxies } = await rds.send(new DescribeDBProxiesCommand({}));
    expect(DBProxies).toMatchObject([{ DBProxyName, Auth: [{ AuthScheme: 'SECRETS' }] }]);
    await rds.send(new DeregisterDBProxyTargetsCommand({ DBProxyName, DBInstanceIdentifiers: ['shop'] }));
    await rds.send(new DeleteDBProxyCommand({ DBProxyName }));
    await expect(rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName }))).rejects.toMatchObject({
      name: 'DBProxyNotFoundFault',
    });
  });

  it('are blue/green deployments', async () => {
    const rds = aws.rds();
    const { BlueGreenDeployment } = await rds.send(
      new CreateBlueGreenDeploymentCommand({ BlueGreenDeploymentName: 'up', Source: arn }),
    );
    const { BlueGreenDeployments } = await rds.send(
      new DescribeBlueGreenDeploymentsCommand({ Filters: [{ Name: 'source', Values: [arn] }] }),
    );
    expect(BlueGreenDeployments).toMatchObject([{ Source: arn, Status: 'PROVISIONING' }]);
    const BlueGreenDeploymentIdentifier = BlueGreenDeployment?.BlueGreenDeploymentIdentifier;
    await rds.send(new DeleteBlueGreenDeploymentCommand({ BlueGreenDeploymentIdentifier }));
    const after = await rds.send(new DescribeBlueGreenDeploymentsCommand({}));
    expect(after.BlueGreenDeployments).toEqual([]);
  });

  it('are maintenance actions that wait', async () => {
    const rds = aws.rds();
    const forcedApply = new Date(Date.now() + 24 * HOUR_MS).toISOString();
    await aws.control('PUT', 'instances/shop/maintenance', {
      actions: [{ action: 'system-update', description: 'New OS', forcedApply }],
    });
    const { PendingMaintenanceActions } = await rds.send(
      new DescribePendingMaintenanceActionsCommand({ ResourceIdentifier: arn }),
    );
    expect(PendingMaintenanceActions).toMatchObject([
      {
        ResourceIdentifier: arn,
        PendingMaintenanceActionDetails: [{ Action: 'system-update', ForcedApplyDate: new Date(forcedApply) }],
      },
    ]);
    await rds.send(
      new ApplyPendingMaintenanceActionCommand({
        ResourceIdentifier: arn,
        ApplyAction: 'system-update',
        OptInType: 'immediate',
      }),
    );
    const after = await rds.send(new DescribePendingMaintenanceActionsCommand({}));
    expect(after.PendingMaintenanceActions).toEqual([]);
  });

  it('are option groups, classes that can be had, and quotas', async () => {
    const rds = aws.rds();
    const OptionGroupName = 'own';
    await rds.send(
      new CreateOptionGroupCommand({
        OptionGroupName,
        EngineName: 'postgres',
        MajorEngineVersion: '16',
        OptionGroupDescription: 'x',
      }),
    );
    const { OptionGroupsList } = await rds.send(new DescribeOptionGroupsCommand({ MajorEngineVersion: '16' }));
    expect(OptionGroupsList?.map((group) => group.OptionGroupName)).toEqual(['default:postgres-16', OptionGroupName]);
    await rds.send(new DeleteOptionGroupCommand({ OptionGroupName }));
    await expect(rds.send(new DescribeOptionGroupsCommand({ OptionGroupName }))).rejects.toMatchObject({
      name: 'OptionGroupNotFoundFault',
    });
    const { OrderableDBInstanceOptions } = await rds.send(
      new DescribeOrderableDBInstanceOptionsCommand({
        Engine: 'postgres',
        EngineVersion: '16',
        DBInstanceClass: 'db.m6g.large',
      }),
    );
    expect(OrderableDBInstanceOptions?.map(({ StorageType }) => StorageType)).toEqual(['gp2', 'gp3', 'io1', 'io2']);
    const { AccountQuotas } = await rds.send(new DescribeAccountAttributesCommand({}));
    expect(AccountQuotas).toContainEqual({ AccountQuotaName: 'AllocatedStorage', Used: 20, Max: 100_000 });
  });

  it('are whatever a test wants to be shown', async () => {
    await aws.control('PATCH', 'instances/shop', { describes: { DBClusterIdentifier: 'cluster', MultiAZ: true } });
    await expect(aws.instance('shop')).resolves.toMatchObject({ DBClusterIdentifier: 'cluster', MultiAZ: true });
    await aws.control('PATCH', 'instances/shop', { describes: {} });
    expect(await aws.instance('shop')).not.toHaveProperty('DBClusterIdentifier');
  });
});

const command = findAwsCli();

/** A client that we didn't write. */
(command === undefined ? describe.skip : describe)('the aws command', () => {
  const call = async (...args: string[]) => {
    const text = await callAws(command ?? '', aws.endpoint, ...args);
    return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  };

  it('reads metrics', async () => {
    const answer = await call(
      ...['cloudwatch', 'get-metric-statistics', '--namespace', 'AWS/RDS', '--metric-name', 'FreeStorageSpace'],
      ...['--dimensions', 'Name=DBInstanceIdentifier,Value=shop', '--period', '60', '--statistics', 'Minimum'],
      ...['--start-time', lastHour().StartTime.toISOString(), '--end-time', new Date().toISOString()],
    );
    expect(answer['Datapoints']).toMatchObject([{ Minimum: expect.any(Number) as number, Unit: 'Bytes' }]);
  });

  it('lets a group in, and sees it', async () => {
    const { GroupId } = await call(
      ...['ec2', 'create-security-group', '--group-name', 'by-command', '--description', 'x'],
      ...['--vpc-id', DEFAULT_VPC],
    );
    const id = String(GroupId);
    await call(
      ...['ec2', 'authorize-security-group-ingress', '--group-id', id, '--protocol', 'tcp', '--port', '5432'],
      ...['--source-group', id],
    );
    const { SecurityGroupRules } = await call(
      ...['ec2', 'describe-security-group-rules', '--filters', `Name=group-id,Values=${id}`],
    );
    expect(SecurityGroupRules).toContainEqual(
      expect.objectContaining({
        FromPort: 5432,
        ReferencedGroupInfo: expect.objectContaining({ GroupId: id }) as object,
      }),
    );
    await call('ec2', 'delete-security-group', '--group-id', id);
  });

  it('simulates policies, and describes what stands beside an instance', async () => {
    const { EvaluationResults } = await call(
      ...['iam', 'simulate-principal-policy', '--action-names', 'rds:CreateDBSnapshot'],
      ...['--policy-source-arn', 'arn:aws:iam::123456789012:role/worker'],
    );
    expect(EvaluationResults).toMatchObject([{ EvalDecision: 'allowed' }]);
    await expect(call('rds', 'describe-db-proxies')).resolves.toEqual({ DBProxies: [] });
    await expect(call('rds', 'describe-blue-green-deployments')).resolves.toEqual({ BlueGreenDeployments: [] });
  });
});

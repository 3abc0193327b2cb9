import * as cloudwatch from '@aws-sdk/client-cloudwatch';
import * as logs from '@aws-sdk/client-cloudwatch-logs';
import * as ec2 from '@aws-sdk/client-ec2';
import * as iam from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import * as pricing from '@aws-sdk/client-pricing';
import * as rds from '@aws-sdk/client-rds';
import * as route53 from '@aws-sdk/client-route-53';
import * as s3 from '@aws-sdk/client-s3';
import * as secrets from '@aws-sdk/client-secrets-manager';
import * as ssm from '@aws-sdk/client-ssm';
import * as sts from '@aws-sdk/client-sts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mayAnswer } from '../../../../../local/aws/contract/common-codes';
import { MODEL_FOLDERS, modelOf, type ServiceName } from '../../../../../local/aws/contract/model';
import { operationNames } from '../../../../../local/aws/contract/operation-names';
import { inProcessAws } from '../../../../support/in-process-aws';

/**
 * Each operation of the stand-in that needs no PostgreSQL server is called, and the server holds every request and every answer against AWS's own
 * models (local/aws/contract). Those that need one are held in the same way by every integration test.
 */

/** They start, stop, copy or read servers: test/integration/aws calls them. */
const NEED_SERVERS = [
  'AddRoleToDBInstance',
  'ApplyPendingMaintenanceAction',
  'CopyDBSnapshot',
  'CreateBlueGreenDeployment',
  'CreateDBInstance',
  'CreateDBInstanceReadReplica',
  'CreateDBSnapshot',
  'DeleteBlueGreenDeployment',
  'DeleteDBInstance',
  'DeleteDBInstanceAutomatedBackup',
  'DeleteDBSnapshot',
  'DeregisterDBProxyTargets',
  'DescribeDBLogFiles',
  'DownloadDBLogFilePortion',
  'ModifyDBInstance',
  'RebootDBInstance',
  'RegisterDBProxyTargets',
  'RemoveRoleFromDBInstance',
  'RestoreDBInstanceFromDBSnapshot',
  'StartDBInstance',
  'StopDBInstance',
];

interface Client {
  send(command: never): Promise<unknown>;
  destroy(): void;
}

let aws: Awaited<ReturnType<typeof inProcessAws>>;
const clients = new Map<ServiceName, Client>();
const called = new Set<string>();

beforeAll(async () => {
  aws = await inProcessAws();
  const settings = {
    endpoint: aws.endpoint,
    region: 'eu-central-1',
    maxAttempts: 1,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  clients
    .set('monitoring', new cloudwatch.CloudWatchClient(settings))
    .set('logs', new logs.CloudWatchLogsClient(settings))
    .set('ec2', new ec2.EC2Client(settings))
    .set('iam', new iam.IAMClient(settings))
    .set('kms', new kms.KMSClient(settings))
    .set('pricing', new pricing.PricingClient({ ...settings, region: 'us-east-1' }))
    .set('rds', new rds.RDSClient(settings))
    .set('route53', new route53.Route53Client(settings))
    .set('s3', new s3.S3Client({ ...settings, forcePathStyle: true }))
    .set('secretsmanager', new secrets.SecretsManagerClient(settings))
    .set('ssm', new ssm.SSMClient(settings))
    .set('sts', new sts.STSClient(settings));
});
afterAll(async () => {
  for (const client of clients.values()) client.destroy();
  await aws?.close();
});

/** Calls an operation; its answer comes as the caller names it. */
async function call<Answer>(service: ServiceName, command: object): Promise<Answer> {
  called.add(`${service} ${command.constructor.name.replace(/Command$/, '')}`);
  return (await clients.get(service)?.send(command as never)) as Answer;
}

const TAG = { Key: 'a', Value: 'b' };
const ROLE = 'arn:aws:iam::123456789012:role/keyshift';

it('KMS', async () => {
  const { KeyMetadata } = await call<kms.CreateKeyCommandOutput>(
    'kms',
    new kms.CreateKeyCommand({ Description: 'x', Tags: [{ TagKey: 'a', TagValue: 'b' }] }),
  );
  const KeyId = KeyMetadata?.KeyId ?? '';
  await call('kms', new kms.CreateAliasCommand({ AliasName: 'alias/x', TargetKeyId: KeyId }));
  await call('kms', new kms.DescribeKeyCommand({ KeyId: 'alias/aws/rds' }));
  const { CiphertextBlob } = await call<kms.EncryptCommandOutput>(
    'kms',
    new kms.EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }),
  );
  await call('kms', new kms.DecryptCommand({ CiphertextBlob }));
  await call('kms', new kms.GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
  const { Policy } = await call<kms.GetKeyPolicyCommandOutput>('kms', new kms.GetKeyPolicyCommand({ KeyId }));
  await call('kms', new kms.PutKeyPolicyCommand({ KeyId, Policy }));
  await call('kms', new kms.ListAliasesCommand({}));
  await call('kms', new kms.ListKeysCommand({}));
  await call('kms', new kms.TagResourceCommand({ KeyId, Tags: [{ TagKey: 'c', TagValue: 'd' }] }));
  await call('kms', new kms.ListResourceTagsCommand({ KeyId }));
  await call('kms', new kms.UntagResourceCommand({ KeyId, TagKeys: ['c'] }));
  await call('kms', new kms.DeleteAliasCommand({ AliasName: 'alias/x' }));
  await call('kms', new kms.DisableKeyCommand({ KeyId }));
  await call('kms', new kms.EnableKeyCommand({ KeyId }));
  await call('kms', new kms.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  await call('kms', new kms.CancelKeyDeletionCommand({ KeyId }));
});

it('Secrets Manager', async () => {
  const SecretId = 'app/x';
  await call('secretsmanager', new secrets.CreateSecretCommand({ Name: SecretId, SecretString: 'x', Tags: [TAG] }));
  await call('secretsmanager', new secrets.PutSecretValueCommand({ SecretId, SecretString: 'y' }));
  await call('secretsmanager', new secrets.GetSecretValueCommand({ SecretId }));
  await call('secretsmanager', new secrets.UpdateSecretCommand({ SecretId, Description: 'z' }));
  await call('secretsmanager', new secrets.TagResourceCommand({ SecretId, Tags: [TAG] }));
  await call('secretsmanager', new secrets.UntagResourceCommand({ SecretId, TagKeys: ['a'] }));
  await call('secretsmanager', new secrets.DescribeSecretCommand({ SecretId }));
  await call('secretsmanager', new secrets.ListSecretsCommand({}));
  await call('secretsmanager', new secrets.DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }));
  await call('secretsmanager', new secrets.RestoreSecretCommand({ SecretId }));
});

it('SSM', async () => {
  const Name = '/app/x';
  const resource = { ResourceType: 'Parameter', ResourceId: Name } as const;
  await call('ssm', new ssm.PutParameterCommand({ Name, Type: 'SecureString', Value: 'x', Tags: [TAG] }));
  await call('ssm', new ssm.PutParameterCommand({ Name, Value: 'y', Overwrite: true }));
  await call('ssm', new ssm.GetParameterCommand({ Name, WithDecryption: true }));
  await call('ssm', new ssm.GetParametersCommand({ Names: [Name, '/none'] }));
  await call('ssm', new ssm.GetParametersByPathCommand({ Path: '/app', Recursive: true }));
  await call('ssm', new ssm.GetParameterHistoryCommand({ Name }));
  await call('ssm', new ssm.DescribeParametersCommand({}));
  await call('ssm', new ssm.AddTagsToResourceCommand({ ...resource, Tags: [TAG] }));
  await call('ssm', new ssm.ListTagsForResourceCommand(resource));
  await call('ssm', new ssm.RemoveTagsFromResourceCommand({ ...resource, TagKeys: ['a'] }));
  await call('ssm', new ssm.DeleteParameterCommand({ Name }));
  await call('ssm', new ssm.DeleteParametersCommand({ Names: [Name] }));
});

it('CloudWatch', async () => {
  const range = { StartTime: new Date(Date.now() - 600_000), EndTime: new Date() };
  const Metric = { Namespace: 'AWS/RDS', MetricName: 'CPUUtilization' };
  const MetricStat = { Metric, Period: 60, Stat: 'Average' };
  await call(
    'monitoring',
    new cloudwatch.GetMetricDataCommand({ ...range, MetricDataQueries: [{ Id: 'm', MetricStat }] }),
  );
  await call('monitoring', new cloudwatch.GetMetricStatisticsCommand({ ...range, ...Metric, Period: 60 }));
});

it('CloudWatch Logs', async () => {
  const logGroupName = '/aws/rds/instance/x/postgresql';
  const resourceArn = `arn:aws:logs:eu-central-1:123456789012:log-group:${logGroupName}`;
  await call('logs', new logs.CreateLogGroupCommand({ logGroupName }));
  await call('logs', new logs.PutRetentionPolicyCommand({ logGroupName, retentionInDays: 7 }));
  await call('logs', new logs.TagResourceCommand({ resourceArn, tags: { a: 'b' } }));
  await call('logs', new logs.ListTagsForResourceCommand({ resourceArn }));
  await call('logs', new logs.DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws' }));
  const identifier = { logGroupIdentifier: logGroupName, deletionProtectionEnabled: false };
  await call('logs', new logs.PutLogGroupDeletionProtectionCommand(identifier));
  await call('logs', new logs.DeleteLogGroupCommand({ logGroupName }));
});

it('Pricing and STS', async () => {
  await call(
    'pricing',
    new pricing.GetProductsCommand({
      ServiceCode: 'AmazonRDS',
      Filters: [{ Type: 'TERM_MATCH', Field: 'regionCode', Value: 'eu-central-1' }],
    }),
  );
  await call('sts', new sts.GetCallerIdentityCommand({}));
});

it('IAM', async () => {
  const PolicyDocument = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] });
  await call('iam', new iam.PutUserPolicyCommand({ UserName: 'local', PolicyName: 'all', PolicyDocument }));
  await call('iam', new iam.PutRolePolicyCommand({ RoleName: 'keyshift', PolicyName: 'all', PolicyDocument }));
  await call('iam', new iam.GetRoleCommand({ RoleName: 'keyshift' }));
  await call('iam', new iam.GetUserCommand({}));
  await call(
    'iam',
    new iam.SimulatePrincipalPolicyCommand({ PolicySourceArn: ROLE, ActionNames: ['rds:CreateDBSnapshot'] }),
  );
});

it('EC2', async () => {
  const { Vpc } = await call<ec2.CreateVpcCommandOutput>('ec2', new ec2.CreateVpcCommand({ CidrBlock: '10.1.0.0/16' }));
  const VpcId = Vpc?.VpcId ?? '';
  await call('ec2', new ec2.CreateSubnetCommand({ VpcId, CidrBlock: '10.1.1.0/24' }));
  await call('ec2', new ec2.DescribeVpcsCommand({}));
  await call('ec2', new ec2.DescribeSubnetsCommand({}));
  const made = new ec2.CreateSecurityGroupCommand({ GroupName: 'x', Description: 'x', VpcId });
  const { GroupId } = await call<ec2.CreateSecurityGroupCommandOutput>('ec2', made);
  const IpPermissions = [{ IpProtocol: 'tcp', FromPort: 5432, ToPort: 5432, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }];
  await call('ec2', new ec2.AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
  await call('ec2', new ec2.AuthorizeSecurityGroupEgressCommand({ GroupId, IpPermissions }));
  await call('ec2', new ec2.DescribeSecurityGroupsCommand({}));
  await call('ec2', new ec2.DescribeSecurityGroupRulesCommand({}));
  await call('ec2', new ec2.RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
  await call('ec2', new ec2.RevokeSecurityGroupEgressCommand({ GroupId, IpPermissions }));
  await call('ec2', new ec2.DeleteSecurityGroupCommand({ GroupId }));
});

it('Route 53', async () => {
  const made = await call<route53.CreateHostedZoneCommandOutput>(
    'route53',
    new route53.CreateHostedZoneCommand({ Name: 'example.com', CallerReference: 'x' }),
  );
  const HostedZoneId = made.HostedZone?.Id?.split('/').at(-1) ?? '';
  const set = { Name: 'db.example.com', Type: 'CNAME', TTL: 5, ResourceRecords: [{ Value: 'x.example.com' }] } as const;
  const change = (Action: 'UPSERT' | 'DELETE') =>
    new route53.ChangeResourceRecordSetsCommand({
      HostedZoneId,
      ChangeBatch: { Changes: [{ Action, ResourceRecordSet: { ...set, ResourceRecords: [...set.ResourceRecords] } }] },
    });
  const { ChangeInfo } = await call<route53.ChangeResourceRecordSetsCommandOutput>('route53', change('UPSERT'));
  await call('route53', new route53.GetChangeCommand({ Id: ChangeInfo?.Id }));
  await call('route53', new route53.ListResourceRecordSetsCommand({ HostedZoneId, StartRecordName: set.Name }));
  await call('route53', new route53.GetHostedZoneCommand({ Id: HostedZoneId }));
  await call('route53', new route53.ListHostedZonesCommand({}));
  await call('route53', new route53.ListHostedZonesByNameCommand({ DNSName: 'example.com' }));
  await call('route53', change('DELETE'));
  await call('route53', new route53.DeleteHostedZoneCommand({ Id: HostedZoneId }));
});

it('S3', async () => {
  const [Bucket, Key] = ['reports', 'a/b.json'];
  const LocationConstraint = 'eu-central-1';
  await call('s3', new s3.CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint } }));
  await call('s3', new s3.HeadBucketCommand({ Bucket }));
  await call('s3', new s3.GetBucketLocationCommand({ Bucket }));
  await call('s3', new s3.PutObjectCommand({ Bucket, Key, Body: '{}', ContentType: 'application/json' }));
  await call('s3', new s3.GetObjectCommand({ Bucket, Key }));
  await call('s3', new s3.HeadObjectCommand({ Bucket, Key }));
  await call('s3', new s3.ListObjectsV2Command({ Bucket, Prefix: 'a/' }));
  await call('s3', new s3.ListBucketsCommand({}));
  await call('s3', new s3.DeleteObjectCommand({ Bucket, Key }));
  await call('s3', new s3.DeleteBucketCommand({ Bucket }));
});

it('RDS without a server', async () => {
  const DBParameterGroupName = 'mine';
  const Parameters = [{ ParameterName: 'work_mem', ParameterValue: '8192', ApplyMethod: 'immediate' as const }];
  const named = { DBParameterGroupName };
  const made = await call<rds.CreateDBParameterGroupCommandOutput>(
    'rds',
    new rds.CreateDBParameterGroupCommand({
      ...named,
      DBParameterGroupFamily: 'postgres16',
      Description: 'x',
      Tags: [TAG],
    }),
  );
  const ResourceName = made.DBParameterGroup?.DBParameterGroupArn ?? '';
  await call('rds', new rds.AddTagsToResourceCommand({ ResourceName, Tags: [TAG] }));
  await call('rds', new rds.ListTagsForResourceCommand({ ResourceName }));
  await call('rds', new rds.RemoveTagsFromResourceCommand({ ResourceName, TagKeys: ['a'] }));
  await call('rds', new rds.ModifyDBParameterGroupCommand({ ...named, Parameters }));
  await call('rds', new rds.DescribeDBParameterGroupsCommand({}));
  await call('rds', new rds.DescribeDBParametersCommand({ ...named, MaxRecords: 100 }));
  await call('rds', new rds.ResetDBParameterGroupCommand({ ...named, ResetAllParameters: true }));
  await call('rds', new rds.DeleteDBParameterGroupCommand(named));

  const option = { OptionGroupName: 'options' };
  await call(
    'rds',
    new rds.CreateOptionGroupCommand({
      ...option,
      EngineName: 'postgres',
      MajorEngineVersion: '16',
      OptionGroupDescription: 'x',
    }),
  );
  await call('rds', new rds.DescribeOptionGroupsCommand({}));
  await call('rds', new rds.DeleteOptionGroupCommand(option));

  const { Subnets = [] } = await call<ec2.DescribeSubnetsCommandOutput>('ec2', new ec2.DescribeSubnetsCommand({}));
  const zones = new Map(Subnets.map(({ AvailabilityZone, SubnetId }) => [AvailabilityZone, SubnetId ?? '']));
  const subnets = { DBSubnetGroupName: 'subnets' };
  const SubnetIds = Subnets.filter(({ VpcId }) => VpcId === Subnets[0]?.VpcId).map(({ SubnetId }) => SubnetId ?? '');
  expect(zones.size).toBeGreaterThan(1);
  await call('rds', new rds.CreateDBSubnetGroupCommand({ ...subnets, DBSubnetGroupDescription: 'x', SubnetIds }));
  await call('rds', new rds.DescribeDBSubnetGroupsCommand({}));
  await call('rds', new rds.DeleteDBSubnetGroupCommand(subnets));

  const proxy = { DBProxyName: 'front' };
  await call(
    'rds',
    new rds.CreateDBProxyCommand({
      ...proxy,
      EngineFamily: 'POSTGRESQL',
      RoleArn: ROLE,
      VpcSubnetIds: SubnetIds,
      Auth: [{ SecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:x' }],
    }),
  );
  await call('rds', new rds.DescribeDBProxiesCommand({}));
  await call('rds', new rds.DescribeDBProxyTargetGroupsCommand(proxy));
  await call('rds', new rds.DescribeDBProxyTargetsCommand(proxy));
  const ConnectionPoolConfig = { MaxConnectionsPercent: 50 };
  await call(
    'rds',
    new rds.ModifyDBProxyTargetGroupCommand({ ...proxy, TargetGroupName: 'default', ConnectionPoolConfig }),
  );
  await call('rds', new rds.DeleteDBProxyCommand(proxy));

  await call('rds', new rds.DescribeAccountAttributesCommand({}));
  await call('rds', new rds.DescribeBlueGreenDeploymentsCommand({}));
  await call('rds', new rds.DescribeDBEngineVersionsCommand({ Engine: 'postgres' }));
  await call('rds', new rds.DescribeDBInstanceAutomatedBackupsCommand({}));
  await call('rds', new rds.DescribeDBInstancesCommand({}));
  await call('rds', new rds.DescribeDBSnapshotsCommand({}));
  await call('rds', new rds.DescribeEventsCommand({ Duration: 60 }));
  await call('rds', new rds.DescribeOrderableDBInstanceOptionsCommand({ Engine: 'postgres', MaxRecords: 20 }));
  await call('rds', new rds.DescribePendingMaintenanceActionsCommand({}));
});

it('each operation of the stand-in is in its model, and was called', () => {
  const names = operationNames();
  const services = Object.keys(MODEL_FOLDERS) as ServiceName[];
  const all = services.flatMap((service) => names[service].map((operation) => ({ service, operation })));
  const unknown = all.filter(({ service, operation }) => !(operation in modelOf(service).operations));
  // Make the models anew, as local/aws/contract/models/README.md says.
  expect(unknown).toEqual([]);
  const missing = all.filter(({ service, operation }) => !called.has(`${service} ${operation}`));
  expect(missing.map(({ operation }) => operation).sort()).toEqual(NEED_SERVERS);
});

/** Folders of the stand-in whose name isn't that of their service. */
const FOLDERS: Partial<Record<ServiceName, string>> = { secretsmanager: 'secrets', monitoring: 'cloudwatch' };

it('each code that the stand-in answers is one of its service', () => {
  const strange = (Object.keys(MODEL_FOLDERS) as ServiceName[]).flatMap((service) => {
    const model = modelOf(service);
    const errors = Object.values(model.operations).flatMap((operation) => operation.errors ?? []);
    const any = { http: { method: 'POST', requestUri: '/' }, errors };
    const folder = join(__dirname, '..', '..', '..', '..', '..', 'local', 'aws', FOLDERS[service] ?? service);
    const text = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
    const codes = [...text.join('').matchAll(/new AwsError\(\s*'([^']+)'/g)].map(([, code = '']) => code);
    expect(codes.length > 0 || service === 'sts').toBe(true);
    return codes.filter((code) => !mayAnswer(service, model, any, code)).map((code) => `${service} ${code}`);
  });
  expect(strange).toEqual([]);
});

describe('what AWS would refuse, the stand-in refuses', () => {
  it.each<[string, ServiceName, object, string, RegExp]>([
    [
      'a hosted zone id that is too long',
      'route53',
      new route53.ListResourceRecordSetsCommand({ HostedZoneId: `Z${'0'.repeat(32)}` }),
      'InvalidInput',
      /HostedZoneId.*33 characters, at most 32/,
    ],
    [
      'a value that is none of those',
      'ssm',
      new ssm.PutParameterCommand({ Name: 'x', Value: 'x', Type: 'Secret' as 'String' }),
      'ValidationException',
      /Type.*'Secret' is none of/,
    ],
    [
      'a pattern that does not match',
      'logs',
      new logs.CreateLogGroupCommand({ logGroupName: 'a b' }),
      'ValidationException',
      /logGroupName.*does not match/,
    ],
    [
      'what is missing',
      'rds',
      new rds.AddTagsToResourceCommand({ ResourceName: undefined, Tags: [TAG] }),
      'MissingParameter',
      /ResourceName.*is required/,
    ],
    [
      'a list that is too long',
      'ec2',
      new ec2.DescribeSecurityGroupsCommand({ MaxResults: 1001 }),
      'InvalidParameterValue',
      /MaxResults.*1001/,
    ],
  ])('%s', async (_, service, command, name, message) => {
    await expect(call(service, command)).rejects.toMatchObject({
      name,
      message: expect.stringMatching(message) as string,
    });
  });
});

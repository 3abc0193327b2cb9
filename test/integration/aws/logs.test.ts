import {
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
  ListTagsForResourceCommand,
  PutLogGroupDeletionProtectionCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { CreateDBInstanceCommand, DeleteDBInstanceCommand, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { MASTER, StandIn, until } from '../../support/stand-in';

const PREFIX = '/aws/rds/instance/shop/';

let aws: StandIn;
beforeAll(async () => {
  aws = await StandIn.start();
  await aws.rds().send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: 'shop',
      Engine: 'postgres',
      EngineVersion: '16',
      DBInstanceClass: 'db.t4g.medium',
      AllocatedStorage: 20,
      EnableCloudwatchLogsExports: ['postgresql'],
      ...MASTER,
    }),
  );
  await aws.untilInstance('shop');
});
afterAll(() => aws?.remove());

/** RDS takes the call once it is through with the one before. */
const atRest = (send: () => Promise<unknown>) =>
  until('RDS takes the call', () =>
    send().then(
      () => true,
      (error: Error) => {
        if (error.name !== 'InvalidDBInstanceStateFault') throw error;
        return false;
      },
    ),
  );

const groups = async (prefix = PREFIX) =>
  (await aws.logs().send(new DescribeLogGroupsCommand({ logGroupNamePrefix: prefix }))).logGroups ?? [];
const names = async (prefix = PREFIX) => (await groups(prefix)).map(({ logGroupName }) => logGroupName);

describe('log groups of instances', () => {
  it('come with what is exported, without retention and without a key', async () => {
    await until('the group is there', async () => (await names()).length === 1);
    const [group] = await groups();
    expect(group).toMatchObject({
      logGroupName: `${PREFIX}postgresql`,
      arn: `arn:aws:logs:eu-central-1:123456789012:log-group:${PREFIX}postgresql:*`,
      logGroupArn: `arn:aws:logs:eu-central-1:123456789012:log-group:${PREFIX}postgresql`,
      deletionProtectionEnabled: false,
    });
    expect(group?.retentionInDays).toBeUndefined();
    expect(group?.kmsKeyId).toBeUndefined();
    expect(group?.creationTime).toBeGreaterThan(Date.now() - 3_600_000);
    await expect(
      aws.logs().send(new ListTagsForResourceCommand({ resourceArn: group?.logGroupArn })),
    ).resolves.toMatchObject({ tags: {} });
  });

  it('come when an export is switched on, and anew while it is on', async () => {
    await aws.rds().send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: 'shop',
        CloudwatchLogsExportConfiguration: { EnableLogTypes: ['upgrade'] },
      }),
    );
    await until('the second group is there', async () => (await names()).length === 2);
    await aws.logs().send(new DeleteLogGroupCommand({ logGroupName: `${PREFIX}upgrade` }));
    await expect(names()).resolves.toEqual([`${PREFIX}postgresql`, `${PREFIX}upgrade`]);
    await atRest(() =>
      aws.rds().send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier: 'shop',
          CloudwatchLogsExportConfiguration: { DisableLogTypes: ['upgrade'] },
        }),
      ),
    );
    await aws.logs().send(new DeleteLogGroupCommand({ logGroupName: `${PREFIX}upgrade` }));
    await expect(names()).resolves.toEqual([`${PREFIX}postgresql`]);
  });

  it('stay when the instance goes, and can then be deleted', async () => {
    const remove = new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'shop', SkipFinalSnapshot: true });
    await atRest(() => aws.rds().send(remove));
    await until('the instance is gone', () =>
      aws.instance('shop').then(
        () => false,
        () => true,
      ),
    );
    await expect(names()).resolves.toEqual([`${PREFIX}postgresql`]);
    const logGroupName = `${PREFIX}postgresql`;
    await aws.logs().send(new DeleteLogGroupCommand({ logGroupName }));
    await expect(names()).resolves.toEqual([]);
    await expect(aws.logs().send(new DeleteLogGroupCommand({ logGroupName }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });
});

describe('log groups of others', () => {
  it('come in pages, sorted by name', async () => {
    for (const at of [2, 0, 1]) await aws.logs().send(new CreateLogGroupCommand({ logGroupName: `app-${at}` }));
    const first = await aws.logs().send(new DescribeLogGroupsCommand({ logGroupNamePrefix: 'app-', limit: 2 }));
    expect(first.logGroups?.map(({ logGroupName }) => logGroupName)).toEqual(['app-0', 'app-1']);
    const { nextToken } = first;
    const second = await aws.logs().send(new DescribeLogGroupsCommand({ logGroupNamePrefix: 'app-', nextToken }));
    expect(second.logGroups?.map(({ logGroupName }) => logGroupName)).toEqual(['app-2']);
    await expect(aws.logs().send(new CreateLogGroupCommand({ logGroupName: 'app-0' }))).rejects.toMatchObject({
      name: 'ResourceAlreadyExistsException',
    });
  });

  it('can be protected against deletion', async () => {
    const protect = (deletionProtectionEnabled: boolean) =>
      aws
        .logs()
        .send(new PutLogGroupDeletionProtectionCommand({ logGroupIdentifier: 'app-0', deletionProtectionEnabled }));
    const remove = () => aws.logs().send(new DeleteLogGroupCommand({ logGroupName: 'app-0' }));
    await protect(true);
    await expect(remove()).rejects.toMatchObject({ name: 'ValidationException' });
    await protect(false);
    await remove();
    await expect(names('app-0')).resolves.toEqual([]);
  });

  it('have a retention that CloudWatch knows', async () => {
    const keep = (retentionInDays: number) =>
      aws.logs().send(new PutRetentionPolicyCommand({ logGroupName: 'app-1', retentionInDays }));
    await keep(30);
    await expect(groups('app-1')).resolves.toMatchObject([{ retentionInDays: 30 }]);
    await expect(keep(31)).rejects.toMatchObject({ name: 'InvalidParameterException' });
  });
});

const command = findAwsCli();
(command === undefined ? describe.skip : describe)('the aws command', () => {
  const logs = async (...args: string[]): Promise<unknown> => {
    const text = await callAws(command ?? '', aws.endpoint, 'logs', ...args);
    return text === '' ? undefined : JSON.parse(text);
  };

  it('sees, tags and deletes a log group', async () => {
    await logs('create-log-group', '--log-group-name', 'by-command', '--tags', 'team=shop');
    const described = (await logs('describe-log-groups', '--log-group-name-prefix', 'by-')) as {
      logGroups: { arn: string }[];
    };
    expect(described.logGroups).toMatchObject([{ logGroupName: 'by-command', storedBytes: 0 }]);
    const arn = described.logGroups[0]?.arn.replace(/:\*$/, '') ?? '';
    await logs('tag-resource', '--resource-arn', arn, '--tags', 'keep=yes');
    await expect(logs('list-tags-for-resource', '--resource-arn', arn)).resolves.toEqual({
      tags: { team: 'shop', keep: 'yes' },
    });
    await logs('delete-log-group', '--log-group-name', 'by-command');
    await expect(logs('delete-log-group', '--log-group-name', 'by-command')).rejects.toThrow(
      'An error occurred (ResourceNotFoundException) when calling the DeleteLogGroup operation: The specified log group does not exist.',
    );
  });
});

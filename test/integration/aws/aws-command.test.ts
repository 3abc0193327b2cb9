import { callAws, findAwsCli } from '../../support/aws-cli';
import { MASTER, StandIn } from '../../support/stand-in';

const command = findAwsCli();

/** A client that we didn't write: PyPI's `awscli`. */
(command === undefined ? describe.skip : describe)('the aws command', () => {
  let aws: StandIn;
  beforeAll(async () => {
    aws = await StandIn.start();
  });
  afterAll(() => aws.remove());

  const rds = async (...args: string[]) => {
    const text = await callAws(command ?? '', aws.endpoint, 'rds', ...args);
    return text === '' ? undefined : (JSON.parse(text) as Record<string, Record<string, unknown>>);
  };

  it('takes an unencrypted instance to an encrypted one', async () => {
    await rds(
      'create-db-instance',
      ...['--db-instance-identifier', 'shop', '--engine', 'postgres', '--db-instance-class', 'db.m6g.large'],
      ...['--allocated-storage', '20', '--master-username', MASTER.MasterUsername],
      ...['--master-user-password', MASTER.MasterUserPassword, '--tags', 'Key=team,Value=a'],
    );
    await aws.untilInstance('shop');
    const described = await rds('describe-db-instances', '--db-instance-identifier', 'shop');
    expect(described?.['DBInstances']).toMatchObject([
      { DBInstanceStatus: 'available', TagList: [{ Key: 'team', Value: 'a' }] },
    ]);

    await rds('create-db-snapshot', '--db-instance-identifier', 'shop', '--db-snapshot-identifier', 'plain');
    await aws.untilSnapshot('plain');
    const key = JSON.parse(await callAws(command ?? '', aws.endpoint, 'kms', 'create-key')) as {
      KeyMetadata: { Arn: string };
    };
    await rds(
      'copy-db-snapshot',
      ...['--source-db-snapshot-identifier', 'plain', '--target-db-snapshot-identifier', 'safe'],
      ...['--kms-key-id', key.KeyMetadata.Arn],
    );
    // The command asks at once and then every 30 seconds: let the first answer be the one it waits for.
    await aws.untilSnapshot('safe');
    await rds('wait', 'db-snapshot-available', '--db-snapshot-identifier', 'safe');
    const restored = await rds(
      'restore-db-instance-from-db-snapshot',
      ...['--db-instance-identifier', 'shop-safe', '--db-snapshot-identifier', 'safe'],
    );
    expect(restored?.['DBInstance']).toMatchObject({ DBInstanceStatus: 'creating', StorageEncrypted: true });
    await aws.untilInstance('shop-safe');

    const files = await rds(
      'describe-db-log-files',
      '--db-instance-identifier',
      'shop-safe',
      '--filename-contains',
      'postgresql',
    );
    const [file] = files?.['DescribeDBLogFiles'] as unknown as { LogFileName: string }[];
    const log = await callAws(
      command ?? '',
      aws.endpoint,
      ...['rds', 'download-db-log-file-portion', '--db-instance-identifier', 'shop-safe', '--output', 'text'],
      ...['--log-file-name', file?.LogFileName ?? '', '--starting-token', '0'],
    );
    expect(log).toMatch(/automatic recovery in progress[^]*redo done at|redo is not required/);
  });

  it('shows an error as it shows those of AWS', async () => {
    await expect(rds('describe-db-instances', '--db-instance-identifier', 'none')).rejects.toThrow(
      'An error occurred (DBInstanceNotFound) when calling the DescribeDBInstances operation: DBInstance none not found.',
    );
  });
});

import { CreateKeyCommand, DecryptCommand, EncryptCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import {
  CreateDBInstanceCommand,
  CreateDBSnapshotCommand,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
} from '@aws-sdk/client-rds';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
} from '@aws-sdk/client-secrets-manager';
import { DeleteParameterCommand, GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { readPids } from '../../../local/aws/pid-ledger';
import { isRunning } from '../../../local/postgres/processes';
import { MASTER, StandIn, until } from '../../support/stand-in';

describe('the stand-in under faults and restarts', () => {
  let aws: StandIn;
  beforeAll(async () => {
    aws = await StandIn.start();
    await aws.rds().send(
      new CreateDBInstanceCommand({
        ...MASTER,
        DBInstanceIdentifier: 'shop',
        Engine: 'postgres',
        EngineVersion: '18',
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 20,
      }),
    );
    await aws.untilInstance('shop');
  });
  afterAll(() => aws.remove());

  const snapshotOf = (DBSnapshotIdentifier: string) =>
    new CreateDBSnapshotCommand({ DBSnapshotIdentifier, DBInstanceIdentifier: 'shop' });

  it('throttles, fails and recovers as often as ordered', async () => {
    await aws.control('POST', 'faults', { operation: 'DescribeDBInstances', kind: 'throttle', times: 1 });
    await expect(aws.rds().send(new DescribeDBInstancesCommand({}))).rejects.toMatchObject({ name: 'Throttling' });
    await expect(aws.rds().send(new DescribeDBInstancesCommand({}))).resolves.toBeDefined();
    const fault = { operation: 'GetParameter', kind: 'error', code: 'InternalServerError', status: 500, times: 2 };
    await aws.control('POST', 'faults', fault);
    for (let call = 0; call < 2; call += 1) {
      await expect(aws.ssm().send(new GetParameterCommand({ Name: 'x' }))).rejects.toMatchObject({
        name: 'InternalServerError',
        $metadata: { httpStatusCode: 500 },
      });
    }
    await expect(aws.ssm().send(new GetParameterCommand({ Name: 'x' }))).rejects.toMatchObject({
      name: 'ParameterNotFound',
    });
    expect(await aws.control('GET', 'faults')).toHaveLength(2);
    await aws.control('DELETE', 'faults');
  });

  it('cuts the connection after the effect', async () => {
    await aws.control('POST', 'faults', { operation: 'CreateDBSnapshot', kind: 'drop-after' });
    await expect(aws.rds().send(snapshotOf('unheard'))).rejects.toThrow(/socket hang up|ECONNRESET/);
    await aws.untilSnapshot('unheard');
    await aws.untilInstance('shop');
  });

  it('stalls in a state until told otherwise', async () => {
    await aws.control('POST', 'faults', { operation: 'CreateDBSnapshot', kind: 'stall', state: 'creating' });
    await aws.rds().send(snapshotOf('stalled'));
    await until('the image is taken', async () => (await aws.snapshot('stalled')).PercentProgress === 75);
    expect((await aws.instance('shop')).DBInstanceStatus).toBe('backing-up');
    await aws.control('DELETE', 'faults');
    await aws.untilSnapshot('stalled');
    await aws.untilInstance('shop');
  });

  it('answers a request without signature, and an action that it does not know, as AWS does', async () => {
    const unsigned = await fetch(aws.endpoint, { method: 'POST', body: 'Action=DescribeDBInstances' });
    expect(unsigned.status).toBe(403);
    expect(await unsigned.text()).toContain('<Code>MissingAuthenticationToken</Code>');
    const authorization = 'AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/rds/aws4_request, Signature=0';
    const unknown = await fetch(aws.endpoint, { method: 'POST', body: 'Action=Dance', headers: { authorization } });
    expect(unknown.status).toBe(400);
    expect(await unknown.text()).toContain('<Code>InvalidAction</Code>');
  });

  it('serves STS and KMS', async () => {
    const { Account } = await new STSClient(aws.settings()).send(new GetCallerIdentityCommand({}));
    expect(Account).toBe('123456789012');
    const kms = aws.kms();
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    const KeyId = KeyMetadata?.KeyId;
    const text = Buffer.from('hello');
    const EncryptionContext = { purpose: 'test' };
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: text, EncryptionContext }));
    const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
    expect(Buffer.from(Plaintext ?? []).toString()).toBe('hello');
    await expect(kms.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: 'InvalidCiphertextException',
    });
    await kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    await expect(kms.send(new EncryptCommand({ KeyId, Plaintext: text }))).rejects.toMatchObject({
      name: 'KMSInvalidStateException',
    });
  });

  it('versions secrets and parameters', async () => {
    const secrets = aws.secrets();
    const token = '0123456789abcdef0123456789abcdef';
    const create = new CreateSecretCommand({ Name: 'app/db', SecretString: 'one', ClientRequestToken: token });
    const { VersionId } = await secrets.send(create);
    expect((await secrets.send(create)).VersionId).toBe(VersionId);
    await expect(secrets.send(new CreateSecretCommand({ Name: 'app/db', SecretString: 'two' }))).rejects.toMatchObject({
      name: 'ResourceExistsException',
    });
    await secrets.send(new PutSecretValueCommand({ SecretId: 'app/db', SecretString: 'two' }));
    const read = async (VersionStage: string) =>
      (await secrets.send(new GetSecretValueCommand({ SecretId: 'app/db', VersionStage }))).SecretString;
    expect([await read('AWSCURRENT'), await read('AWSPREVIOUS')]).toEqual(['two', 'one']);
    await secrets.send(new DeleteSecretCommand({ SecretId: 'app/db', RecoveryWindowInDays: 7 }));
    await expect(read('AWSCURRENT')).rejects.toMatchObject({ name: 'InvalidRequestException' });
    expect((await secrets.send(new DescribeSecretCommand({ SecretId: 'app/db' }))).DeletedDate).toBeInstanceOf(Date);
    await secrets.send(new DeleteSecretCommand({ SecretId: 'app/db', ForceDeleteWithoutRecovery: true }));
    await expect(read('AWSCURRENT')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });

    const ssm = aws.ssm();
    const put = (Value: string, Overwrite: boolean) =>
      ssm.send(new PutParameterCommand({ Name: '/app/host', Value, Type: 'String', Overwrite }));
    expect((await put('a', false)).Version).toBe(1);
    await expect(put('b', false)).rejects.toMatchObject({ name: 'ParameterAlreadyExists' });
    expect((await put('b', true)).Version).toBe(2);
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name: '/app/host:1' }));
    expect(Parameter?.Value).toBe('a');
    await ssm.send(new DeleteParameterCommand({ Name: '/app/host' }));
  });

  describe.each(['SIGTERM', 'SIGKILL'] as const)('after %s', (signal) => {
    it('goes on where it was', async () => {
      await aws.secrets().send(new CreateSecretCommand({ Name: `kept-${signal}`, SecretString: 'x' }));
      await aws.query('shop', `CREATE TABLE ${signal} AS SELECT 1 AS one`);
      const before = await aws.instance('shop');
      const listing = await aws.control('GET', 'listing');
      const servers = readPids(aws.stateDir);
      await aws.rds().send(snapshotOf(`under-way-${signal.toLowerCase()}`));
      const code = await aws.stopProcess(signal);
      expect(servers).toHaveLength(1);
      expect(servers.every(({ pid, startTime }) => isRunning(pid, startTime))).toBe(signal === 'SIGKILL');
      if (signal === 'SIGTERM') expect(code).toBe(0);
      await aws.startProcess();
      // What was under way is done, and nothing else has changed.
      const id = `under-way-${signal.toLowerCase()}`;
      await aws.untilSnapshot(id);
      await aws.untilInstance('shop');
      expect(await aws.instance('shop')).toEqual(before);
      expect(await aws.query('shop', `SELECT one FROM ${signal}`)).toEqual([{ one: 1 }]);
      const { DBSnapshots } = await aws.rds().send(new DescribeDBSnapshotsCommand({ DBInstanceIdentifier: 'shop' }));
      expect(DBSnapshots?.map((snapshot) => snapshot.DBSnapshotIdentifier)).toContain(id);
      expect(JSON.stringify(await aws.control('GET', 'listing'))).toContain(`kept-${signal}`);
      expect(JSON.stringify(listing)).toContain(`kept-${signal}`);
      expect(readPids(aws.stateDir)).toHaveLength(1);
    });
  });
});

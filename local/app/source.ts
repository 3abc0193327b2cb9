import { CreateAliasCommand, CreateKeyCommand } from '@aws-sdk/client-kms';
import {
  CreateDBInstanceCommand,
  type CreateDBInstanceCommandInput,
  type DBInstance,
  DescribeDBInstancesCommand,
} from '@aws-sdk/client-rds';
import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Report } from '../tools/report';
import { waitFor } from '../world/wait-for';
import type { Aws } from './aws';
import { createDatabases, type Login, type ServerAddress } from './databases';
import { SAMPLE } from './names';
import { APP_ROLE } from './schema';

const CREATE_MS = 120_000;

export interface SampleOptions {
  readonly rows: number;
  readonly engineVersion?: string;
  /** What the instance is created with besides. */
  readonly more?: Partial<CreateDBInstanceCommandInput>;
  readonly report: Report;
}

/** An instance of a team, and who logs in to it. */
export interface SampleSource {
  readonly server: ServerAddress;
  readonly master: Login;
  readonly app: Login;
}

/** Makes what a team has before it thinks of encryption: a database that is in use, its secrets, its address; and the key. */
export async function createSample(aws: Aws, caBundle: string, { rows, ...options }: SampleOptions): Promise<void> {
  const { server, master, app } = await createSource(aws, caBundle, options);
  options.report(`filling databases shop and ledger with ${rows} rows`);
  await createDatabases(server, master, app, rows);
}

/** The same, without a database in it. */
export async function createSource(
  aws: Aws,
  caBundle: string,
  { engineVersion = '16', more = {}, report }: Omit<SampleOptions, 'rows'>,
): Promise<SampleSource> {
  const master: Login = { user: SAMPLE.masterUser, password: newPassword() };
  const app: Login = { user: APP_ROLE, password: newPassword() };

  report(
    `creating the unencrypted PostgreSQL ${engineVersion} instance ${SAMPLE.instance} and the key ${SAMPLE.keyAlias}`,
  );
  const { KeyMetadata } = await aws.kms.send(
    new CreateKeyCommand({ Description: 'Databases of the sample application' }),
  );
  await aws.kms.send(new CreateAliasCommand({ AliasName: SAMPLE.keyAlias, TargetKeyId: KeyMetadata?.KeyId }));
  await aws.rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: SAMPLE.instance,
      Engine: 'postgres',
      EngineVersion: engineVersion,
      DBInstanceClass: 'db.m6g.large',
      AllocatedStorage: 100,
      StorageType: 'gp3',
      MasterUsername: master.user,
      MasterUserPassword: master.password,
      StorageEncrypted: false,
      BackupRetentionPeriod: 7,
      Tags: [{ Key: 'team', Value: 'shop' }],
      ...more,
    }),
  );
  for (const [name, login] of [
    [SAMPLE.masterSecret, master],
    [SAMPLE.appSecret, app],
  ] as const) {
    const SecretString = JSON.stringify({ username: login.user, password: login.password });
    await aws.secrets.send(new CreateSecretCommand({ Name: name, SecretString }));
  }
  const server = await waitFor(`${SAMPLE.instance} is available`, () => availableAt(aws, SAMPLE.instance, caBundle), {
    timeoutMs: CREATE_MS,
    everyMs: 200,
  });

  await aws.ssm.send(
    new PutParameterCommand({
      Name: SAMPLE.endpointParameter,
      Type: 'String',
      Value: `${server.host}:${server.port}`,
      Overwrite: true,
    }),
  );
  return { server, master, app };
}

/** An instance as AWS describes it; undefined if there is none. */
export async function describeInstance(aws: Aws, name: string): Promise<DBInstance | undefined> {
  try {
    const { DBInstances } = await aws.rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: name }));
    return DBInstances?.[0];
  } catch (error) {
    if (error instanceof Error && error.name === 'DBInstanceNotFoundFault') return undefined;
    throw error;
  }
}

/** The address of an instance, if it is available. */
async function availableAt(aws: Aws, name: string, caBundle: string): Promise<ServerAddress | undefined> {
  const instance = await describeInstance(aws, name);
  return instance?.DBInstanceStatus === 'available' ? addressOf(instance, caBundle) : undefined;
}

export function addressOf({ Endpoint, DBInstanceIdentifier }: DBInstance, caBundle: string): ServerAddress {
  if (!Endpoint?.Address || Endpoint.Port === undefined) throw new Error(`${DBInstanceIdentifier} has no endpoint`);
  return { host: Endpoint.Address, port: Endpoint.Port, ca: readFileSync(caBundle, 'utf8') };
}

/** A login kept as `{"username", "password"}` in a secret. */
export async function readLogin(aws: Aws, secret: string): Promise<Login> {
  const { SecretString } = await aws.secrets.send(new GetSecretValueCommand({ SecretId: secret }));
  const { username, password } = JSON.parse(SecretString ?? '{}') as { username?: string; password?: string };
  if (!username || !password) throw new Error(`the secret ${secret} holds no {"username", "password"}`);
  return { user: username, password };
}

/** A password that needs no quoting anywhere. */
export function newPassword(): string {
  return randomBytes(18).toString('base64url');
}

import { randomBytes, randomUUID } from 'node:crypto';
import type { Context } from '../context';
import { AwsError } from '../errors';
import { awsManagedKey, findKey, rdsMayUse, serviceMayUse } from '../kms/keys';
import type { QueryParameters } from '../query-protocol';
import { ACCOUNT_ID } from '../state';
import { arnOf } from './arns';
import type { InstanceRecord, MasterSecret } from './model';
import { keyNotAccessible } from './storage-keys';

/** Whether a request wants RDS to keep the master password in a secret of its own. */
export function managesPassword(parameters: QueryParameters): boolean {
  const managed = parameters.flag('ManageMasterUserPassword') ?? false;
  if (managed && parameters.has('MasterUserPassword')) {
    throw new AwsError(
      'InvalidParameterCombination',
      "You can't specify MasterUserPassword and ManageMasterUserPassword together.",
    );
  }
  if (!managed && parameters.has('MasterUserSecretKmsKeyId') && !parameters.flag('RotateMasterUserPassword')) {
    throw new AwsError(
      'InvalidParameterCombination',
      'MasterUserSecretKmsKeyId can be specified only with ManageMasterUserPassword.',
    );
  }
  return managed;
}

/** The ARN of a key that is named or, by default, AWS's own for the service. */
export function keyFor({ store }: Context, region: string, reference: string | undefined, service: string): string {
  const key = reference === undefined ? awsManagedKey(store, region, service) : findKey(store, region, reference);
  const usable = key && (service === 'rds' ? rdsMayUse(key, region) : serviceMayUse(key, region, service));
  if (!usable) throw keyNotAccessible(reference ?? `alias/aws/${service}`);
  return key.arn;
}

/** Makes the secret of a master user with a new password, which the server doesn't have yet. */
export function createMasterSecret(
  context: Context,
  instance: InstanceRecord,
  kmsKeyId: string | undefined,
): { readonly password: string } {
  const { store } = context;
  const name = `rds!db-${randomUUID()}`;
  const password = randomBytes(21).toString('base64url');
  const arn = `arn:aws:secretsmanager:${instance.region}:${ACCOUNT_ID}:secret:${name}-${randomBytes(3).toString('hex')}`;
  const kmsKeyArn = keyFor(context, instance.region, kmsKeyId, 'secretsmanager');
  const now = new Date().toISOString();
  store.region(instance.region).secrets[name] = {
    arn,
    name,
    description: `The secret associated with the primary RDS DB instance: ${arnOf('db', instance.region, instance.id)}`,
    kmsKeyId: kmsKeyArn,
    createdAt: now,
    changedAt: now,
    tags: {
      'aws:secretsmanager:owningService': 'rds',
      'aws:rds:primaryDBInstanceArn': arnOf('db', instance.region, instance.id),
    },
    versions: { [randomUUID()]: version(instance, password) },
  };
  instance.masterSecret = { arn, kmsKeyArn, status: 'creating' };
  store.changed();
  return { password };
}

/** Puts a new password into the secret of a master user. */
export function rotateMasterSecret({ store }: Context, instance: InstanceRecord, secret: MasterSecret): string {
  const password = randomBytes(21).toString('base64url');
  const record = Object.values(store.region(instance.region).secrets).find(({ arn }) => arn === secret.arn);
  if (!record) throw new AwsError('InvalidDBInstanceState', `The secret ${secret.arn} is gone.`);
  for (const one of Object.values(record.versions)) one.stages = ['AWSPREVIOUS'];
  record.versions[randomUUID()] = version(instance, password);
  secret.status = 'rotating';
  store.changed();
  return password;
}

/** The secret goes with its instance, or when its user takes the password over. */
export function deleteMasterSecret({ store }: Context, instance: InstanceRecord): void {
  const { secrets } = store.region(instance.region);
  const record = Object.values(secrets).find(({ arn }) => arn === instance.masterSecret?.arn);
  if (record) delete secrets[record.name];
  instance.masterSecret = undefined;
  store.changed();
}

function version(instance: InstanceRecord, password: string) {
  return {
    createdAt: new Date().toISOString(),
    secretString: JSON.stringify({ username: instance.masterUsername, password }),
    stages: ['AWSCURRENT'],
  };
}

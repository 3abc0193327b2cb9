import { randomBytes } from 'node:crypto';
import { CreateSecretCommand, DeleteSecretCommand, DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { awsName, ourTags, replicationRole } from '../../plan/names';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import type { Credentials } from '../postgres/session';
import { isOurs, requireOurs } from '../rds/ownership';
import { readCredentials } from './credentials';

export const replicationSecretName = (migration: string): string => awsName(migration, 'replication');

/** The replication role's credentials; generated at the first call, kept in Secrets Manager and nowhere else. */
export async function ensureReplicationCredentials(aws: Aws, migration: string): Promise<Credentials> {
  const name = replicationSecretName(migration);
  const tags = await tagsOfSecret(aws, name);
  if (tags) requireOurs(`Secret ${name}`, tags, migration);
  else {
    const secret = { username: replicationRole(migration), password: randomBytes(24).toString('base64url') };
    await aws.secrets.send(
      new CreateSecretCommand({
        Name: name,
        Description: `Keyshift migration ${migration}: role with which the target replicates from the source`,
        SecretString: JSON.stringify(secret),
        Tags: ourTags(migration, 'replication-secret'),
      }),
    );
  }
  return readCredentials(aws, name);
}

/** The secret's tags; undefined: there is none. */
async function tagsOfSecret(aws: Aws, name: string) {
  try {
    return (await aws.secrets.send(new DescribeSecretCommand({ SecretId: name }))).Tags ?? [];
  } catch (error) {
    if (isAwsError(error, 'ResourceNotFoundException')) return undefined;
    throw error;
  }
}

/** Whether the secret of the replication role is there, and ours. */
export async function hasOurSecret(aws: Aws, migration: string): Promise<boolean> {
  return isOurs(await tagsOfSecret(aws, replicationSecretName(migration)), migration);
}

/** Deletes the secret at once, if it is there and ours: the role that it opens is dropped too. */
export async function deleteReplicationSecret(deps: Dependencies, ref: MigrationRef): Promise<void> {
  const aws = awsOf(deps, ref);
  if (!(await hasOurSecret(aws, ref.id))) return;
  try {
    await aws.secrets.send(
      new DeleteSecretCommand({ SecretId: replicationSecretName(ref.id), ForceDeleteWithoutRecovery: true }),
    );
  } catch (error) {
    if (!isAwsError(error, 'ResourceNotFoundException')) throw error;
  }
}

import { randomBytes } from 'node:crypto';
import { CreateSecretCommand, DeleteSecretCommand, DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { awsName, ourTags, replicationRole } from '../../plan/names';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import type { Credentials } from '../postgres/session';
import { requireOurs } from '../rds/ownership';
import { readCredentials } from './credentials';

export const replicationSecretName = (migration: string): string => awsName(migration, 'replication');

/** The replication role's credentials; generated at the first call, kept in Secrets Manager and nowhere else. */
export async function ensureReplicationCredentials(aws: Aws, migration: string): Promise<Credentials> {
  const name = replicationSecretName(migration);
  try {
    const { Tags } = await aws.secrets.send(new DescribeSecretCommand({ SecretId: name }));
    requireOurs(`Secret ${name}`, Tags, migration);
  } catch (error) {
    if (!isAwsError(error, 'ResourceNotFoundException')) throw error;
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

/** Deletes the secret at once: the role that it opens is dropped too. */
export async function deleteReplicationSecret(deps: Dependencies, ref: MigrationRef): Promise<void> {
  try {
    await awsOf(deps, ref).secrets.send(
      new DeleteSecretCommand({ SecretId: replicationSecretName(ref.id), ForceDeleteWithoutRecovery: true }),
    );
  } catch (error) {
    if (!isAwsError(error, 'ResourceNotFoundException')) throw error;
  }
}

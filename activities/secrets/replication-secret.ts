import { randomBytes } from 'node:crypto';
import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteSecretCommand,
  DescribeSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { awsName, ourTags, replicationRole } from '../../plan/names';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { NotShownYet, onceShown } from '../not-shown-yet';
import type { Credentials } from '../postgres/session';
import { isOurs, requireOurs } from '../rds/ownership';
import { waitUntil } from '../wait';
import { readCredentials } from './credentials';

export const replicationSecretName = (migration: string): string => awsName(migration, 'replication');

/** The replication role's credentials; generated at the first call, kept in Secrets Manager and nowhere else. */
export async function ensureReplicationCredentials(aws: Aws, migration: string): Promise<Credentials> {
  const name = replicationSecretName(migration);
  const tags = await tagsOfSecret(aws, name);
  if (tags) requireOurs(`Secret ${name}`, tags, migration);
  else {
    const secret = { username: replicationRole(migration), password: randomBytes(24).toString('base64url') };
    await createSecret(aws, {
      Name: name,
      Description: `Keyshift migration ${migration}: role with which the target replicates from the source`,
      SecretString: JSON.stringify(secret),
      Tags: ourTags(migration, 'replication-secret'),
    });
  }
  return onceShown(`Secret ${name}`, () => readCredentials(aws, name));
}

/**
 * A secret of the same name that was deleted a moment ago, by an abort for example, is in the way for a while: its deletion is asynchronous, also
 * without recovery.
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
 */
async function createSecret(aws: Aws, input: CreateSecretCommandInput): Promise<void> {
  const lag = new NotShownYet();
  await waitUntil(async () => {
    try {
      await aws.secrets.send(new CreateSecretCommand(input));
      return { done: undefined };
    } catch (error) {
      if (!isAwsError(error, 'InvalidRequestException') || !lag.mayPass()) throw error;
      return { waitingFor: `secret ${input.Name}: ${(error as Error).message}` };
    }
  });
}

/** The secret's tags; undefined: there is none, or it is being deleted, and can't be read any more. */
async function tagsOfSecret(aws: Aws, name: string) {
  try {
    const { Tags = [], DeletedDate } = await aws.secrets.send(new DescribeSecretCommand({ SecretId: name }));
    return DeletedDate ? undefined : Tags;
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

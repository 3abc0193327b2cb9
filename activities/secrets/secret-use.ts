import { DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { finalFailure } from '../../plan/failures';
import { isAwsError } from '../classify-error';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import type { Credentials } from '../postgres/session';
import { parseCredentials, readSecret } from './credentials';

/**
 * What a secret is used for at an address that a plan names: `pooler` logs in to a console of PgBouncer, `webhook` signs requests (switches,
 * fences and hooks).
 */
export const SECRET_USES = ['pooler', 'webhook'] as const;
export type SecretUse = (typeof SECRET_USES)[number];

/** Tag of a secret with its uses, separated by spaces. Whoever may tag secrets decides what plans may use. */
export const TAG_USE = 'keyshift:use';

/** The worker's variable that lists secrets for a use, for those that can't be tagged. */
export const listOf = (use: SecretUse): string => `KEYSHIFT_${use.toUpperCase()}_SECRETS`;

/**
 * The value of a secret that a plan names together with an address. Whoever writes a plan chooses both, so the address could be their own:
 * only secrets that somebody with rights on the secret, or on the worker, has released for this use are used.
 * @throws ApplicationFailure AccessDenied when the secret isn't released for that use, ResourceGone when there is no such secret
 */
export async function readSecretFor(
  deps: Dependencies,
  ref: MigrationRef,
  secret: string,
  use: SecretUse,
): Promise<string> {
  // Side by side: this happens inside the pause, too.
  const [value, released] = await Promise.all([
    readSecret(awsOf(deps, ref), secret),
    isReleased(deps, ref, secret, use),
  ]);
  if (released) return value;
  throw finalFailure(
    'AccessDenied',
    `Secret ${secret} is not released for the use "${use}": it has no tag ${TAG_USE}=${use}, and the worker's ${listOf(use)} does not list it. Keyshift takes no other secret to an address that a plan names. If it is meant for this: aws secretsmanager tag-resource --secret-id ${secret} --tags Key=${TAG_USE},Value=${use}`,
  );
}

async function isReleased(deps: Dependencies, ref: MigrationRef, secret: string, use: SecretUse): Promise<boolean> {
  if (deps.releasedSecrets?.[use]?.includes(secret)) return true;
  try {
    const { Tags } = await awsOf(deps, ref).secrets.send(new DescribeSecretCommand({ SecretId: secret }));
    return Tags?.some(({ Key, Value }) => Key === TAG_USE && Value?.split(' ').includes(use)) ?? false;
  } catch (error) {
    // The other read says so, with words of its own.
    if (isAwsError(error, 'ResourceNotFoundException')) return false;
    throw error;
  }
}

/**
 * User and password for a console of PgBouncer. A secret that names its host (`host`, as RDS's secrets do) is for that host only.
 * @throws ApplicationFailure AccessDenied when the secret isn't released for poolers or is for another host
 */
export async function readPoolerCredentials(
  deps: Dependencies,
  ref: MigrationRef,
  { host, secret }: { readonly host: string; readonly secret: string },
): Promise<Credentials> {
  const { host: itsHost, ...credentials } = parseCredentials(secret, await readSecretFor(deps, ref, secret, 'pooler'));
  if (itsHost === undefined || itsHost.toLowerCase() === host.toLowerCase()) return credentials;
  throw finalFailure(
    'AccessDenied',
    `Secret ${secret} is for another host than ${host}: it names one itself, in "host". Correct cutover.poolers, or the secret.`,
  );
}

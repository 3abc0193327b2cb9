import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { finalFailure } from '../../plan/failures';
import type { Aws } from '../dependencies';
import { isAwsError } from '../classify-error';
import type { Credentials } from '../postgres/session';

/** What RDS itself writes into secrets that it manages; other keys are ignored. */
const credentials = z.object({
  username: z.string().min(1),
  password: z.string().min(1),
  /** Where the login is good, if the secret says so. */
  host: z.string().min(1).optional().catch(undefined),
});

/**
 * Reads user and password from a secret.
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
 * @throws ApplicationFailure ResourceGone when there is no such secret, InvalidRequest when it isn't such JSON
 */
export async function readCredentials(aws: Aws, secretId: string): Promise<Credentials> {
  const { username, password } = parseCredentials(secretId, await readSecret(aws, secretId));
  return { username, password };
}

/**
 * What a secret's value says.
 * @throws ApplicationFailure InvalidRequest when it isn't such JSON
 */
export function parseCredentials(secretId: string, text: string): Credentials & { readonly host?: string | undefined } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = credentials.safeParse(json);
  if (!parsed.success) {
    throw finalFailure(
      'InvalidRequest',
      `Secret ${secretId} is not the JSON that RDS writes: it needs "username" and "password".`,
    );
  }
  return parsed.data;
}

const login = z.object({
  username: z.string().min(1),
  password: z.string().min(1),
  dbname: z.string().min(1).optional().catch(undefined),
});

/** The login that the value of a secret of an application holds, in JSON as RDS writes it; undefined where it holds none. */
export function parseLogin(text: string): (Credentials & { readonly database?: string | undefined }) | undefined {
  try {
    const { data } = login.safeParse(JSON.parse(text));
    return data && { username: data.username, password: data.password, database: data.dbname };
  } catch {
    return undefined;
  }
}

/** @throws ApplicationFailure ResourceGone when there is no such secret */
export async function readSecret(aws: Aws, secretId: string): Promise<string> {
  try {
    const { SecretString } = await aws.secrets.send(new GetSecretValueCommand({ SecretId: secretId }));
    return SecretString ?? '';
  } catch (error) {
    if (!isAwsError(error, 'ResourceNotFoundException')) throw error;
    throw finalFailure('ResourceGone', `There is no secret ${secretId} in region ${aws.region}.`);
  }
}

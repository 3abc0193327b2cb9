import { randomUUID } from 'node:crypto';
import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { isAwsError } from '../classify-error';
import { answerInTime, once, SIGNED_REQUEST_LIVES_MS } from '../one-request';
import { storedValue } from './stored-value';

/** AWS says of no read of a secret that it shows the write before it; its own rotation functions rely on a few seconds. */
const SHOWS_WITHIN_MS = 15_000;

/**
 * A write makes a version, which takes the stage AWSCURRENT; the version that had it becomes AWSPREVIOUS. So if AWSPREVIOUS is not the
 * version that we read, somebody else, such as a rotation, wrote one in between. The same value is sent with the same token: however often
 * it arrives, it makes one version.
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
 */
export const secretsManager = storedValue<{ type: 'secrets-manager'; secret: string }>(
  SIGNED_REQUEST_LIVES_MS + SHOWS_WITHIN_MS,
  (aws, { secret }) => {
    let sent: { readonly value: string; readonly token: string } | undefined;
    const get = async (stage: { VersionStage?: string }, options: object = {}) => {
      const found = await aws.secrets.send(new GetSecretValueCommand({ SecretId: secret, ...stage }), options);
      return { value: found.SecretString ?? '', version: found.VersionId ?? '' };
    };
    return {
      what: `secret ${secret}`,
      read: (options) => get({}, options),
      write(value) {
        if (sent?.value !== value) sent = { value, token: randomUUID() };
        return aws.secrets.send(
          once(new PutSecretValueCommand({ SecretId: secret, SecretString: value, ClientRequestToken: sent.token })),
          answerInTime(),
        );
      },
      previous: () =>
        get({ VersionStage: 'AWSPREVIOUS' }).catch((error: unknown) => {
          if (isAwsError(error, 'ResourceNotFoundException')) return undefined;
          throw error;
        }),
      writtenBefore: (read, _now, previous) =>
        Promise.resolve(previous?.version === read.version ? undefined : previous),
    };
  },
);

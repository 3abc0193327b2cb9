import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { storedValue } from './stored-value';

/** The old value stays as the version with the stage AWSPREVIOUS. */
export const secretsManager = storedValue<{ type: 'secrets-manager'; secret: string }>((aws, { secret }) => ({
  what: `secret ${secret}`,
  async read() {
    const { SecretString } = await aws.secrets.send(new GetSecretValueCommand({ SecretId: secret }));
    return SecretString ?? '';
  },
  async write(value) {
    await aws.secrets.send(new PutSecretValueCommand({ SecretId: secret, SecretString: value }));
  },
}));

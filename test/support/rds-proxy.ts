import { CreateDBProxyCommand } from '@aws-sdk/client-rds';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import type { ActivityLab } from './activity-lab';

/** An RDS Proxy that knows the secret `proxy-user`, and stands before no instance yet. */
export async function createProxy(lab: ActivityLab, name: string): Promise<void> {
  const { rds, secrets } = lab.aws();
  const { ARN } = await secrets.send(
    new CreateSecretCommand({ Name: 'proxy-user', SecretString: '{"username":"app","password":"app"}' }),
  );
  await rds.send(
    new CreateDBProxyCommand({
      DBProxyName: name,
      EngineFamily: 'POSTGRESQL',
      RoleArn: 'arn:aws:iam::123456789012:role/proxy',
      VpcSubnetIds: ['subnet-1', 'subnet-2'],
      Auth: [{ AuthScheme: 'SECRETS', SecretArn: ARN ?? '', IAMAuth: 'DISABLED' }],
    }),
  );
}

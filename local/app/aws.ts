import { KMSClient } from '@aws-sdk/client-kms';
import { RDSClient } from '@aws-sdk/client-rds';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';

/** Clients of one world's AWS, whatever the environment of this process says. */
export class Aws {
  readonly rds: RDSClient;
  readonly kms: KMSClient;
  readonly secrets: SecretsManagerClient;
  readonly ssm: SSMClient;

  constructor(endpoint: string, region: string) {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const options = { endpoint, region, credentials };
    this.rds = new RDSClient(options);
    this.kms = new KMSClient(options);
    this.secrets = new SecretsManagerClient(options);
    this.ssm = new SSMClient(options);
  }

  destroy(): void {
    for (const client of [this.rds, this.kms, this.secrets, this.ssm]) client.destroy();
  }
}

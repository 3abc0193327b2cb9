import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { PricingClient } from '@aws-sdk/client-pricing';
import { RDSClient } from '@aws-sdk/client-rds';
import { Route53Client } from '@aws-sdk/client-route-53';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import type { Aws } from '../activities/dependencies';

/** The SDK tries this often by itself; Temporal goes on from there. */
const MAX_ATTEMPTS = 3;

/** An answer that never comes must not hold up a pause, in milliseconds. Without `throwOnRequestTimeout` the SDK only warns. */
const TIMEOUTS = { connectionTimeout: 3_000, requestTimeout: 20_000, throwOnRequestTimeout: true };

const hasOwnEndpoint = (): boolean =>
  [process.env['AWS_ENDPOINT_URL_S3'], process.env['AWS_ENDPOINT_URL']].some(Boolean);

/** AWS clients per region, made once; credentials and endpoints come from the SDK's own chain. */
export function awsClients(
  defaultRegion: string | undefined,
  rdsShowsAfterMs?: number,
): (region: string | undefined) => Aws {
  const made = new Map<string, Aws>();
  return (asked) => {
    const region = asked ?? defaultRegion;
    if (!region) throw new Error('no AWS region: set source.region in the plan, or AWS_REGION for the worker');
    const existing = made.get(region);
    if (existing) return existing;
    const config = { region, maxAttempts: MAX_ATTEMPTS, requestHandler: TIMEOUTS };
    const clients: Aws = {
      region,
      rdsShowsAfterMs,
      rds: new RDSClient(config),
      kms: new KMSClient(config),
      secrets: new SecretsManagerClient(config),
      ssm: new SSMClient(config),
      ec2: new EC2Client(config),
      iam: new IAMClient(config),
      sts: new STSClient(config),
      cloudwatch: new CloudWatchClient(config),
      logs: new CloudWatchLogsClient(config),
      // Prices are told in a few regions only: of all regions, or of those of China.
      pricing: new PricingClient({
        ...config,
        region: region.startsWith('cn-') ? 'cn-northwest-1' : 'us-east-1',
        maxAttempts: 2,
      }),
      route53: new Route53Client(config),
      // A bucket may be in another region. Behind an endpoint of one's own, a bucket has no host name of its own.
      s3: new S3Client({ ...config, followRegionRedirects: true, forcePathStyle: hasOwnEndpoint() }),
    };
    made.set(region, clients);
    return clients;
  };
}

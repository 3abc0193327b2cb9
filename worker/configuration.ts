import { readFileSync } from 'node:fs';
import type { Dependencies } from '../activities/dependencies';
import { listOf, SECRET_USES } from '../activities/secrets/secret-use';

/** What the worker takes from its environment, besides AWS's and Temporal's own variables. */
export interface WorkerConfiguration {
  /** PEM text of the bundle that signs RDS's server certificates. */
  readonly rdsCaBundle: string;
  /** Default region; a plan may name another. */
  readonly awsRegion: string | undefined;
  /** How long RDS may go on showing an instance as it was before a call, in milliseconds; undefined: as long as on AWS. */
  readonly rdsShowsAfterMs?: number | undefined;
  /** Secrets that plans may use besides those that are tagged for it. */
  readonly releasedSecrets: NonNullable<Dependencies['releasedSecrets']>;
  /** Address on which `/healthz` answers; undefined: nowhere. */
  readonly healthPort: number | undefined;
  /** Deployment version of this worker; undefined: worker versioning is not used. */
  readonly deployment: { readonly deploymentName: string; readonly buildId: string } | undefined;
}

const BUNDLE_SOURCE = 'https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem';

/** @throws Error that says which variable is wrong and what to put there */
export function readConfiguration(env: NodeJS.ProcessEnv): WorkerConfiguration {
  const path = env['KEYSHIFT_RDS_CA_BUNDLE'];
  if (!path) {
    throw new Error(
      `KEYSHIFT_RDS_CA_BUNDLE is not set: give the path of the bundle of RDS's certificate authorities (${BUNDLE_SOURCE})`,
    );
  }
  const healthPort = env['KEYSHIFT_HEALTH_PORT'];
  if (healthPort !== undefined && !/^\d{1,5}$/.test(healthPort)) {
    throw new Error(`KEYSHIFT_HEALTH_PORT is not a port: "${healthPort}"`);
  }
  const rdsShowsAfterMs = env['KEYSHIFT_RDS_SHOWS_AFTER_MS'];
  if (rdsShowsAfterMs !== undefined && !/^\d{1,7}$/.test(rdsShowsAfterMs)) {
    throw new Error(`KEYSHIFT_RDS_SHOWS_AFTER_MS is not a number of milliseconds: "${rdsShowsAfterMs}"`);
  }
  return {
    rdsCaBundle: readBundle(path),
    awsRegion: env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'],
    rdsShowsAfterMs: rdsShowsAfterMs === undefined ? undefined : Number(rdsShowsAfterMs),
    releasedSecrets: readReleasedSecrets(env),
    healthPort: healthPort === undefined ? undefined : Number(healthPort),
    deployment: readDeployment(env),
  };
}

/** Lists of names or ARNs, separated by commas; one variable for each use. */
export function readReleasedSecrets(env: NodeJS.ProcessEnv): WorkerConfiguration['releasedSecrets'] {
  const listed = (use: (typeof SECRET_USES)[number]) =>
    (env[listOf(use)] ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
  return Object.fromEntries(SECRET_USES.map((use) => [use, listed(use)]));
}

/** The variables that Temporal's Worker Controller sets. @see https://docs.temporal.io/production-deployment/worker-deployments/kubernetes-controller */
function readDeployment(env: NodeJS.ProcessEnv): WorkerConfiguration['deployment'] {
  const [deploymentName, buildId] = [env['TEMPORAL_DEPLOYMENT_NAME'], env['TEMPORAL_WORKER_BUILD_ID']];
  if (!deploymentName && !buildId) return undefined;
  if (deploymentName && buildId) return { deploymentName, buildId };
  throw new Error(
    `Worker versioning needs both TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID; ${deploymentName ? 'the second' : 'the first'} is not set`,
  );
}

function readBundle(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`KEYSHIFT_RDS_CA_BUNDLE can't be read: ${(error as Error).message}`, { cause: error });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Error(`KEYSHIFT_RDS_CA_BUNDLE is not a PEM bundle; fetch ${BUNDLE_SOURCE}`);
  }
  return text;
}

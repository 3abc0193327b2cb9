import type { Check, Preflight, SourceFacts } from '../../plan/checks';
import { isAwsError } from '../classify-error';
import { ApplicationFailure } from '@temporalio/common';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { type Access, accessTo } from '../postgres/session';
import { endpointOf, findInstance, parameterGroupOf } from '../rds/find-instance';
import { checkNames, checkNetwork, checkQuota } from './look-at-account';
import { checkDatabases } from './look-at-databases';
import { checkKey } from './look-at-key';
import { checkEncryption, checkSource } from './look-at-source';
import { checkTraffic } from './look-at-traffic';

/** Every check, all at once, never the first problem only. Reads; changes nothing anywhere. */
export async function runPreflight(deps: Dependencies, ref: MigrationRef): Promise<Preflight> {
  const { id, plan } = ref;
  const aws = awsOf(deps, ref);
  const source = await findInstance(aws, plan.source.instance);
  const key = await checkKey(aws, plan);
  const checks: Check[] = [...checkSource(aws, plan, source), key.check, await checkNames(aws, plan, id)];
  if (!source) return { checks };
  if (key.arn) checks.push(checkEncryption(source, key.arn));
  checks.push(await checkNetwork(aws, plan, source), await checkQuota(aws, plan, source));
  if (source.DBInstanceStatus !== 'available') return { checks };
  checks.push(...(await checkTraffic(aws, plan, endpointOf(source))));

  const access = await tryAccess(deps, ref);
  if ('check' in access) return { checks: [...checks, access.check] };
  const { checks: found, ...seen } = await checkDatabases(access, plan, parameterGroupOf(source).name);
  checks.push(...found);
  if (!key.arn || seen.databases.length === 0) return { checks };
  const facts: SourceFacts = {
    instance: plan.source.instance,
    resourceId: source.DbiResourceId ?? '',
    engineVersion: source.EngineVersion ?? '',
    ...endpointOf(source),
    parameterGroup: parameterGroupOf(source).name,
    encrypted: source.StorageEncrypted ?? false,
    ...(source.KmsKeyId ? { kmsKeyId: source.KmsKeyId } : {}),
    masterUser: access.credentials.username,
    targetKmsKeyArn: key.arn,
    ...seen,
  };
  return { checks, source: facts };
}

async function tryAccess(deps: Dependencies, ref: MigrationRef): Promise<Access | { check: Check }> {
  try {
    return await accessTo(deps, ref, 'source');
  } catch (error) {
    if (!(error instanceof ApplicationFailure) && !isAwsError(error, 'AccessDeniedException')) throw error;
    return {
      check: {
        code: 'source-credentials',
        level: 'block',
        message: (error as Error).message,
        remedy:
          'Correct source.secret: a Secrets Manager secret with "username" and "password" of the master user, readable by the worker.',
      },
    };
  }
}

import type { DBInstance } from '@aws-sdk/client-rds';
import type { Check, Preflight, SourceFacts } from '../../plan/checks';
import { checkWindow } from './check-window';
import { isAwsError } from '../classify-error';
import { ApplicationFailure } from '@temporalio/common';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { type Access, accessTo } from '../postgres/session';
import { endpointOf, findInstance, parameterGroupOf } from '../rds/find-instance';
import { isUp } from '../rds/instance-status';
import { ceilingMiB } from '../rds/wal-ceiling';
import { Denials } from './denials';
import { checkNames, checkQuota } from './look-at-account';
import { lookAtAws, lookAtStorage } from './look-at-aws';
import { checkDatabases } from './look-at-databases';
import { checkKey } from './look-at-key';
import { checkNetwork } from './look-at-network';
import { checkPermissions } from './look-at-permissions';
import { checkEncryption, checkSource } from './look-at-source';
import { checkOtherFences } from './check-other-fences';
import { checkTraffic } from './look-at-traffic';
import { expectedHours, walBytesPerSecondOf } from './server/wal-rate';

export interface PreflightInput extends MigrationRef {
  /** Every statement of a remedy, not the first ones: for whoever looks at it alone, not for a history. */
  readonly all?: boolean;
}

/** Every check, all at once, never the first problem only. Reads; changes nothing anywhere. */
export async function runPreflight(deps: Dependencies, ref: PreflightInput): Promise<Preflight> {
  const { id, plan } = ref;
  const aws = awsOf(deps, ref);
  const denials = new Denials();
  const permissions = (seen: DBInstance | undefined) => checkPermissions(aws, ref, seen, denials.found);
  const each = (action: string, look: () => Promise<Check | Check[]>) => denials.unless(action, look, []);

  const source = await denials.unless(
    'rds:DescribeDBInstances',
    () => findInstance(aws, plan.source.instance),
    REFUSED,
  );
  if (source === REFUSED) return { checks: [await permissions(undefined)] };
  const key = await checkKey(aws, plan);
  const names = await each('rds:DescribeDBSnapshots', () => checkNames(aws, plan, id));
  const checks: Check[] = [...checkSource(aws, plan, source), key.check, ...[names].flat()];
  checks.push(...checkWindow(plan, new Date()));
  if (!source) return { checks };
  if (key.arn) checks.push(checkEncryption(source, key.arn));
  const account = await Promise.all([
    each('rds:DescribeDBSubnetGroups', () => checkNetwork(aws, plan, source)),
    each('rds:DescribeAccountAttributes', () => checkQuota(aws, plan, source)),
  ]);
  checks.push(...account.flat());
  if (!isUp(source)) return { checks: [...checks, await permissions(source)] };
  const { freeBytes, ...around } = await lookAtAws(aws, ref, source, denials);
  const traffic = await each('ssm:GetParameter', () => checkTraffic(deps, ref, endpointOf(source)));
  const fences = await each('ec2:DescribeSecurityGroups', () => checkOtherFences(deps, ref));
  checks.push(...around.checks, ...[traffic, fences].flat());

  const access = await tryAccess(deps, ref);
  if ('check' in access) return { checks: [...checks, access.check, await permissions(source)] };
  // The ceiling on WAL that the disk has room for is the one that will be in force.
  const guard = { ...plan.guard, maxSlotWalKeepMiB: ceilingMiB(plan, source, freeBytes) };
  const parameterGroup = parameterGroupOf(source);
  const { checks: found, ...seen } = await checkDatabases(access, { ...plan, guard }, parameterGroup, ref.all === true);
  const wal = { walBytesPerSecond: walBytesPerSecondOf(found), hours: expectedHours(seen.sizeBytes) };
  checks.push(
    ...found,
    ...(await lookAtStorage(aws, ref, source, freeBytes, denials, wal)),
    // Last, since it names the calls that were refused.
    await permissions(source),
  );
  if (!key.arn || seen.databases.length === 0) return { checks };
  const facts: SourceFacts = {
    instance: plan.source.instance,
    resourceId: source.DbiResourceId ?? '',
    engineVersion: source.EngineVersion ?? '',
    ...endpointOf(source),
    parameterGroup: parameterGroup.name,
    encrypted: source.StorageEncrypted ?? false,
    ...(source.KmsKeyId ? { kmsKeyId: source.KmsKeyId } : {}),
    masterUser: access.credentials.username,
    targetKmsKeyArn: key.arn,
    ...seen,
  };
  return { checks, source: facts };
}

/** No answer, unlike `undefined`, which says that there is no such instance. */
const REFUSED = null;

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

import { isNewMigrationId } from '../../plan/temporal';
import { DescribeAccountAttributesCommand, type DBInstance } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { encryptedSnapshotName } from '../rds/copy-snapshot';
import { sourceSnapshotName } from '../rds/create-snapshot';
import { encryptedFinalName, finalSnapshotName } from '../rds/final-snapshot';
import { findInstance } from '../rds/find-instance';
import { findSnapshot } from '../rds/find-snapshot';
import { isOurs } from '../rds/ownership';
import { findGroup, parameterGroupName } from '../rds/prepare-parameters';
import type { Aws } from '../dependencies';

/** How Service Quotas calls them (`aws service-quotas list-service-quotas --service-code rds`). */
const QUOTA_CODES: Readonly<Record<string, string>> = {
  DBInstances: 'L-7B6409FD',
  ManualSnapshots: 'L-272F1212',
  AllocatedStorage: 'L-7ADDB58A',
  DBParameterGroups: 'L-DE55804A',
};

const leftBy = (tags: Parameters<typeof isOurs>[0], migration: string): string =>
  isOurs(tags, migration) ? ', made by an earlier migration of this id' : '';

/** Names that we need are free. */
export async function checkNames(aws: Aws, plan: Plan, migration: string): Promise<Check> {
  const code = 'target-name';
  if (!isNewMigrationId(migration)) {
    return {
      code,
      level: 'block',
      message: `What we make can't be called after the migration ${migration}: RDS takes no hyphen at the end of a name and no two in a row, and "-final" at the end is taken by the names of snapshots.`,
      remedy: 'Start it under another workflow id.',
    };
  }
  const target = await findInstance(aws, plan.target.instance);
  if (target) {
    // Also one that carries our tag: it may be the live result of an earlier migration of this id.
    return {
      code,
      level: 'block',
      message: `A DB instance ${plan.target.instance} exists already${leftBy(target.TagList, migration)}.`,
      remedy: 'Choose another target.instance, or rename that instance.',
    };
  }
  const snapshots = [sourceSnapshotName, encryptedSnapshotName, finalSnapshotName, encryptedFinalName].map((name) =>
    name(migration),
  );
  for (const snapshot of snapshots) {
    const found = await findSnapshot(aws, snapshot);
    if (!found) continue;
    return {
      code,
      level: 'block',
      message: `A DB snapshot ${snapshot} exists already${leftBy(found.TagList, migration)}.`,
      remedy: `# start the migration under another id, or delete it:\naws rds delete-db-snapshot --db-snapshot-identifier ${snapshot}`,
    };
  }
  const group = parameterGroupName(migration);
  if (await findGroup(aws, group)) {
    return {
      code,
      level: 'block',
      message: `A DB parameter group ${group} exists already: an earlier migration of this id left it.`,
      remedy: `# start the migration under another id, or delete it:\naws rds delete-db-parameter-group --db-parameter-group-name ${group}`,
    };
  }
  return { code, level: 'ok', message: `${plan.target.instance} and our other names are free` };
}

/** Quotas that the migration uses up: an instance for the source and for each of its replicas, with their storage, two or three manual snapshots, parameter groups. */
export async function checkQuota(aws: Aws, plan: Plan, source: DBInstance): Promise<Check> {
  const code = 'quota';
  const { AccountQuotas } = await aws.rds.send(new DescribeAccountAttributesCommand({}));
  const instances = 1 + (source.ReadReplicaDBInstanceIdentifiers?.length ?? 0);
  const needs: Record<string, number> = {
    DBInstances: instances,
    ManualSnapshots: plan.keep.finalSnapshot ? 3 : 2,
    AllocatedStorage: instances * (source.AllocatedStorage ?? 0),
    // For the source and the target, and for the quarantine of the clone.
    DBParameterGroups: 2,
  };
  const short = (AccountQuotas ?? []).filter(({ AccountQuotaName, Used, Max }) => {
    const need = needs[AccountQuotaName ?? ''];
    return need !== undefined && (Used ?? 0) + need > (Max ?? Number.POSITIVE_INFINITY);
  });
  const evidence = Object.fromEntries(
    (AccountQuotas ?? [])
      .filter(({ AccountQuotaName }) => needs[AccountQuotaName ?? ''] !== undefined)
      .map(({ AccountQuotaName = '', Used, Max }) => [
        AccountQuotaName,
        { used: Used, max: Max, needed: needs[AccountQuotaName] },
      ]),
  );
  if (short.length === 0)
    return {
      code,
      level: 'ok',
      message: 'instances, snapshots, storage and parameter groups are within the quotas',
      evidence,
    };
  const list = short.map(
    ({ AccountQuotaName, Used, Max }) =>
      `${AccountQuotaName} ${Used} of ${Max}, needed ${needs[AccountQuotaName ?? '']}`,
  );
  return {
    code,
    level: 'block',
    message: `Quotas of the account are too small: ${list.join('; ')}.`,
    remedy: [
      '# delete what is not needed, or have the quotas raised:',
      ...short.map(
        ({ AccountQuotaName = '', Used = 0 }) =>
          `aws service-quotas request-service-quota-increase --service-code rds --quota-code ${QUOTA_CODES[AccountQuotaName] ?? `<code of ${AccountQuotaName}>`} --desired-value ${Used + (needs[AccountQuotaName] ?? 0)}`,
      ),
    ].join('\n'),
    evidence,
  };
}

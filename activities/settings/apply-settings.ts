import {
  AddRoleToDBInstanceCommand,
  AddTagsToResourceCommand,
  type DBInstance,
  ModifyDBInstanceCommand,
} from '@aws-sdk/client-rds';
import type { SettingsReport } from '../../plan/report';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { requireInstance } from '../rds/find-instance';
import { requireOurs } from '../rds/ownership';
import { callAtRest, waitUntilUp } from '../rds/wait-for-instance';
import { compareSettings } from './compare-settings';
import { differingFields, type Kind, modification } from './differing-fields';
import { differenceOf } from './sets';
import { operatorTags, roleNames, sameFields } from './setting-fields';
import { type Wanted, wantedTarget } from './wanted-instance';

/** How long RDS may take to show a change that it has accepted and of which nothing is pending. What it still does not show then is a difference. */
const SHOWN_WITHIN_MS = 120_000;

/**
 * Gives the target what a restore can't set: maintenance window, storage autoscaling, monitoring, Performance Insights, roles, and whatever
 * was changed on the source since the restore; then compares. Changes nothing that is as wanted.
 * @throws ApplicationFailure SettingsDiffer with what is different all the same
 */
export async function applySettings(deps: Dependencies, ref: MigrationRef): Promise<SettingsReport> {
  const aws = awsOf(deps, ref);
  const source = await requireInstance(aws, ref.plan.source.instance);
  await applyTo(aws, ref, 'target', ref.plan.target.instance, wantedTarget(ref.plan, source));
  return compareSettings(deps, ref);
}

/** Makes an instance of ours as it is wanted, as far as RDS lets it be changed under way. */
export async function applyTo(aws: Aws, ref: MigrationRef, kind: Kind, id: string, wanted: Wanted): Promise<void> {
  const found = await waitUntilUp(aws, id, { settled: isSettled });
  requireOurs(`DB instance ${id}`, found.TagList, ref.id);
  await addRoles(aws, id, wanted.instance, found);
  await addTags(aws, wanted.instance, found);
  const fields = changeable(kind, wanted, found);
  if (fields.length > 0) {
    await callAtRest(aws, id, () => {
      const input = { ...modification(fields, wanted, found), DBInstanceIdentifier: id, ApplyImmediately: true };
      return aws.rds.send(new ModifyDBInstanceCommand(input));
    });
  }
  const askedAt = Date.now();
  // RDS says `available`, with nothing pending, before some changes show.
  await waitUntilUp(aws, id, {
    settled: (now) =>
      isSettled(now) && (changeable(kind, wanted, now).length === 0 || Date.now() - askedAt > SHOWN_WITHIN_MS),
    afterCall: fields.length > 0,
  });
}

const changeable = (kind: Kind, wanted: Wanted, found: DBInstance) =>
  [...differingFields(kind, wanted, found), ...backups(kind, wanted, found)].filter(
    ([, field]) => field.modify && !field.byHand,
  );

/**
 * The restore makes a target without automated backups, whatever the plan says, so that nobody waits for the first. A plan that lets their number
 * differ does not ask for none.
 */
const backups = (kind: Kind, { instance, free }: Wanted, found: DBInstance) =>
  sameFields().filter(
    ([name]) =>
      name === 'BackupRetentionPeriod' &&
      kind === 'target' &&
      free.includes(name) &&
      found.BackupRetentionPeriod === 0 &&
      (instance.BackupRetentionPeriod ?? 0) > 0,
  );

/** Nothing is under way, memberships included, which have states of their own. */
function isSettled(instance: DBInstance): boolean {
  return (
    (instance.VpcSecurityGroups ?? []).every(({ Status }) => Status === 'active') &&
    (instance.OptionGroupMemberships ?? []).every(({ Status }) => !/ing$|^pending/.test(Status ?? '')) &&
    (instance.AssociatedRoles ?? []).every(({ Status }) => Status !== 'PENDING') &&
    !['creating', 'rotating'].includes(instance.MasterUserSecret?.SecretStatus ?? '')
  );
}

async function addRoles(aws: Aws, id: string, wanted: DBInstance, found: DBInstance): Promise<void> {
  for (const role of differenceOf(roleNames(wanted), roleNames(found))) {
    const [FeatureName, RoleArn] = role.split(' ');
    try {
      await callAtRest(aws, id, () =>
        aws.rds.send(new AddRoleToDBInstanceCommand({ DBInstanceIdentifier: id, FeatureName, RoleArn })),
      );
    } catch (error) {
      // Another role has the feature: the comparison says so.
      if (!isAwsError(error, 'DBInstanceRoleAlreadyExists')) throw error;
    }
  }
}

async function addTags(aws: Aws, wanted: DBInstance, found: DBInstance): Promise<void> {
  const missing = operatorTags(wanted).filter(
    ({ Key, Value }) => !found.TagList?.some((tag) => tag.Key === Key && tag.Value === Value),
  );
  if (missing.length === 0) return;
  await aws.rds.send(new AddTagsToResourceCommand({ ResourceName: found.DBInstanceArn, Tags: missing }));
}

import { CreateDBInstanceReadReplicaCommand } from '@aws-sdk/client-rds';
import { ourTags } from '../../plan/names';
import type { InstanceComparison } from '../../plan/report';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { accessTo } from '../postgres/session';
import { findInstance, parameterGroupOf, requireInstance } from '../rds/find-instance';
import { requireOurs } from '../rds/ownership';
import { bringGroupIntoForce } from '../rds/reboot-into-group';
import { callAtRest, waitUntilUp } from '../rds/wait-for-instance';
import { applyTo } from '../settings/apply-settings';
import { compareInstances } from '../settings/compare-instances';
import { linesOf, settingsDiffer } from '../settings/compare-settings';
import { describeInstance } from '../settings/describe-instance';
import { operatorTags, type ReplicaInput, sameFields } from '../settings/setting-fields';
import { wantedReplica } from '../settings/wanted-instance';
import { waitUntil } from '../wait';
import { type PlannedReplica, planReplicas } from './planned-replicas';
import { primaryPosition, replicaLagBytes } from './replica-lag';

export interface CreatedReplicas {
  /** The new replicas, compared with those of the source. */
  readonly instances: readonly InstanceComparison[];
  /** Replicas of the source that are not rebuilt, with the reason. */
  readonly left: readonly string[];
}

/**
 * Rebuilds the read replicas of the source on the target, all at once, with their own classes and settings, and waits until each has
 * replayed what the target had written when it came up.
 * @throws ApplicationFailure SettingsDiffer when one does not have the settings of the replica that it stands for
 */
export async function createReplicas(deps: Dependencies, ref: MigrationRef): Promise<CreatedReplicas> {
  const aws = awsOf(deps, ref);
  const { rebuilt, left } = await planReplicas(aws, ref);
  const instances = await Promise.all(rebuilt.map((replica) => createReplica(deps, aws, ref, replica)));
  const lines = instances.flatMap(linesOf);
  if (lines.length > 0) throw settingsDiffer(lines, { instances, roleSettings: 0, replicas: [] });
  return { instances, left };
}

async function createReplica(
  deps: Dependencies,
  aws: Aws,
  ref: MigrationRef,
  { like, name }: PlannedReplica,
): Promise<InstanceComparison> {
  const existing = await findInstance(aws, name);
  if (existing) requireOurs(`DB instance ${name}`, existing.TagList, ref.id);
  else await request(aws, ref, { like, name });
  const up = await waitUntilUp(aws, name, { created: !existing });
  // Somebody may have been faster with that name.
  requireOurs(`DB instance ${name}`, up.TagList, ref.id);
  const wanted = wantedReplica(like);
  await bringGroupIntoForce(aws, name, parameterGroupOf(wanted.instance).name);
  await applyTo(aws, ref, 'replica', name, wanted);
  await waitForReplay(deps, aws, ref, name);
  const likeId = like.DBInstanceIdentifier ?? '';
  const [original, found] = await Promise.all([describeInstance(aws, likeId), describeInstance(aws, name)]);
  return compareInstances('replica', original, wanted, found);
}

async function request(aws: Aws, ref: MigrationRef, { like, name }: PlannedReplica): Promise<void> {
  const target = await requireInstance(aws, ref.plan.target.instance);
  const wanted = wantedReplica(like).instance;
  const settings = Object.assign({}, ...sameFields().map(([, field]) => field.replica?.(wanted) ?? {})) as ReplicaInput;
  // RDS refuses the group for a replica beside its primary (DBSubnetGroupNotAllowedFault).
  if (settings.DBSubnetGroupName === target.DBSubnetGroup?.DBSubnetGroupName) delete settings.DBSubnetGroupName;
  const create = new CreateDBInstanceReadReplicaCommand({
    ...settings,
    DBInstanceIdentifier: name,
    SourceDBInstanceIdentifier: ref.plan.target.instance,
    Tags: [...operatorTags(like), ...ourTags(ref.id, 'replica')],
  });
  try {
    // RDS makes one only of a primary at rest, one after the other.
    await callAtRest(aws, ref.plan.target.instance, () => aws.rds.send(create));
  } catch (error) {
    if (!isAwsError(error, 'DBInstanceAlreadyExists')) throw error;
  }
}

async function waitForReplay(deps: Dependencies, aws: Aws, ref: MigrationRef, name: string): Promise<void> {
  const primary = await accessTo(deps, ref, 'target');
  const upTo = await primaryPosition(primary);
  const replica = await requireInstance(aws, name);
  await waitUntil(async () => {
    const bytes = await replicaLagBytes(primary, replica, upTo);
    return bytes === 0 ? { done: undefined } : { waitingFor: `${name}: ${bytes} bytes to replay` };
  });
}

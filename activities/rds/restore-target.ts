import {
  type DBInstance,
  RestoreDBInstanceFromDBSnapshotCommand,
  type RestoreDBInstanceFromDBSnapshotCommandInput,
} from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { ourTags } from '../../plan/names';
import { isAwsError } from '../classify-error';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { onceShown } from '../not-shown-yet';
import { prepareQuarantineGroup, quarantineGroupName } from '../quarantine/parameter-group';
import { encryptedSnapshotName } from './copy-snapshot';
import { endpointOf, findInstance, parameterGroupOf, requireInstance } from './find-instance';
import { operatorTags, type RestoreInput, sameFields } from '../settings/setting-fields';
import { wantedTarget } from '../settings/wanted-instance';
import { requireOurs } from './ownership';
import { rebootIntoGroup } from './reboot-into-group';
import { requireInForce } from './require-in-force';
import { requireTheSource } from './require-same';
import { waitUntilUp } from './wait-for-instance';

export interface RestoreTargetInput extends MigrationRef {
  readonly kmsKeyArn: string;
}

export interface TargetFacts {
  readonly instance: string;
  readonly resourceId: string;
  readonly arn: string;
  readonly address: string;
  readonly port: number;
  readonly kmsKeyArn: string;
  readonly parameterGroup: string;
  /** `parameterGroup` is the one of the quarantine: the target has to get its own, by a reboot. */
  readonly quarantined?: boolean;
  /** RDS left the group `pending-reboot`, so the target started without it and was rebooted. */
  readonly rebooted?: boolean;
}

/**
 * Restores the encrypted snapshot into the target, with the settings of the source, and waits until it serves, with its parameter group in force: RDS
 * leaves that to a reboot now and then (https://github.com/aws-controllers-k8s/community/issues/1949: 3 of 10).
 */
export async function restoreTarget(deps: Dependencies, input: RestoreTargetInput): Promise<TargetFacts> {
  const aws = awsOf(deps, input);
  const { instance } = input.plan.target;
  const existing = await findInstance(aws, instance);
  if (existing) {
    requireOurs(`DB instance ${instance}`, existing.TagList, input.id);
  } else {
    const source = await requireInstance(aws, input.plan.source.instance);
    requireTheSource(source, input, 'Keyshift makes nothing by its settings.');
    const { group } = await prepareQuarantineGroup(deps, input);
    try {
      const restore = new RestoreDBInstanceFromDBSnapshotCommand(restoreRequest(input, source, group));
      // The snapshot was seen available; the group was made a moment ago.
      if (group === undefined) await aws.rds.send(restore);
      else await onceShown(`DB parameter group ${group}`, () => aws.rds.send(restore));
    } catch (error) {
      if (!isAwsError(error, 'DBInstanceAlreadyExists')) throw error;
    }
  }
  const target = await waitUntilUp(aws, instance, {
    settled: (found) => parameterGroupOf(found).applyStatus !== 'applying',
    created: !existing,
  });
  // Somebody may have been faster with that name.
  requireOurs(`DB instance ${instance}`, target.TagList, input.id);
  const rebooted = await rebootIntoGroup(aws, instance);
  if (!target.StorageEncrypted || target.KmsKeyId !== input.kmsKeyArn) {
    throw finalFailure(
      'ResourceFailed',
      `DB instance ${instance} is not encrypted under ${input.kmsKeyArn} (found: ${target.StorageEncrypted ? target.KmsKeyId : 'not encrypted'}). Delete it and send retry.`,
    );
  }
  const quarantined = parameterGroupOf(target).name === quarantineGroupName(input.id);
  await requireInForce(deps, input, { quarantined });
  return {
    instance,
    resourceId: target.DbiResourceId ?? '',
    arn: target.DBInstanceArn ?? '',
    ...endpointOf(target),
    kmsKeyArn: target.KmsKeyId,
    parameterGroup: parameterGroupOf(target).name,
    quarantined,
    ...(rebooted ? { rebooted } : {}),
  };
}

/** Every setting of the source that a restore takes, from the table of settings; what is left out gets RDS's default in silence. */
export function restoreRequest(
  ref: RestoreTargetInput,
  source: DBInstance,
  quarantineGroup?: string,
): RestoreDBInstanceFromDBSnapshotCommandInput {
  const wanted = wantedTarget(ref.plan, source);
  const settings = sameFields().map(([, field]) => field.restore?.(wanted.instance) ?? {});
  return {
    ...(Object.assign({}, ...settings) as RestoreInput),
    DBInstanceIdentifier: ref.plan.target.instance,
    DBSnapshotIdentifier: encryptedSnapshotName(ref.id),
    ...(quarantineGroup ? { DBParameterGroupName: quarantineGroup } : {}),
    Tags: [...operatorTags(source), ...ourTags(ref.id, 'target')],
  };
}

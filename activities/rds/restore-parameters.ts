import { DeleteDBParameterGroupCommand } from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { findInstance, parameterGroupOf } from './find-instance';
import { parameterGroupName, useGroup, waitForGroup } from './prepare-parameters';

export interface RestoreParametersInput extends MigrationRef {
  readonly previousGroup: string;
}

/** Gives the source the parameter group back that it had, and deletes ours. Says whether that waits for a reboot. */
export async function restoreParameters(
  deps: Dependencies,
  input: RestoreParametersInput,
): Promise<{ rebootNeeded: boolean }> {
  const aws = awsOf(deps, input);
  const ours = parameterGroupName(input.id);
  const source = await findInstance(aws, input.plan.source.instance);
  let rebootNeeded = false;
  if (source) {
    if (parameterGroupOf(source).name === ours) await useGroup(aws, input.plan.source.instance, input.previousGroup);
    const { settled } = await waitForGroup(aws, input.plan.source.instance, input.previousGroup);
    rebootNeeded = settled !== 'in-sync';
  }
  await deleteGroup(aws, ours);
  return { rebootNeeded };
}

async function deleteGroup(aws: ReturnType<typeof awsOf>, name: string): Promise<void> {
  try {
    await aws.rds.send(new DeleteDBParameterGroupCommand({ DBParameterGroupName: name }));
  } catch (error) {
    if (!isAwsError(error, 'DBParameterGroupNotFound')) throw error;
  }
}

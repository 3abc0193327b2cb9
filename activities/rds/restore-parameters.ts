import { DeleteDBParameterGroupCommand } from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { releaseInstance } from '../postgres/claim';
import { accessTo, queryRows, withSession } from '../postgres/session';
import { findInstance, parameterGroupOf } from './find-instance';
import { parameterGroupName, useGroup, waitForGroup } from './prepare-parameters';

export interface RestoreParametersInput extends MigrationRef {
  readonly previousGroup: string;
}

/**
 * Gives the source the parameter group back that it had, and deletes ours. Says whether that waits for a reboot,
 * which logical slots are left on the source, and whether our group stays, since the target uses it.
 */
export async function restoreParameters(
  deps: Dependencies,
  input: RestoreParametersInput,
): Promise<{ rebootNeeded: boolean; slots: string[]; groupStays?: string }> {
  const aws = awsOf(deps, input);
  const ours = parameterGroupName(input.id);
  const source = await findInstance(aws, input.plan.source.instance);
  let rebootNeeded = false;
  let slots: string[] = [];
  if (source) {
    if (parameterGroupOf(source).name === ours) await useGroup(aws, input.plan.source.instance, input.previousGroup);
    const { settled } = await waitForGroup(aws, input.plan.source.instance, input.previousGroup);
    rebootNeeded = settled !== 'in-sync';
    slots = await logicalSlots(deps, input);
    await releaseInstance(await accessTo(deps, input, 'source'), input.id);
  }
  // After a rollback the target stays, and uses it.
  const target = await findInstance(aws, input.plan.target.instance);
  if (target && parameterGroupOf(target).name === ours) return { rebootNeeded, slots, groupStays: ours };
  await deleteGroup(aws, ours);
  return { rebootNeeded, slots };
}

/** Slots of others: with them, PostgreSQL would not start with a `wal_level` below `logical`. */
async function logicalSlots(deps: Dependencies, ref: MigrationRef): Promise<string[]> {
  const access = await accessTo(deps, ref, 'source');
  const rows = await withSession(access, { step: 'undo-parameters', database: 'postgres', readOnly: true }, (session) =>
    queryRows<{ slot_name: string }>(session, `SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical'`),
  );
  return rows.map(({ slot_name }) => slot_name);
}

/** Deletes a parameter group; one that is gone already is as wanted. */
export async function deleteGroup(aws: ReturnType<typeof awsOf>, name: string): Promise<void> {
  try {
    await aws.rds.send(new DeleteDBParameterGroupCommand({ DBParameterGroupName: name }));
  } catch (error) {
    if (!isAwsError(error, 'DBParameterGroupNotFound')) throw error;
  }
}

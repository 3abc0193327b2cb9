import { DeleteDBParameterGroupCommand } from '@aws-sdk/client-rds';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { MayBeGone } from '../not-shown-yet';
import { releaseInstance } from '../postgres/claim';
import { accessTo, queryRows, withSession } from '../postgres/session';
import { findInstance, parameterGroupOf } from './find-instance';
import { isTheSource } from './ownership';
import { findGroup, findOurGroup } from './prepare-parameters';
import { waitUntil } from '../wait';
import { useGroup, waitForGroup } from './use-group';

export interface RestoreParametersInput extends MigrationRef {
  readonly previousGroup: string;
}

/**
 * Gives the source the parameter group back that it had, and deletes ours. Says whether that waits for a reboot,
 * which logical slots are left on the source, and whether our group stays, since the target uses it. A group of our name that is not
 * ours stays where it is, and so does an instance that took over the name of the source.
 */
export async function restoreParameters(
  deps: Dependencies,
  input: RestoreParametersInput,
): Promise<{ rebootNeeded: boolean; slots: string[]; groupStays?: string }> {
  const aws = awsOf(deps, input);
  const ours = await findOurGroup(aws, input.id);
  // What is noted on our group was there before it; a workflow that was started anew may have seen ours.
  const previous = ours?.previousGroup ?? input.previousGroup;
  const { instance } = input.plan.source;
  const found = await findInstance(aws, instance);
  const source = found && isTheSource(found, input) ? found : undefined;
  const group = source && parameterGroupOf(source).name;
  let rebootNeeded = false;
  let slots: string[] = [];
  if (ours && group === ours.name) await useGroup(aws, instance, previous);
  // A third one is what somebody gave it since: theirs to say.
  if (group !== undefined && (group === previous || group === ours?.name)) {
    const { settled } = await waitForGroup(aws, instance, previous);
    rebootNeeded = settled !== 'in-sync';
    slots = await logicalSlots(deps, input);
  }
  if (source) await releaseInstance(await accessTo(deps, input, 'source'), input.id);
  return { rebootNeeded, slots, ...(await deleteUnlessUsed(aws, input, ours?.name)) };
}

/** After a rollback the target stays, and uses it. */
async function deleteUnlessUsed(
  aws: Aws,
  { plan }: MigrationRef,
  ours: string | undefined,
): Promise<{ groupStays?: string }> {
  if (ours === undefined) return {};
  const target = await findInstance(aws, plan.target.instance);
  if (target && parameterGroupOf(target).name === ours) return { groupStays: ours };
  await deleteGroup(aws, ours);
  return {};
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
  const gone = new MayBeGone();
  await waitUntil(async () => {
    try {
      await aws.rds.send(new DeleteDBParameterGroupCommand({ DBParameterGroupName: name }));
    } catch (error) {
      if (gone.says(error) && (await findGroup(aws, name)))
        return { waitingFor: `DB parameter group ${name} to be gone` };
      if (!isAwsError(error, 'DBParameterGroupNotFound') && !gone.says(error)) throw error;
    }
    return { done: undefined };
  });
}

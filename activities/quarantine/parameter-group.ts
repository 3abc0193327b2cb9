import {
  CreateDBParameterGroupCommand,
  ListTagsForResourceCommand,
  paginateDescribeDBParameters,
} from '@aws-sdk/client-rds';
import { awsName, ourTags } from '../../plan/names';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { accessTo, withSession } from '../postgres/session';
import { findInstance, parameterGroupOf, requireInstance } from '../rds/find-instance';
import { isOurs, requireOurs } from '../rds/ownership';
import { copyParameters, findGroup, groupShows, setParameters } from '../rds/prepare-parameters';
import { bringGroupIntoForce } from '../rds/reboot-into-group';
import { deleteGroup } from '../rds/restore-parameters';
import { foreignSubscriptions } from './subscriptions';

/** Libraries whose background workers write or reach out by themselves; without them in memory nothing of theirs runs. */
const BACKGROUND_WRITERS = new Set(['pg_cron', 'pg_partman_bgw', 'pglogical', 'pgactive', 'pg_squeeze']);

export const quarantineGroupName = (migration: string): string => awsName(migration, 'quarantine');

export interface QuarantineGroup {
  /** Absent: nothing on the source starts by itself, so the restore needs no such group, and no reboot after it. */
  readonly group?: string;
  readonly why: readonly string[];
}

/**
 * Makes the group that the restore begins with, where the source has anything that starts by itself: a subscription, which would
 * take its slot away from the source's within seconds, or a library with background workers. A copy of the source's group with
 * `max_logical_replication_workers = 0` and without those libraries. Both are static, so the group has to be there first.
 */
export async function prepareQuarantineGroup(deps: Dependencies, ref: MigrationRef): Promise<QuarantineGroup> {
  const aws = awsOf(deps, ref);
  const effective = parameterGroupOf(await requireInstance(aws, ref.plan.source.instance)).name;
  const libraries = await preloadedLibraries(aws, effective);
  const writers = libraries.filter((library) => BACKGROUND_WRITERS.has(library));
  const access = await accessTo(deps, ref, 'source');
  const subscriptions = await withSession(
    access,
    { step: 'quarantine', database: 'postgres', readOnly: true },
    (session) => foreignSubscriptions(session, ref),
  );
  const why = [...subscriptions.map(({ name }) => `subscription ${name}`), ...writers];
  if (why.length === 0) return { why };
  const group = quarantineGroupName(ref.id);
  await createGroup(aws, ref, group, effective);
  const harmless = libraries.filter((library) => !BACKGROUND_WRITERS.has(library));
  await copyParameters(aws, effective, group, ({ ParameterName }) => ParameterName !== PRELOAD);
  await setParameters(aws, group, [
    { ParameterName: 'max_logical_replication_workers', ParameterValue: '0', ApplyMethod: 'pending-reboot' },
    ...(harmless.length > 0
      ? [{ ParameterName: PRELOAD, ParameterValue: harmless.join(','), ApplyMethod: 'pending-reboot' as const }]
      : []),
  ]);
  return { group, why };
}

const PRELOAD = 'shared_preload_libraries';

async function preloadedLibraries(aws: Aws, group: string): Promise<string[]> {
  for await (const { Parameters } of paginateDescribeDBParameters(
    { client: aws.rds },
    { DBParameterGroupName: group, Source: 'user' },
  )) {
    const found = Parameters?.find(({ ParameterName }) => ParameterName === PRELOAD)?.ParameterValue;
    if (found !== undefined) return found.split(',').map((library) => library.trim());
  }
  return [];
}

async function createGroup(aws: Aws, ref: MigrationRef, name: string, like: string): Promise<void> {
  const existing = await findGroup(aws, name);
  if (existing) {
    requireOurs(`DB parameter group ${name}`, await tagsOf(aws, existing.DBParameterGroupArn), ref.id);
    return;
  }
  const family = (await findGroup(aws, like))?.DBParameterGroupFamily;
  if (!family) throw new Error(`DB parameter group ${like} of the source has no family`);
  await aws.rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: name,
      DBParameterGroupFamily: family,
      Description: `Keyshift migration ${ref.id}: ${like} without what starts by itself`,
      Tags: ourTags(ref.id, 'quarantine-group'),
    }),
  );
  await groupShows(aws, name);
}

async function tagsOf(aws: Aws, arn: string | undefined) {
  return (await aws.rds.send(new ListTagsForResourceCommand({ ResourceName: arn }))).TagList;
}

/**
 * When nothing is left on the target that starts by itself: gives it the group of the source and reboots it once; nobody uses it
 * yet. Then the quarantine group goes.
 */
export async function endQuarantine(deps: Dependencies, ref: MigrationRef): Promise<{ parameterGroup: string }> {
  const aws = awsOf(deps, ref);
  const { instance } = ref.plan.target;
  const wanted = parameterGroupOf(await requireInstance(aws, ref.plan.source.instance)).name;
  requireOurs(`DB instance ${instance}`, (await requireInstance(aws, instance)).TagList, ref.id);
  await bringGroupIntoForce(aws, instance, wanted);
  await deleteQuarantineGroup(deps, ref);
  return { parameterGroup: wanted };
}

/** Deletes the quarantine group, if it's there and ours. One that an instance uses is left for the next try. */
export async function deleteQuarantineGroup(deps: Dependencies, ref: MigrationRef): Promise<void> {
  const aws = awsOf(deps, ref);
  const name = quarantineGroupName(ref.id);
  const group = await findGroup(aws, name);
  if (!group || !isOurs(await tagsOf(aws, group.DBParameterGroupArn), ref.id)) return;
  const target = await findInstance(aws, ref.plan.target.instance);
  // A target that could not be deleted keeps it; the undo says so of the target already.
  if (target && parameterGroupOf(target).name === name) return;
  await deleteGroup(aws, name);
}

import {
  CreateDBParameterGroupCommand,
  type DBInstance,
  DescribeDBParameterGroupsCommand,
  ListTagsForResourceCommand,
  ModifyDBParameterGroupCommand,
  paginateDescribeDBParameters,
  type Parameter,
} from '@aws-sdk/client-rds';
import { awsName, ourTags } from '../../plan/names';
import { isAwsError, isDenied } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { type Capacity, LIMITS, limitsFor, raisedBy, readCapacity, roomy } from '../postgres/capacity';
import { onceShown } from '../not-shown-yet';
import { claimInstance } from '../postgres/claim';
import { databasesOf } from '../postgres/left-out';
import { accessTo, queryOne, withSession } from '../postgres/session';
import { isDefaultGroup } from './default-group';
import { type ParameterGroup, parameterGroupOf, requireInstance } from './find-instance';
import { readFreeStorage } from './metrics';
import { isOurs, requireOurs } from './ownership';
import { useGroup, waitForGroup } from './use-group';
import { ceilingMiB } from './wal-ceiling';

/** RDS takes at most 20 parameters in one call of ModifyDBParameterGroup. */
const PARAMETERS_PER_CALL = 20;

export interface PreparedParameters {
  /** Our group, when the source's own didn't do; the target gets it too. */
  readonly group?: string;
  /** The group to go back to on abort. */
  readonly previousGroup: string;
  /** Limits that our group raises, so that slots, senders and workers do for all databases, each with its value. */
  readonly raised?: readonly string[];
  /** A static parameter waits for a reboot. */
  readonly rebootNeeded: boolean;
}

export const parameterGroupName = (migration: string): string => awsName(migration, 'logical');

/**
 * Gives the source a parameter group with `rds.logical_replication=1`, a ceiling on the WAL that slots may keep, and room for what
 * replication of all databases takes.
 * The group that it had is copied, never changed: other instances may use it. Does nothing when the source already
 * decodes logically and has a ceiling of its own.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html
 */
export async function prepareParameters(deps: Dependencies, ref: MigrationRef): Promise<PreparedParameters> {
  const aws = awsOf(deps, ref);
  const name = parameterGroupName(ref.id);
  const source = await requireInstance(aws, ref.plan.source.instance);
  await claimInstance(await accessTo(deps, ref, 'source'), ref.id, ref.plan.source.instance);
  const current = parameterGroupOf(source);
  const found = await readSource(deps, ref);
  if (current.name !== name && keepsGroup(current, found)) {
    return { previousGroup: current.name, rebootNeeded: false };
  }
  // On a second run the source already has our group; the one before it is noted on the group itself.
  const { family, previousGroup } = await createGroup(aws, ref, name, current.name);
  if (current.name !== name) {
    await copyParameters(aws, previousGroup, name);
    await setParameters(aws, name, [
      { ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' },
      ...(supportsCeiling(family)
        ? [
            {
              ParameterName: 'max_slot_wal_keep_size',
              ParameterValue: String(ceilingMiB(ref.plan, source, await freeStorage(aws, ref.plan.source.instance))),
              ApplyMethod: 'immediate' as const,
            },
          ]
        : []),
      ...raisedBy(limitsFor(found.capacity, found.databases), found.capacity.standbys || hasReplicas(source)).map(
        (limit) => ({
          ParameterName: limit.name,
          ParameterValue: String(roomy(limit)),
          ApplyMethod: 'pending-reboot' as const,
        }),
      ),
    ]);
    await useGroup(aws, ref.plan.source.instance, name);
  }
  const { settled } = await waitForGroup(aws, ref.plan.source.instance, name);
  const raised = await raisedIn(aws, name, previousGroup);
  return {
    group: name,
    previousGroup,
    ...(raised.length > 0 ? { raised } : {}),
    rebootNeeded: settled !== 'in-sync',
  };
}

const hasReplicas = ({ ReadReplicaDBInstanceIdentifiers, ReadReplicaDBClusterIdentifiers }: DBInstance): boolean =>
  [...(ReadReplicaDBInstanceIdentifiers ?? []), ...(ReadReplicaDBClusterIdentifiers ?? [])].length > 0;

/** Which limits our group has otherwise than the one before; read from the groups, since after the reboot the server has them, too. */
async function raisedIn(aws: Aws, ours: string, previous: string): Promise<string[]> {
  const [now, before] = [await changedParameters(aws, ours), await changedParameters(aws, previous)];
  const valueIn = (parameters: readonly Parameter[], name: string) =>
    parameters.find(({ ParameterName }) => ParameterName === name)?.ParameterValue;
  return LIMITS.flatMap((name) => {
    const value = valueIn(now, name);
    return value === undefined || value === valueIn(before, name) ? [] : [`${name} = ${value}`];
  });
}

/** Free storage in bytes; a worker that may not ask CloudWatch does without. */
async function freeStorage(aws: Aws, instance: string): Promise<number | undefined> {
  try {
    return await readFreeStorage(aws, instance);
  } catch (error) {
    if (!isDenied(error)) throw error;
    return undefined;
  }
}

/** `max_slot_wal_keep_size` came with PostgreSQL 13. */
const supportsCeiling = (family: string): boolean => Number(/^postgres(\d+)/.exec(family)?.[1] ?? 0) >= 13;

/** What of the source decides on its parameter group. */
export interface Decoding {
  readonly walLevel: string;
  /** Whether there is one on the WAL that slots may keep. */
  readonly ceiling: boolean;
}

/**
 * Whether the source keeps the group that it has: it decodes logically already, with a ceiling of its own. A default group does
 * neither, and one that waits for a reboot may not: what is in force comes from a group that the source had before, and the target would not get it.
 */
export const keepsGroup = ({ name, applyStatus }: ParameterGroup, { walLevel, ceiling }: Decoding): boolean =>
  walLevel === 'logical' && ceiling && !isDefaultGroup(name) && applyStatus !== 'pending-reboot';

interface SourceNow extends Decoding {
  readonly capacity: Capacity;
  /** How many are replicated. */
  readonly databases: number;
}

async function readSource(deps: Dependencies, ref: MigrationRef): Promise<SourceNow> {
  const access = await accessTo(deps, ref, 'source');
  return withSession(access, { step: 'parameters', database: 'postgres', readOnly: true }, async (session) => {
    const decoding = await queryOne<Decoding>(
      session,
      `SELECT current_setting('wal_level') AS "walLevel", current_setting('max_slot_wal_keep_size') <> '-1' AS ceiling`,
    );
    const replicated = (await databasesOf(session)).filter(
      ({ name, closed }) => !closed && (ref.plan.databases?.includes(name) ?? true),
    );
    return { ...decoding, capacity: await readCapacity(session), databases: replicated.length };
  });
}

async function createGroup(
  aws: Aws,
  ref: MigrationRef,
  name: string,
  current: string,
): Promise<{ family: string; previousGroup: string }> {
  const existing = await findGroup(aws, name);
  if (existing) {
    const { TagList } = await aws.rds.send(
      new ListTagsForResourceCommand({ ResourceName: existing.DBParameterGroupArn }),
    );
    requireOurs(`DB parameter group ${name}`, TagList, ref.id);
    const noted = TagList?.find(({ Key }) => Key === PREVIOUS_GROUP_TAG)?.Value;
    return { family: existing.DBParameterGroupFamily ?? '', previousGroup: noted ?? current };
  }
  const family = (await findGroup(aws, current))?.DBParameterGroupFamily;
  if (!family) throw new Error(`DB parameter group ${current} of the source has no family`);
  await aws.rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: name,
      DBParameterGroupFamily: family,
      Description: `Keyshift migration ${ref.id}: ${current} with logical replication`,
      Tags: [...ourTags(ref.id, 'parameter-group'), { Key: PREVIOUS_GROUP_TAG, Value: current }],
    }),
  );
  await groupShows(aws, name);
  return { family, previousGroup: current };
}

const PREVIOUS_GROUP_TAG = 'keyshift:previous-parameter-group';

/** Our parameter group, where it is there and ours, and the group that the source had before it. */
export async function findOurGroup(
  aws: Aws,
  migration: string,
): Promise<{ readonly name: string; readonly previousGroup?: string } | undefined> {
  const name = parameterGroupName(migration);
  const group = await findGroup(aws, name);
  if (!group) return undefined;
  const { TagList } = await aws.rds.send(new ListTagsForResourceCommand({ ResourceName: group.DBParameterGroupArn }));
  if (!isOurs(TagList, migration)) return undefined;
  const noted = TagList?.find(({ Key }) => Key === PREVIOUS_GROUP_TAG)?.Value;
  return { name, ...(noted === undefined ? {} : { previousGroup: noted }) };
}

export async function findGroup(aws: Aws, name: string) {
  try {
    const { DBParameterGroups } = await aws.rds.send(
      new DescribeDBParameterGroupsCommand({ DBParameterGroupName: name }),
    );
    return DBParameterGroups?.[0];
  } catch (error) {
    if (isAwsError(error, 'DBParameterGroupNotFound')) return undefined;
    throw error;
  }
}

/** Waits until a group that was just made can be seen. */
export const groupShows = (aws: Aws, name: string) =>
  onceShown(`DB parameter group ${name}`, () => findGroup(aws, name));

/** Copies what was changed in a group, or those of it that `wanted` takes. */
export async function copyParameters(
  aws: Aws,
  from: string,
  to: string,
  wanted: (parameter: Parameter) => boolean = () => true,
): Promise<void> {
  const changed = await changedParameters(aws, from);
  await setParameters(
    aws,
    to,
    changed.filter(wanted).map(({ ParameterName, ParameterValue, ApplyType }) => ({
      ParameterName,
      ParameterValue,
      ApplyMethod: ApplyType === 'dynamic' ? 'immediate' : 'pending-reboot',
    })),
  );
}

async function changedParameters(aws: Aws, group: string): Promise<Parameter[]> {
  const changed: Parameter[] = [];
  for await (const page of paginateDescribeDBParameters(
    { client: aws.rds },
    { DBParameterGroupName: group, Source: 'user' },
  )) {
    changed.push(...(page.Parameters ?? []));
  }
  return changed;
}

/** Sets parameters of a group of ours, which may have been made a moment ago. */
export async function setParameters(aws: Aws, group: string, parameters: Parameter[]): Promise<void> {
  for (let start = 0; start < parameters.length; start += PARAMETERS_PER_CALL) {
    const Parameters = parameters.slice(start, start + PARAMETERS_PER_CALL);
    await onceShown(`DB parameter group ${group}`, () =>
      aws.rds.send(new ModifyDBParameterGroupCommand({ DBParameterGroupName: group, Parameters })),
    );
  }
}

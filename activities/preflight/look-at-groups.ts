import {
  type DBInstance,
  DescribeOptionGroupsCommand,
  type OptionGroup,
  paginateDescribeDBParameters,
} from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { parameterGroupOf } from '../rds/find-instance';
import { findGroup } from '../rds/prepare-parameters';

const majorOf = (source: DBInstance): string => source.EngineVersion?.split('.')[0] ?? '';

/** Whether the parameter group fits the engine, and whether values of it wait for a reboot, which a migration may bring. */
export async function checkParameterGroup(aws: Aws, source: DBInstance): Promise<Check> {
  const code = 'parameter-group';
  const id = source.DBInstanceIdentifier ?? '';
  const { name, applyStatus } = parameterGroupOf(source);
  const family = (await findGroup(aws, name))?.DBParameterGroupFamily;
  const wanted = `postgres${majorOf(source)}`;
  const evidence = { parameterGroup: name, family: family ?? null, applyStatus };
  if (family !== wanted) {
    return {
      code,
      level: 'block',
      message: `Parameter group ${name} of ${id} is of family ${family ?? '(there is no such group)'}, the engine is ${wanted}: a copy of it does not fit the target.`,
      remedy: `aws rds modify-db-instance --db-instance-identifier ${id} --db-parameter-group-name default.${wanted} --apply-immediately`,
      evidence,
    };
  }
  if (applyStatus === 'pending-reboot') {
    return {
      code,
      level: 'warn',
      message: `Values of parameter group ${name} wait for a reboot of ${id}: the reboot for logical replication, or any other, brings them into force, and the target starts with them.`,
      remedy: `aws rds reboot-db-instance --db-instance-identifier ${id}`,
      evidence,
    };
  }
  return { code, level: 'ok', message: `parameter group ${name} (${family}) is ${applyStatus}`, evidence };
}

/** Whether the target can get the option group of the source. Options of PostgreSQL are rare; the group still has to exist and to fit. */
export async function checkOptionGroup(aws: Aws, source: DBInstance): Promise<Check> {
  const code = 'option-group';
  const id = source.DBInstanceIdentifier ?? '';
  const { OptionGroupName: name = '', Status: status = '' } = source.OptionGroupMemberships?.[0] ?? {};
  if (name === '') return { code, level: 'ok', message: `${id} has no option group` };
  const group = await findOptionGroup(aws, name);
  const options = (group?.Options ?? []).map(({ OptionName }) => OptionName ?? '');
  const sticky = (group?.Options ?? []).filter(({ Permanent, Persistent }) => Permanent || Persistent);
  const evidence = {
    optionGroup: name,
    status,
    options,
    permanent: sticky.map(({ OptionName }) => OptionName ?? ''),
    major: group?.MajorEngineVersion ?? null,
    vpc: group?.VpcId ?? null,
  };
  const major = majorOf(source);
  const vpc = source.DBSubnetGroup?.VpcId;
  const wrong = !group
    ? 'does not exist any more'
    : group.EngineName !== 'postgres' || group.MajorEngineVersion !== major
      ? `is for ${group.EngineName} ${group.MajorEngineVersion}, the engine is postgres ${major}`
      : group.VpcId && group.VpcId !== vpc
        ? `is tied to VPC ${group.VpcId}, the target is placed in ${vpc}`
        : undefined;
  if (wrong) {
    return {
      code,
      level: 'block',
      message: `Option group ${name} of ${id} ${wrong}: RDS would not restore the target with it.`,
      remedy: `aws rds modify-db-instance --db-instance-identifier ${id} --option-group-name default:postgres-${major} --apply-immediately`,
      evidence,
    };
  }
  if (status.startsWith('pending') || status === 'failed') {
    return {
      code,
      level: 'warn',
      message: `Option group ${name} of ${id} is in state ${status}: what it brings is not in force yet.`,
      remedy: `aws rds wait db-instance-available --db-instance-identifier ${id}`,
      evidence,
    };
  }
  const kept = sticky.length > 0 ? `, with options that can't be taken away: ${evidence.permanent.join(', ')}` : '';
  return { code, level: 'ok', message: `the target gets option group ${name}${kept}`, evidence };
}

async function findOptionGroup(aws: Aws, name: string): Promise<OptionGroup | undefined> {
  try {
    const { OptionGroupsList } = await aws.rds.send(new DescribeOptionGroupsCommand({ OptionGroupName: name }));
    return OptionGroupsList?.[0];
  } catch (error) {
    if (isAwsError(error, 'OptionGroupNotFoundFault')) return undefined;
    throw error;
  }
}

/**
 * `max_slot_wal_keep_size` of a group that stays in force since logical replication is on already, in MiB; undefined
 * where the migration puts a group of its own in its place.
 */
export async function ownCeilingMiB(aws: Aws, source: DBInstance): Promise<number | undefined> {
  const { name } = parameterGroupOf(source);
  if (name === '') return undefined;
  const values = new Map<string, string>();
  for await (const page of paginateDescribeDBParameters(
    { client: aws.rds },
    { DBParameterGroupName: name, Source: 'user' },
  )) {
    for (const { ParameterName = '', ParameterValue = '' } of page.Parameters ?? [])
      values.set(ParameterName, ParameterValue);
  }
  const ceiling = Number(values.get('max_slot_wal_keep_size') ?? -1);
  const stays = values.get('rds.logical_replication') === '1' && ceiling !== -1;
  return stays ? ceiling : undefined;
}

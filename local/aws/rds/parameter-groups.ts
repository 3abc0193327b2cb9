import { AwsError } from '../errors';
import { MAJORS } from '../../postgres/binaries';
import type { Major } from '../../postgres/binaries';
import type { ParameterGroupRecord } from './model';
import type { RdsCall } from './request';

/** The group of an instance that was given none. It can't be changed. */
export function defaultGroupName(major: Major): string {
  return `default.postgres${major}`;
}

/** The major version that a family such as `postgres16` is for. */
export function majorOfFamily(family: string): Major | undefined {
  return MAJORS.find((major) => family === `postgres${major}`);
}

/** A group by name; default groups exist without anybody making them. */
export function findParameterGroup({ rds }: Pick<RdsCall, 'rds'>, name: string): ParameterGroupRecord | undefined {
  return rds.parameterGroups[name.toLowerCase()] ?? defaultGroups().find((group) => group.name === name.toLowerCase());
}

/** The group that a call names, or AWS's error. */
export function requireParameterGroup(call: Pick<RdsCall, 'rds'>, name: string): ParameterGroupRecord {
  const group = findParameterGroup(call, name);
  if (!group) throw new AwsError('DBParameterGroupNotFound', `DBParameterGroup not found: ${name}`, 404);
  return group;
}

/** The default groups of all families. */
export function defaultGroups(): ParameterGroupRecord[] {
  return MAJORS.map((major) => ({
    name: defaultGroupName(major),
    family: `postgres${major}`,
    description: `Default parameter group for postgres${major}`,
    tags: [],
    values: {},
  }));
}

import { MAJORS } from '../../postgres/binaries';
import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import type { OptionGroupRecord } from './model';
import type { RdsCall } from './request';
import { newIdentifier, readTags } from './request';

/** A group by name; default groups exist without anybody making them. @throws AwsError when there is none */
export function requireOptionGroup({ rds }: Pick<RdsCall, 'rds'>, name: string): OptionGroupRecord {
  const key = name.toLowerCase();
  const found = rds.optionGroups?.[key] ?? defaults().find((group) => group.name === key);
  if (!found) {
    throw new AwsError('OptionGroupNotFoundFault', `Specified OptionGroupName: ${name} not found.`, 404);
  }
  return found;
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateOptionGroup.html */
export function createOptionGroup(call: RdsCall): Answer {
  const { context, parameters, rds, region } = call;
  const name = newIdentifier(call, 'OptionGroupName', 255);
  const engine = parameters.required('EngineName');
  const majorEngineVersion = parameters.required('MajorEngineVersion');
  if (engine !== 'postgres' || !MAJORS.some((major) => String(major) === majorEngineVersion)) {
    throw new AwsError('InvalidParameterValue', `Invalid engine or version: ${engine} ${majorEngineVersion}`);
  }
  const groups = (rds.optionGroups ??= {});
  if (groups[name]) {
    throw new AwsError('OptionGroupAlreadyExistsFault', `Option group already exists: ${name}`);
  }
  const description = parameters.required('OptionGroupDescription');
  groups[name] = { name, majorEngineVersion, description, tags: readTags(parameters) ?? [] };
  context.store.changed();
  return { OptionGroup: shape(region, groups[name]) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOptionGroups.html */
export function describeOptionGroups(call: RdsCall): Answer {
  const { parameters, rds, region } = call;
  readFilters(parameters, []);
  const name = parameters.text('OptionGroupName');
  const engine = parameters.text('EngineName');
  const version = parameters.text('MajorEngineVersion');
  const all = [...defaults(), ...Object.values(rds.optionGroups ?? {})];
  const wanted = (name === undefined ? all : [requireOptionGroup(call, name)]).filter(
    ({ majorEngineVersion }) =>
      (engine ?? 'postgres') === 'postgres' && (version ?? majorEngineVersion) === majorEngineVersion,
  );
  const page = paginate(parameters, wanted, (group) => group.name);
  return { OptionGroupsList: page.items.map((group) => shape(region, group)), Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteOptionGroup.html */
export function deleteOptionGroup(call: RdsCall): undefined {
  const { context, parameters, rds } = call;
  const { name } = requireOptionGroup(call, parameters.required('OptionGroupName'));
  const used = Object.values(rds.instances).some(({ settings }) => settings.OptionGroupName === name);
  if (used || name.startsWith('default:')) {
    throw new AwsError('InvalidOptionGroupStateFault', `The option group ${name} is in use or a default group.`);
  }
  delete rds.optionGroups?.[name];
  context.store.changed();
  return undefined;
}

function defaults(): OptionGroupRecord[] {
  return MAJORS.map((major) => ({
    name: `default:postgres-${major}`,
    majorEngineVersion: String(major),
    description: `Default option group for postgres ${major}`,
    tags: [],
  }));
}

function shape(region: string, { name, majorEngineVersion, description }: OptionGroupRecord): Answer {
  return {
    OptionGroupName: name,
    OptionGroupDescription: description,
    EngineName: 'postgres',
    MajorEngineVersion: majorEngineVersion,
    Options: [],
    AllowsVpcAndNonVpcInstanceMemberships: true,
    OptionGroupArn: arnOf('og', region, name),
  };
}

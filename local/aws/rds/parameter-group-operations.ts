import { MAJORS } from '../../postgres/binaries';
import { AWS_SECONDS } from '../clock';
import type { Context } from '../context';
import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer, QueryParameters } from '../query-protocol';
import { arnOf } from './arns';
import { runInBackground } from './background';
import { noteEvent } from './events';
import type { InstanceRecord, ParameterGroupRecord } from './model';
import type { ParameterDefinition } from './parameter-catalog';
import { isAllowed, parametersOfMajor, systemValueOf } from './parameter-catalog';
import { defaultGroups, majorOfFamily, requireParameterGroup } from './parameter-groups';
import type { RdsCall } from './request';
import { newIdentifier, readTags } from './request';
import { effectiveParameters } from './server-configuration';

/** AWS takes this many parameters in one call. */
const MOST_PARAMETERS = 20;

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBParameterGroup.html */
export function createDBParameterGroup(call: RdsCall): Answer {
  const { context, parameters, rds, region } = call;
  const name = newIdentifier(call, 'DBParameterGroupName', 255);
  const family = parameters.required('DBParameterGroupFamily');
  const description = parameters.required('Description');
  if (majorOfFamily(family) === undefined) {
    throw new AwsError('InvalidParameterValue', `ParameterGroupFamily ${family} is not a valid parameter group family`);
  }
  if (rds.parameterGroups[name]) {
    throw new AwsError('DBParameterGroupAlreadyExists', `Parameter group ${name} already exists`);
  }
  if (Object.keys(rds.parameterGroups).length >= context.store.quotas.parameterGroups) {
    throw new AwsError('DBParameterGroupQuotaExceeded', 'The quota of DB parameter groups is exceeded.');
  }
  const group: ParameterGroupRecord = { name, family, description, tags: readTags(parameters) ?? [], values: {} };
  rds.parameterGroups[name] = group;
  noteEvent(context.store, region, 'db-parameter-group', name, 'configuration change', 'Created parameter group');
  return { DBParameterGroup: groupShape(region, group) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameterGroups.html */
export function describeDBParameterGroups(call: RdsCall): Answer {
  const { parameters, rds, region } = call;
  readFilters(parameters, []);
  const name = parameters.text('DBParameterGroupName');
  const wanted =
    name === undefined
      ? [...defaultGroups(), ...Object.values(rds.parameterGroups)]
      : [requireParameterGroup(call, name)];
  const page = paginate(parameters, wanted, (group) => group.name);
  return { DBParameterGroups: page.items.map((group) => groupShape(region, group)), Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html */
export function describeDBParameters(call: RdsCall): Answer {
  const { parameters } = call;
  const filters = readFilters(parameters, ['parameter-name']);
  const group = requireParameterGroup(call, parameters.required('DBParameterGroupName'));
  const source = parameters.text('Source');
  if (source !== undefined && !['user', 'system', 'engine-default'].includes(source)) {
    throw new AwsError('InvalidParameterValue', `Invalid source: ${source}`);
  }
  const major = majorOfFamily(group.family) ?? MAJORS[0];
  const all = parametersOfMajor(major)
    .map((definition) => parameterShape(group, definition, systemValueOf(definition, major)))
    .filter((one) => source === undefined || one.Source === source)
    .filter((one) => filters.get('parameter-name')?.includes(one.ParameterName) ?? true);
  const page = paginate(parameters, all, ({ ParameterName }) => ParameterName);
  return { Parameters: page.items, Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html */
export function modifyDBParameterGroup(call: RdsCall): Answer {
  const { context, parameters, region } = call;
  const group = requireOwnGroup(call, 'modify');
  const changes = readChanges(group, parameters.structures('Parameters') ?? []);
  if (changes.length === 0)
    throw new AwsError('MissingParameter', 'The request must contain the parameter Parameters.');
  for (const { definition, value, applyMethod } of changes) {
    if (value === undefined || !isAllowed(definition, value)) {
      throw new AwsError(
        'InvalidParameterValue',
        `Invalid parameter value: ${value} for: ${definition.name} allowed values are: ${definition.allowedValues ?? ''}`,
      );
    }
    group.values[definition.name] = { value, applyMethod };
  }
  noteEvent(
    context.store,
    region,
    'db-parameter-group',
    group.name,
    'configuration change',
    `Updated parameter(s) ${changes.map(({ definition }) => definition.name).join(', ')}`,
  );
  spread(call, group, changes);
  return { DBParameterGroupName: group.name };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html */
export function resetDBParameterGroup(call: RdsCall): Answer {
  const { parameters } = call;
  const group = requireOwnGroup(call, 'reset');
  const named = readChanges(group, parameters.structures('Parameters') ?? []);
  const all = parameters.flag('ResetAllParameters') ?? named.length === 0;
  const definitions = parametersOfMajor(majorOfFamily(group.family) ?? MAJORS[0]);
  const changes: Change[] = all
    ? definitions
        .filter(({ name }) => group.values[name])
        .map((definition) => ({
          definition,
          value: undefined,
          applyMethod: definition.applyType === 'dynamic' ? 'immediate' : 'pending-reboot',
        }))
    : named;
  for (const { definition } of changes) delete group.values[definition.name];
  call.context.store.changed();
  spread(call, group, changes);
  return { DBParameterGroupName: group.name };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html */
export function deleteDBParameterGroup(call: RdsCall): Answer {
  const { context, rds, region } = call;
  const group = requireOwnGroup(call, 'delete');
  const user = Object.values(rds.instances).find(({ parameterGroup }) => parameterGroup === group.name);
  if (user) {
    throw new AwsError(
      'InvalidDBParameterGroupState',
      `One or more database instances are still members of this parameter group ${group.name}, so the group cannot be deleted`,
    );
  }
  delete rds.parameterGroups[group.name];
  noteEvent(context.store, region, 'db-parameter-group', group.name, 'configuration change', 'Deleted parameter group');
  return undefined;
}

interface Change {
  readonly definition: ParameterDefinition;
  readonly value: string | undefined;
  readonly applyMethod: 'immediate' | 'pending-reboot';
}

function requireOwnGroup(call: RdsCall, verb: string): ParameterGroupRecord {
  const name = call.parameters.required('DBParameterGroupName');
  const group = requireParameterGroup(call, name);
  if (group.name.startsWith('default.')) {
    throw new AwsError(
      'InvalidParameterValue',
      `The parameter DBParameterGroupName is not a valid identifier: default DBParameterGroup ${group.name} cannot be used to ${verb}.`,
    );
  }
  return group;
}

function readChanges(group: ParameterGroupRecord, parameters: readonly QueryParameters[]): Change[] {
  if (parameters.length > MOST_PARAMETERS) {
    throw new AwsError(
      'InvalidParameterValue',
      `A maximum of ${MOST_PARAMETERS} parameters can be modified in a single request.`,
    );
  }
  const definitions = parametersOfMajor(majorOfFamily(group.family) ?? MAJORS[0]);
  return parameters.map((parameter) => {
    const name = parameter.required('ParameterName');
    const definition = definitions.find((one) => one.name === name);
    if (!definition) throw new AwsError('InvalidParameterValue', `Could not find parameter with name: ${name}`);
    if (!definition.modifiable)
      throw new AwsError('InvalidParameterValue', `The parameter ${name} cannot be modified.`);
    const applyMethod = parameter.text('ApplyMethod') ?? 'pending-reboot';
    if (applyMethod !== 'immediate' && applyMethod !== 'pending-reboot') {
      throw new AwsError('InvalidParameterValue', `Invalid apply method: ${applyMethod}`);
    }
    if (definition.applyType === 'static' && applyMethod === 'immediate') {
      throw new AwsError('InvalidParameterCombination', 'cannot use immediate apply method for static parameter');
    }
    return { definition, value: parameter.text('ParameterValue'), applyMethod };
  });
}

/** Brings changed values to the instances that run with the group: what is immediate in a moment, the rest with their next reboot. */
function spread(call: RdsCall, group: ParameterGroupRecord, changes: readonly Change[]): void {
  for (const instance of Object.values(call.rds.instances)) {
    if (instance.parameterGroup !== group.name || instance.activeParameterGroup !== group.name) continue;
    const wanted = effectiveParameters(instance.major, group);
    const differing = changes.filter(({ definition: { name } }) => wanted[name] !== instance.activeParameters[name]);
    const now = differing
      .filter(({ applyMethod }) => applyMethod === 'immediate')
      .map(({ definition }) => definition.name);
    const mustReboot = instance.parameterApplyStatus === 'pending-reboot' || now.length < differing.length;
    if (now.length === 0) {
      if (mustReboot) instance.parameterApplyStatus = 'pending-reboot';
      continue;
    }
    instance.parameterApplyStatus = 'applying';
    applyNow(call.context, instance, group, now, mustReboot);
  }
  call.context.store.changed();
}

function applyNow(
  context: Context,
  instance: InstanceRecord,
  group: ParameterGroupRecord,
  names: readonly string[],
  mustReboot: boolean,
): void {
  runInBackground(
    context,
    { instance: instance.id, operation: 'apply-parameters' },
    async () => {
      await context.clock.pass(AWS_SECONDS.applyParameters);
      if (instance.activeParameterGroup !== group.name) return;
      const wanted = effectiveParameters(instance.major, group);
      for (const name of names) {
        const value = wanted[name];
        if (value === undefined) delete instance.activeParameters[name];
        else instance.activeParameters[name] = value;
      }
      context.servers.of(instance).reload();
      if (instance.parameterApplyStatus === 'applying')
        instance.parameterApplyStatus = mustReboot ? 'pending-reboot' : 'in-sync';
      context.store.changed();
      for (const name of names) {
        noteEvent(
          context.store,
          instance.region,
          'db-parameter-group',
          group.name,
          'configuration change',
          `Updated parameter ${name} to ${wanted[name] ?? 'its default'} with apply method immediate`,
        );
      }
    },
    () => undefined,
  );
}

function groupShape(region: string, group: ParameterGroupRecord) {
  return {
    DBParameterGroupName: group.name,
    DBParameterGroupFamily: group.family,
    Description: group.description,
    DBParameterGroupArn: arnOf('pg', region, group.name),
  };
}

function parameterShape(group: ParameterGroupRecord, definition: ParameterDefinition, systemValue: string | undefined) {
  const own = group.values[definition.name];
  return {
    ParameterName: definition.name,
    ParameterValue: own?.value ?? systemValue,
    Description: definition.description,
    Source: own ? 'user' : systemValue === undefined ? 'engine-default' : 'system',
    ApplyType: definition.applyType,
    DataType: definition.dataType,
    AllowedValues: definition.allowedValues,
    IsModifiable: definition.modifiable,
    ApplyMethod: own?.applyMethod ?? 'pending-reboot',
  };
}

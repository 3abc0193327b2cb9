import { randomBytes } from 'node:crypto';
import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { parseArn } from './arns';
import type { BlueGreenRecord } from './model';
import { assertInstanceState, readTags, requireInstance, type RdsCall } from './request';

/**
 * https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateBlueGreenDeployment.html. The green side is never built: the deployment
 * stays in state PROVISIONING.
 */
export function createBlueGreenDeployment(call: RdsCall): Answer {
  const { context, parameters, rds, region } = call;
  const source = parameters.required('Source');
  const arn = parseArn(source);
  if (arn?.kind !== 'db' || arn.region !== region) {
    throw new AwsError('SourceDatabaseNotSupportedFault', `${source} is not a DB instance of this region.`);
  }
  const instance = requireInstance(call, arn.name);
  assertInstanceState(instance, ['available']);
  const name = parameters.required('BlueGreenDeploymentName');
  const all = Object.values(rds.blueGreens ?? {});
  if (all.some((one) => one.name === name || one.source === source)) {
    throw new AwsError('BlueGreenDeploymentAlreadyExistsFault', `A blue/green deployment of ${instance.id} exists.`);
  }
  const id = `bgd-${randomBytes(8).toString('hex')}`;
  const made = { id, name, source, createdAt: new Date().toISOString(), tags: readTags(parameters) ?? [] };
  (rds.blueGreens ??= {})[id] = made;
  context.store.changed();
  return { BlueGreenDeployment: shape(made) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeBlueGreenDeployments.html */
export function describeBlueGreenDeployments({ parameters, rds }: RdsCall): Answer {
  const filters = readFilters(parameters, [
    'blue-green-deployment-identifier',
    'blue-green-deployment-name',
    'source',
    'target',
  ]);
  const id = parameters.text('BlueGreenDeploymentIdentifier');
  const all = rds.blueGreens ?? {};
  if (id !== undefined && !all[id]) {
    throw new AwsError('BlueGreenDeploymentNotFoundFault', `Blue/green deployment ${id} not found.`, 404);
  }
  const wanted = Object.values(all).filter(
    (one) =>
      (id === undefined || one.id === id) &&
      (filters.get('blue-green-deployment-identifier')?.includes(one.id) ?? true) &&
      (filters.get('blue-green-deployment-name')?.includes(one.name) ?? true) &&
      (filters.get('source')?.includes(one.source) ?? true) &&
      !filters.has('target'),
  );
  const page = paginate(parameters, wanted, (one) => one.id);
  return { BlueGreenDeployments: page.items.map(shape), Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteBlueGreenDeployment.html */
export function deleteBlueGreenDeployment({ context, parameters, rds }: RdsCall): Answer {
  const id = parameters.required('BlueGreenDeploymentIdentifier');
  const found = rds.blueGreens?.[id];
  if (!found) throw new AwsError('BlueGreenDeploymentNotFoundFault', `Blue/green deployment ${id} not found.`, 404);
  delete rds.blueGreens?.[id];
  context.store.changed();
  return { BlueGreenDeployment: { ...(shape(found) as object), Status: 'DELETING', DeleteTime: new Date() } };
}

function shape({ id, name, source, createdAt, tags }: BlueGreenRecord): Answer {
  return {
    BlueGreenDeploymentIdentifier: id,
    BlueGreenDeploymentName: name,
    Source: source,
    Status: 'PROVISIONING',
    SwitchoverDetails: [{ SourceMember: source, Status: 'PROVISIONING' }],
    Tasks: [{ Name: 'CREATING_READ_REPLICA_OF_SOURCE', Status: 'IN_PROGRESS' }],
    CreateTime: new Date(createdAt),
    TagList: tags.map(({ Key, Value }) => ({ Key, Value })),
  };
}

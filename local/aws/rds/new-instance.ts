import { randomBytes } from 'node:crypto';
import { AwsError } from '../errors';
import type { InstanceRecord } from './model';
import { findNetworkPlace, isNameTaken, reservePlace } from './network-place';
import { requireOptionGroup } from './option-groups';
import { defaultGroupName, requireParameterGroup } from './parameter-groups';
import type { RdsCall } from './request';
import { assertSubnetGroup } from './subnet-groups';

/** Puts a new instance into the state, in state `creating`. */
export async function addInstance(
  call: RdsCall,
  options: Pick<
    InstanceRecord,
    'id' | 'major' | 'engineVersion' | 'masterUsername' | 'dbName' | 'kmsKeyArn' | 'settings' | 'tags'
  > &
    Partial<Pick<InstanceRecord, 'replicaOf'>>,
  defaultGroup = defaultGroupName(options.major),
): Promise<InstanceRecord> {
  const { context, parameters, rds, region } = call;
  if (isNameTaken(rds, options.id)) throw new AwsError('DBInstanceAlreadyExists', 'DB instance already exists');
  if (Object.keys(rds.instances).length >= context.store.quotas.instances) {
    throw new AwsError('InstanceQuotaExceeded', 'DB Instance quota exceeded.');
  }
  const parameterGroup = parameters.text('DBParameterGroupName')?.toLowerCase() ?? defaultGroup;
  const { family } = requireParameterGroup(call, parameterGroup);
  if (family !== `postgres${options.major}`) {
    throw new AwsError(
      'InvalidParameterCombination',
      `The Parameter Group ${parameterGroup} with DBParameterGroupFamily ${family} cannot be used for this instance. Please use a Parameter Group with DBParameterGroupFamily postgres${options.major}`,
    );
  }
  requireOptionGroup(call, options.settings.OptionGroupName);
  assertSubnetGroup(call, options.settings.DBSubnetGroupName);
  const port = parameters.integer('Port');
  const place = await findNetworkPlace(context, rds, options.id, port);
  const instance: InstanceRecord = {
    ...options,
    region,
    resourceId: `db-${randomBytes(20).toString('hex').toUpperCase().slice(0, 26)}`,
    status: 'creating',
    createdAt: new Date().toISOString(),
    ...place,
    ...(port === undefined ? {} : { requestedPort: port }),
    pending: {},
    parameterGroup,
    parameterApplyStatus: 'in-sync',
    activeParameterGroup: parameterGroup,
    activeParameters: {},
  };
  // Looked at once more: a port was searched for in between.
  if (isNameTaken(rds, options.id)) throw new AwsError('DBInstanceAlreadyExists', 'DB instance already exists');
  rds.instances[options.id] = instance;
  reservePlace(rds, options.id, place);
  context.store.changed();
  return instance;
}

import { AWS_SECONDS } from '../clock';
import { AwsError } from '../errors';
import { runInBackground } from './background';
import type { RdsCall } from './request';
import { assertInstanceState, requireInstance } from './request';

/** Features for which a PostgreSQL instance takes a role (`SupportedFeatureNames` of its engine version). */
const FEATURES = ['Lambda', 's3Export', 's3Import'];

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddRoleToDBInstance.html */
export function addRoleToDBInstance(call: RdsCall): undefined {
  const { context, parameters } = call;
  const instance = requireInstance(call, parameters.required('DBInstanceIdentifier'));
  const role = parameters.required('RoleArn');
  const feature = parameters.required('FeatureName');
  if (!FEATURES.includes(feature)) {
    throw new AwsError('InvalidParameterValue', `The feature-name ${feature} is not supported by engine postgres.`);
  }
  assertInstanceState(instance, ['available']);
  const roles = (instance.roles ??= []);
  if (roles.some(({ FeatureName }) => FeatureName === feature)) {
    throw new AwsError(
      'DBInstanceRoleAlreadyExists',
      `The feature ${feature} of DB instance ${instance.id} has a role associated already.`,
    );
  }
  const added = { RoleArn: role, FeatureName: feature, Status: 'PENDING' as 'PENDING' | 'ACTIVE' };
  roles.push(added);
  context.store.changed();
  runInBackground(
    context,
    { instance: instance.id, operation: 'add role' },
    async () => {
      await context.clock.pass(AWS_SECONDS.becomeVisible);
      added.Status = 'ACTIVE';
      context.store.changed();
    },
    () => undefined,
  );
  return undefined;
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RemoveRoleFromDBInstance.html */
export function removeRoleFromDBInstance(call: RdsCall): undefined {
  const { context, parameters } = call;
  const instance = requireInstance(call, parameters.required('DBInstanceIdentifier'));
  const [role, feature] = [parameters.required('RoleArn'), parameters.required('FeatureName')];
  const kept = (instance.roles ?? []).filter((one) => one.RoleArn !== role || one.FeatureName !== feature);
  if (kept.length === (instance.roles ?? []).length) {
    throw new AwsError('DBInstanceRoleNotFound', `DB instance ${instance.id} has no role ${role} for ${feature}.`, 404);
  }
  instance.roles = kept;
  context.store.changed();
  return undefined;
}

import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf, parseArn } from './arns';
import type { InstanceRecord, MaintenanceAction } from './model';
import { requireInstance, type RdsCall } from './request';

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribePendingMaintenanceActions.html */
export function describePendingMaintenanceActions(call: RdsCall): Answer {
  const { parameters, rds } = call;
  const filters = readFilters(parameters, ['db-cluster-id', 'db-instance-id']);
  const resource = parameters.text('ResourceIdentifier');
  const names = filters.get('db-instance-id')?.map((name) => parseArn(name)?.name ?? name);
  const wanted = Object.values(rds.instances).filter(
    (one) =>
      (one.maintenance ?? []).length > 0 &&
      (resource === undefined || arnOf('db', one.region, one.id) === resource) &&
      (names?.includes(one.id) ?? true) &&
      !filters.has('db-cluster-id'),
  );
  const page = paginate(parameters, wanted, ({ id }) => id);
  return { PendingMaintenanceActions: page.items.map(resourceShape), Marker: page.marker };
}

/**
 * https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ApplyPendingMaintenanceAction.html. With `immediate` the action is over at once: no
 * maintenance has an effect on a server here.
 */
export function applyPendingMaintenanceAction(call: RdsCall): Answer {
  const { context, parameters } = call;
  const arn = parseArn(parameters.required('ResourceIdentifier'));
  if (arn?.kind !== 'db') throw new AwsError('ResourceNotFoundFault', 'The specified resource was not found.', 404);
  const instance = requireInstance(call, arn.name);
  const name = parameters.required('ApplyAction');
  const optIn = parameters.required('OptInType');
  const action = instance.maintenance?.find((one) => one.action === name);
  if (!action) throw new AwsError('ResourceNotFoundFault', `No ${name} is pending for ${instance.id}.`, 404);
  const others = (instance.maintenance ?? []).filter((one) => one !== action);
  const { currentApply: _applies, ...undated } = action;
  instance.maintenance =
    optIn === 'immediate' ? others : [...others, optIn === 'undo-opt-in' ? undated : { ...action, optInStatus: optIn }];
  context.store.changed();
  return { ResourcePendingMaintenanceActions: resourceShape(instance) };
}

function resourceShape(instance: InstanceRecord): Answer {
  return {
    ResourceIdentifier: arnOf('db', instance.region, instance.id),
    PendingMaintenanceActionDetails: (instance.maintenance ?? []).map(actionShape),
  };
}

function actionShape(one: MaintenanceAction): Answer {
  const date = (text: string | undefined) => (text === undefined ? undefined : new Date(text));
  return {
    Action: one.action,
    Description: one.description,
    AutoAppliedAfterDate: date(one.autoAppliedAfter),
    ForcedApplyDate: date(one.forcedApply),
    CurrentApplyDate: date(one.currentApply),
    OptInStatus: one.optInStatus,
  };
}

import { AwsError } from '../errors';
import { exportLogs } from '../logs/groups';
import type { Answer } from '../query-protocol';
import { AWS_SECONDS } from '../clock';
import { runInBackground } from './background';
import { resolveEngineVersion } from './engine-versions';
import { startInstanceOperation } from './instance-jobs';
import { assertPassword, withInsightsKey } from './instance-operations';
import { assertCeiling, LOG_TYPES, readSettings, settle } from './instance-settings';
import { instanceShape } from './instance-shape';
import { AT_REST, STORAGE } from './instance-states';
import { createMasterSecret, deleteMasterSecret, managesPassword, rotateMasterSecret } from './master-secret';
import type { InstanceRecord, InstanceSettings, PendingValues, StateBesides } from './model';
import { isNameTaken } from './network-place';
import { enforceRules } from './network-rules';
import { requireOptionGroup } from './option-groups';
import { requireParameterGroup } from './parameter-groups';
import type { RdsCall } from './request';
import { assertInstanceState, newIdentifier, requireInstance } from './request';
import { assertSubnetGroup } from './subnet-groups';

/** Settings that wait for the maintenance window unless `ApplyImmediately` is set; AWS applies all others at once. */
const WAITING = [
  'DBInstanceClass',
  'AllocatedStorage',
  'BackupRetentionPeriod',
  'MultiAZ',
  'Iops',
  'StorageThroughput',
  'StorageType',
  'CACertificateIdentifier',
  'DBSubnetGroupName',
  'IAMDatabaseAuthenticationEnabled',
  'DedicatedLogVolume',
] as const satisfies readonly (keyof InstanceSettings)[];

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html */
export function modifyDBInstance(call: RdsCall): Answer {
  const { context, parameters } = call;
  const instance = requireInstance(call, parameters.required('DBInstanceIdentifier'));
  const requested = withInsightsKey(call, readSettings(parameters));
  const managed = managesPassword(parameters);
  const given = parameters.text('MasterUserPassword');
  if (given !== undefined) assertPassword(given);
  assertVersion(call, instance);
  const newId = parameters.has('NewDBInstanceIdentifier')
    ? newIdentifier(call, 'NewDBInstanceIdentifier', 63)
    : undefined;
  if (newId !== undefined && newId !== instance.id && isNameTaken(call.rds, newId, instance)) {
    throw new AwsError('DBInstanceAlreadyExists', 'DB instance already exists');
  }
  const groupName = parameters.text('DBParameterGroupName')?.toLowerCase();
  if (groupName !== undefined) assertGroup(call, instance, groupName);
  assertInstanceState(
    instance,
    [...AT_REST, 'stopped', 'incompatible-parameters'],
    `Database instance is not in available state.`,
  );
  if (requested.AllocatedStorage !== undefined && requested.AllocatedStorage < instance.settings.AllocatedStorage) {
    throw new AwsError(
      'InvalidParameterCombination',
      'Requested storage size is smaller than the current one: storage cannot be reduced.',
    );
  }

  if (instance.status === 'storage-optimization' && STORAGE.some((name) => differs(instance, requested, name))) {
    throw new AwsError(
      'InvalidParameterCombination',
      "You can't currently modify the storage of this DB instance because the previous storage change is being optimized.",
    );
  }
  const storage = { ...instance.settings, ...instance.pending, ...requested };
  // A ceiling at the size itself turns storage autoscaling off.
  if (requested.MaxAllocatedStorage !== storage.AllocatedStorage) {
    assertCeiling({
      AllocatedStorage: storage.AllocatedStorage,
      MaxAllocatedStorage: requested.MaxAllocatedStorage,
    });
  }
  settle(storage, performanceGiven(instance, requested));
  if (requested.OptionGroupName !== undefined) requireOptionGroup(call, requested.OptionGroupName);
  if (requested.DBSubnetGroupName !== undefined) assertSubnetGroup(call, requested.DBSubnetGroupName);

  const isMonitoring = MONITORING.some((name) => differs(instance, requested, name));
  const exported = logExports(call, instance);
  const states: StateBesides[] = [
    ...(isMonitoring ? (['configuring-enhanced-monitoring'] as const) : []),
    ...(sameNames(exported, instance.settings.EnabledCloudwatchLogsExports)
      ? []
      : (['configuring-log-exports'] as const)),
  ];
  const waiting: PendingValues = {};
  for (const [name, value] of Object.entries(requested)) {
    const current = instance.settings[name as keyof InstanceSettings];
    if (!(WAITING as readonly string[]).includes(name)) Object.assign(instance.settings, { [name]: value });
    else if (value === current) delete instance.pending[name as keyof PendingValues];
    else Object.assign(waiting, { [name]: value });
  }
  instance.settings = settle({ ...instance.settings, EnabledCloudwatchLogsExports: exported });
  exportLogs(context, instance);
  const password = changedSecret(call, instance, managed) ?? given;
  if (password !== undefined) waiting.MasterUserPassword = password;
  if (newId !== undefined && newId !== instance.id) waiting.DBInstanceIdentifier = newId;
  Object.assign(instance.pending, waiting);
  if (groupName !== undefined && groupName !== instance.parameterGroup) associate(call, instance, groupName);
  context.store.changed();
  if (requested.VpcSecurityGroupIds) enforceRules(context, instance);

  const applyNow = parameters.flag('ApplyImmediately') ?? false;
  // A password is set at once whatever the request says; the rest of what waits comes with the next immediate change.
  if (
    instance.status !== 'stopped' &&
    ((applyNow && Object.keys(instance.pending).length > 0) || password !== undefined || states.length > 0)
  ) {
    startInstanceOperation(context, instance, { kind: 'modify', states }, call.stall);
  }
  return { DBInstance: instanceShape(instance, call) };
}

const MONITORING = ['MonitoringInterval', 'MonitoringRoleArn'] as const;

const differs = (
  { settings }: InstanceRecord,
  requested: Partial<InstanceSettings>,
  name: keyof InstanceSettings,
): boolean => requested[name] !== undefined && requested[name] !== settings[name];

const sameNames = (left: readonly string[], right: readonly string[]): boolean =>
  JSON.stringify([...left].sort()) === JSON.stringify([...right].sort());

/** A small gp3 volume shows its fixed performance; saying it again is refused by RDS, too. */
function performanceGiven(
  instance: InstanceRecord,
  requested: Partial<InstanceSettings>,
): Pick<Partial<InstanceSettings>, 'Iops' | 'StorageThroughput'> {
  const { Iops, StorageThroughput } = requested;
  if (Iops !== undefined && requested.AllocatedStorage === undefined && requested.StorageType === undefined) {
    if (instance.settings.StorageType !== 'gp3') {
      throw new AwsError(
        'InvalidParameterCombination',
        'You must specify both the storage size and iops when modifying the storage size or iops on a DB instance that has iops.',
      );
    }
  }
  return { ...(Iops === undefined ? {} : { Iops }), ...(StorageThroughput === undefined ? {} : { StorageThroughput }) };
}

/** A password that RDS makes and keeps in a secret; or that it hands over to the user, who then has to give one. */
function changedSecret(call: RdsCall, instance: InstanceRecord, managed: boolean): string | undefined {
  const { context, parameters } = call;
  if (managed && !instance.masterSecret) {
    return createMasterSecret(context, instance, parameters.text('MasterUserSecretKmsKeyId')).password;
  }
  if (parameters.flag('RotateMasterUserPassword')) {
    if (!instance.masterSecret || !parameters.flag('ApplyImmediately')) {
      throw new AwsError(
        'InvalidParameterCombination',
        'RotateMasterUserPassword needs a managed master password and ApplyImmediately.',
      );
    }
    return rotateMasterSecret(context, instance, instance.masterSecret);
  }
  if (parameters.flag('ManageMasterUserPassword') === false && instance.masterSecret) {
    if (!parameters.has('MasterUserPassword')) {
      throw new AwsError(
        'InvalidParameterCombination',
        'MasterUserPassword is required when ManageMasterUserPassword is turned off.',
      );
    }
    deleteMasterSecret(context, instance);
  }
  return undefined;
}

/** The association changes at once; the values take effect with the next reboot, dynamic ones as well. */
function associate({ context, stall }: RdsCall, instance: InstanceRecord, groupName: string): void {
  instance.parameterGroup = groupName;
  instance.parameterApplyStatus = 'applying';
  runInBackground(
    context,
    { instance: instance.id, operation: 'associate' },
    async () => {
      await context.clock.pass(AWS_SECONDS.applyParameters);
      await context.faults.whileStalled(stall, 'applying', context.shutdown);
      if (instance.parameterGroup === groupName && instance.parameterApplyStatus === 'applying') {
        instance.parameterApplyStatus = instance.activeParameterGroup === groupName ? 'in-sync' : 'pending-reboot';
        context.store.changed();
      }
    },
    () => undefined,
  );
}

function assertGroup(call: RdsCall, instance: InstanceRecord, groupName: string): void {
  const { family } = requireParameterGroup(call, groupName);
  if (family !== `postgres${instance.major}`) {
    throw new AwsError(
      'InvalidParameterCombination',
      `The Parameter Group ${groupName} with DBParameterGroupFamily ${family} cannot be used for this instance. Please use a Parameter Group with DBParameterGroupFamily postgres${instance.major}`,
    );
  }
}

function assertVersion({ parameters }: RdsCall, instance: InstanceRecord): void {
  const requested = parameters.text('EngineVersion');
  if (requested === undefined) return;
  const { version } = resolveEngineVersion(requested);
  if (version !== instance.engineVersion) {
    throw new AwsError(
      'InvalidParameterCombination',
      `Cannot upgrade postgres from ${instance.engineVersion} to ${version}`,
    );
  }
}

function logExports({ parameters }: RdsCall, instance: InstanceRecord): string[] {
  const change = parameters.structure('CloudwatchLogsExportConfiguration');
  const enable = change?.texts('EnableLogTypes') ?? [];
  const disable = change?.texts('DisableLogTypes') ?? [];
  const unknown = [...enable, ...disable].find((name) => !LOG_TYPES.includes(name));
  if (unknown !== undefined) {
    throw new AwsError(
      'InvalidParameterCombination',
      `You cannot use the log types '${unknown}' with engine version postgres.`,
    );
  }
  const kept = instance.settings.EnabledCloudwatchLogsExports.filter((name) => !disable.includes(name));
  return [...new Set([...kept, ...enable])];
}

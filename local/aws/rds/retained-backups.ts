import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import type { InstanceRecord, RdsState, RetainedBackupRecord } from './model';
import type { RdsCall } from './request';

/** Notes what stays of an instance that is deleted with `DeleteAutomatedBackups=false`. */
export function retainBackups(
  rds: RdsState,
  { id, region, resourceId, engineVersion, kmsKeyArn, settings }: InstanceRecord,
): void {
  const retentionDays = settings.BackupRetentionPeriod;
  rds.retainedBackups = {
    ...rds.retainedBackups,
    [resourceId]: { resourceId, instance: id, region, engineVersion, kmsKeyArn, retentionDays },
  };
}

/**
 * Refuses to retain more. "The retained automated backups quota is the same as your DB instance quota."
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html
 */
export function assertRoomForBackups({ context, rds }: RdsCall): void {
  if (Object.keys(rds.retainedBackups ?? {}).length < context.store.quotas.instances) return;
  throw new AwsError(
    'DBInstanceAutomatedBackupQuotaExceeded',
    'The quota for retained automated backups was exceeded. This prevents you from retaining any additional automated backups.',
  );
}

const shapeOf = (backup: RetainedBackupRecord) => ({
  DBInstanceArn: arnOf('db', backup.region, backup.instance),
  DbiResourceId: backup.resourceId,
  DBInstanceIdentifier: backup.instance,
  Region: backup.region,
  Status: 'retained',
  Engine: 'postgres',
  EngineVersion: backup.engineVersion,
  Encrypted: backup.kmsKeyArn !== undefined,
  KmsKeyId: backup.kmsKeyArn,
  BackupRetentionPeriod: backup.retentionDays,
});

/**
 * Only those that are retained: the ones of instances that are there are not modelled.
 * https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstanceAutomatedBackups.html
 */
export function describeDBInstanceAutomatedBackups({ parameters, rds }: RdsCall): Answer {
  const resourceId = parameters.text('DbiResourceId');
  const instance = parameters.text('DBInstanceIdentifier')?.toLowerCase();
  const filters = readFilters(parameters, ['status', 'db-instance-id', 'dbi-resource-id']);
  const wanted = Object.values(rds.retainedBackups ?? {}).filter(
    (one) =>
      (resourceId === undefined || one.resourceId === resourceId) &&
      (instance === undefined || one.instance === instance) &&
      (filters.get('status')?.includes('retained') ?? true) &&
      (filters.get('db-instance-id')?.includes(one.instance) ?? true) &&
      (filters.get('dbi-resource-id')?.includes(one.resourceId) ?? true),
  );
  const page = paginate(parameters, wanted, ({ resourceId: key }) => key);
  return { DBInstanceAutomatedBackups: page.items.map(shapeOf), Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstanceAutomatedBackup.html */
export function deleteDBInstanceAutomatedBackup({ context, parameters, rds }: RdsCall): Answer {
  const resourceId = parameters.required('DbiResourceId');
  const { [resourceId]: found, ...rest } = rds.retainedBackups ?? {};
  if (!found)
    throw new AwsError('DBInstanceAutomatedBackupNotFound', `DBInstanceAutomatedBackup ${resourceId} not found.`);
  rds.retainedBackups = rest;
  context.store.changed();
  return { DBInstanceAutomatedBackup: { ...shapeOf(found), Status: 'deleting' } };
}

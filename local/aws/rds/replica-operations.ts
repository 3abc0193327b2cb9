import { AwsError } from '../errors';
import type { Answer } from '../query-protocol';
import { arnOf } from './arns';
import { startInstanceOperation } from './instance-jobs';
import { withInsightsKey } from './instance-operations';
import { assertCeiling, defaultSettings, readSettings, settle } from './instance-settings';
import { instanceShape } from './instance-shape';
import { addInstance } from './new-instance';
import type { RdsCall } from './request';
import { assertInstanceState, newIdentifier, readTags, requireInstance } from './request';

/**
 * https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html. In one region only. Data and storage are the primary's; of the
 * settings only a few are, the others are AWS's defaults. The parameter group is the primary's, and nobody may name another here
 * (https://github.com/hashicorp/terraform-provider-aws/issues/38227).
 */
export async function createDBInstanceReadReplica(call: RdsCall): Promise<Answer> {
  const { context, parameters, region } = call;
  const id = newIdentifier(call, 'DBInstanceIdentifier', 63);
  const reference = parameters.required('SourceDBInstanceIdentifier');
  const primary = requireInstance(call, reference.replace(arnOf('db', region, ''), ''));
  assertInstanceState(primary, ['available']);
  if (primary.settings.BackupRetentionPeriod === 0) {
    throw new AwsError(
      'InvalidDBInstanceState',
      'Automated backups are not enabled for this database instance. To enable automated backups, use ModifyDBInstance to set the backup retention period to a non-zero value.',
    );
  }
  if (parameters.has('DBParameterGroupName')) {
    throw new AwsError(
      'InvalidParameterCombination',
      "A parameter group can't be specified during Read Replica creation for the following DB engine: postgres",
    );
  }
  const requested = withInsightsKey(call, readSettings(parameters));
  assertCeiling({ AllocatedStorage: primary.settings.AllocatedStorage, ...requested });
  const { major, engineVersion, masterUsername, dbName, kmsKeyArn, settings } = primary;
  const { DBInstanceClass, AllocatedStorage, StorageType, Iops, StorageThroughput, DBSubnetGroupName } = settings;
  const inherited = { DBInstanceClass, AllocatedStorage, StorageType, Iops, StorageThroughput, DBSubnetGroupName };
  const { OptionGroupName, AutoMinorVersionUpgrade } = settings;
  const instance = await addInstance(
    call,
    {
      id,
      major,
      engineVersion,
      masterUsername,
      dbName,
      kmsKeyArn,
      settings: settle(
        {
          ...defaultSettings(region, major),
          ...inherited,
          OptionGroupName,
          AutoMinorVersionUpgrade,
          BackupRetentionPeriod: 0,
          ...requested,
        },
        requested,
      ),
      tags: readTags(parameters) ?? [],
      replicaOf: primary.resourceId,
    },
    primary.parameterGroup,
  );
  startInstanceOperation(context, instance, { kind: 'replicate' }, call.stall);
  return { DBInstance: instanceShape(instance, call) };
}

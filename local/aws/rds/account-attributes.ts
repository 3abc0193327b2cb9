import type { Answer } from '../query-protocol';
import type { RdsCall } from './request';

/** GiB; AWS's default. */
const ALLOCATED_STORAGE = 100_000;

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeAccountAttributes.html */
export function describeAccountAttributes({ context, rds }: RdsCall): Answer {
  const { quotas } = context.store;
  return {
    AccountQuotas: [
      { AccountQuotaName: 'DBInstances', Used: Object.keys(rds.instances).length, Max: quotas.instances },
      { AccountQuotaName: 'ManualSnapshots', Used: Object.keys(rds.snapshots).length, Max: quotas.manualSnapshots },
      {
        AccountQuotaName: 'DBParameterGroups',
        Used: Object.keys(rds.parameterGroups).length,
        Max: quotas.parameterGroups,
      },
      {
        AccountQuotaName: 'AllocatedStorage',
        Used: Object.values(rds.instances).reduce((sum, { settings }) => sum + settings.AllocatedStorage, 0),
        Max: quotas.allocatedStorage ?? ALLOCATED_STORAGE,
      },
      { AccountQuotaName: 'OptionGroups', Used: Object.keys(rds.optionGroups ?? {}).length, Max: 20 },
      { AccountQuotaName: 'DBSubnetGroups', Used: 1 + Object.keys(rds.subnetGroups ?? {}).length, Max: 50 },
      { AccountQuotaName: 'ReadReplicasPerMaster', Used: 0, Max: 15 },
    ],
  };
}

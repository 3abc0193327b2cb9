import type { Answer } from '../query-protocol';
import type { RdsCall } from './request';

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
    ],
  };
}

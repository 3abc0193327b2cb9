import { cloudwatchOperations } from '../cloudwatch/operations';
import type { Context } from '../context';
import { EC2_OPERATIONS } from '../ec2/operations';
import { IAM_OPERATIONS } from '../iam/operations';
import { kmsOperations } from '../kms/operations';
import { logsOperations } from '../logs/operations';
import { pricingOperations } from '../pricing/operations';
import { RDS_OPERATIONS } from '../rds/operations';
import { ROUTE53 } from '../route53/operations';
import { S3 } from '../s3/operations';
import { secretsOperations } from '../secrets/operations';
import { ssmOperations } from '../ssm/operations';
import type { ServiceName } from './model';

/** The operations that the stand-in has, by service. */
export function operationNames(): Record<ServiceName, readonly string[]> {
  // The tables are asked for their names only.
  const context = {} as Context;
  return {
    rds: Object.keys(RDS_OPERATIONS),
    kms: Object.keys(kmsOperations(context)),
    secretsmanager: Object.keys(secretsOperations(context)),
    ssm: Object.keys(ssmOperations(context)),
    ec2: Object.keys(EC2_OPERATIONS),
    iam: Object.keys(IAM_OPERATIONS),
    sts: ['GetCallerIdentity'],
    monitoring: Object.keys(cloudwatchOperations(context)),
    logs: Object.keys(logsOperations(context)),
    pricing: Object.keys(pricingOperations()),
    route53: ROUTE53.operations,
    s3: S3.operations,
  };
}

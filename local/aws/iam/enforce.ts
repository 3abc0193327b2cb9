import type { CredentialScope } from '../credential-scope';
import { AwsError } from '../errors';
import { ACCOUNT_ID, type Store } from '../state';
import { decide, policyDocument, type PolicyDocument } from './policy';

/** The prefix of a service's actions where it isn't the service's name in a signature. */
const PREFIXES: Readonly<Record<string, string>> = { monitoring: 'cloudwatch' };

/** The word for a refused call, which isn't the same everywhere. */
const CODES: Readonly<Record<string, string>> = {
  rds: 'AccessDenied',
  iam: 'AccessDenied',
  ec2: 'UnauthorizedOperation',
  route53: 'AccessDenied',
  s3: 'AccessDenied',
};

/** Actions that aren't called like the operation that they allow. */
const ACTIONS: Readonly<Record<string, string>> = {
  's3:ListObjectsV2': 's3:ListBucket',
  's3:HeadBucket': 's3:ListBucket',
  's3:HeadObject': 's3:GetObject',
  's3:ListBuckets': 's3:ListAllMyBuckets',
};

/** Who signs with an access key: a user named like it. */
export const callerArn = ({ accessKeyId }: CredentialScope): string => `arn:aws:iam::${ACCOUNT_ID}:user/${accessKeyId}`;

/** The policy in force; none allows everything. */
export function currentPolicy(store: Store): PolicyDocument | undefined {
  const { policy } = store.iam;
  return policy === undefined ? undefined : policyDocument.parse(JSON.parse(policy));
}

/** Refuses a call that the policy doesn't allow on any resource, if tests asked for that. */
export function enforcePolicy(store: Store, scope: CredentialScope, operation: string): void {
  if (!store.iam.enforce || scope.service === 'sts') return;
  const name = `${PREFIXES[scope.service] ?? scope.service}:${operation}`;
  const action = ACTIONS[name] ?? name;
  const decision = decide(currentPolicy(store), action, undefined);
  if (decision === 'allowed') return;
  const because =
    decision === 'explicitDeny'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  const resource = scope.service === 'ec2' ? '' : ' on resource: *';
  const json = ['kms', 'secretsmanager', 'ssm', 'monitoring', 'logs', 'pricing'].includes(scope.service);
  throw new AwsError(
    CODES[scope.service] ?? 'AccessDeniedException',
    `User: ${callerArn(scope)} is not authorized to perform: ${action}${resource} ${because}`,
    json ? 400 : 403,
  );
}

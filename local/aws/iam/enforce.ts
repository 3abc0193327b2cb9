import type { CredentialScope } from '../credential-scope';
import { AwsError } from '../errors';
import type { KeyUse } from '../kms/policy';
import { ACCOUNT_ID, type Store } from '../state';
import type { Tag } from '../rds/model';
import { decide, type Decision, policyDocument, type PolicyDocument } from './policy';
import { arnOfRds, type CallNames, resourcesOf } from './resources';

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

/** Calls that make something that they tag, and the parameter that names it. */
const MAKES: Readonly<Record<string, string>> = {
  'rds:CreateDBInstance': 'DBInstanceIdentifier',
  'rds:CreateDBInstanceReadReplica': 'DBInstanceIdentifier',
  'rds:CreateDBParameterGroup': 'DBParameterGroupName',
  'rds:CreateDBSnapshot': 'DBSnapshotIdentifier',
  'rds:CopyDBSnapshot': 'TargetDBSnapshotIdentifier',
  'rds:RestoreDBInstanceFromDBSnapshot': 'DBInstanceIdentifier',
};

/** Who signs with an access key: a user named like it. */
export const callerArn = ({ accessKeyId }: CredentialScope): string => `arn:aws:iam::${ACCOUNT_ID}:user/${accessKeyId}`;

/** The policy in force; none allows everything. */
export function currentPolicy(store: Store): PolicyDocument | undefined {
  const { policy } = store.iam;
  return policy === undefined ? undefined : policyDocument.parse(JSON.parse(policy));
}

/**
 * Refuses a call that the policy doesn't allow, if tests asked for that: on each resource that it is about, or, where the stand-in doesn't know them, on any.
 * Tags in a call that makes something need the right to tag it, too.
 */
export function enforcePolicy(store: Store, scope: CredentialScope, operation: string, read?: () => CallNames): void {
  try {
    holdAgainstPolicy(store, scope, operation, read);
  } catch (error) {
    if (error instanceof Refusal) note(store, error.what);
    throw error;
  }
}

/**
 * Whether the policy, where it is enforced, lets a caller do what a service asks of a key in the caller's name. Noted if it doesn't.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
 */
export function policyLetsUseKey(store: Store, scope: CredentialScope, keyArn: string, use: KeyUse): boolean {
  if (!isHeld(store, scope)) return true;
  const context = new Map([
    ...(use.via === undefined ? [] : [['kms:viaservice', [use.via]] as const]),
    ['kms:grantisforawsresource', [String(use.grantIsForAwsResource ?? false)]] as const,
  ]);
  if (decide(currentPolicy(store), use.action, keyArn, context) === 'allowed') return true;
  note(store, `${use.action} on ${keyArn}`);
  return false;
}

/** A call that the policy doesn't allow. */
class Refusal extends AwsError {
  constructor(
    readonly what: string,
    code: string,
    message: string,
    status: number,
  ) {
    super(code, message, status);
  }
}

function note(store: Store, what: string): void {
  store.iam.refused = [...new Set([...(store.iam.refused ?? []), what])];
  store.changed();
}

/** Whether the policy is enforced on a caller. */
function isHeld({ iam: { enforce, caller } }: Store, { accessKeyId }: CredentialScope): boolean {
  return enforce && (caller === undefined || caller === accessKeyId);
}

function holdAgainstPolicy(store: Store, scope: CredentialScope, operation: string, read?: () => CallNames): void {
  if (scope.service === 'sts' || !isHeld(store, scope)) return;
  const name = `${PREFIXES[scope.service] ?? scope.service}:${operation}`;
  const action = ACTIONS[name] ?? name;
  const policy = currentPolicy(store);
  const names = read?.();
  const resources = names && resourcesOf(scope.service, operation, names, scope.region, store.region(scope.region));
  if (!names || !resources) {
    refuseUnless(decide(policy, action, undefined), scope, action, '*');
    return;
  }
  for (const { arn, tags } of resources) {
    const context = new Map([...keysOf('RequestTag', names.tags), ...keysOf('ResourceTag', tags)]);
    refuseUnless(decide(policy, action, arn, context), scope, action, arn);
  }
  const parameter = MAKES[name];
  if (parameter === undefined || names.tags.length === 0) return;
  const made = arnOfRds(parameter, names, scope.region) ?? '*';
  const context = new Map(keysOf('RequestTag', names.tags));
  refuseUnless(decide(policy, 'rds:AddTagsToResource', made, context), scope, 'rds:AddTagsToResource', made);
}

const keysOf = (kind: 'RequestTag' | 'ResourceTag', tags: readonly Tag[]): [string, readonly string[]][] =>
  tags.map(({ Key, Value }) => [`aws:${kind}/${Key}`.toLowerCase(), [Value]]);

function refuseUnless(decision: Decision, scope: CredentialScope, action: string, arn: string): void {
  if (decision === 'allowed') return;
  const because =
    decision === 'explicitDeny'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  const resource = scope.service === 'ec2' ? '' : ` on resource: ${arn}`;
  const json = ['kms', 'secretsmanager', 'ssm', 'monitoring', 'logs', 'pricing'].includes(scope.service);
  throw new Refusal(
    `${action} on ${arn}`,
    CODES[scope.service] ?? 'AccessDeniedException',
    `User: ${callerArn(scope)} is not authorized to perform: ${action}${resource} ${because}`,
    json ? 400 : 403,
  );
}

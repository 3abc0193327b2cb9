import { z } from 'zod';
import { fulfils, matches } from '../iam/policy';
import { ACCOUNT_ID } from '../state';

const oneOrMore = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : [value]));
const policyDocument = z.object({ Statement: z.union([z.array(z.unknown()), z.unknown().transform((one) => [one])]) });
const statement = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.union([z.literal('*'), z.record(z.string(), oneOrMore)]).optional(),
  Action: oneOrMore.optional(),
  Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
});

/** What somebody of the account does with a key. */
export interface KeyUse {
  /** As policies write it, such as `kms:CreateGrant`. */
  readonly action: string;
  /** The service that asks in the caller's name (`kms:ViaService`), such as `rds.eu-central-1.amazonaws.com`; absent: the caller asks KMS itself. */
  readonly via?: string;
  /** Whether a grant is one for a resource of AWS (`kms:GrantIsForAWSResource`). */
  readonly grantIsForAwsResource?: boolean;
}

/** What a policy says of a use, in the words of KMS's refusals. */
export type KeyDecision = 'allowed' | 'explicitDeny' | 'implicitDeny';

/** The policy that KMS gives a key when the caller names none. */
export function defaultKeyPolicy(): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${ACCOUNT_ID}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  });
}

/**
 * The policy of a key that AWS manages for a service: everybody who may use the service uses the key by way of it, and nobody otherwise.
 * `aws kms get-key-policy --key-id alias/aws/rds --policy-name default` shows the real one (docs/local.md, Probe on the first real run).
 */
export function managedKeyPolicy(service: string, region: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Id: `auto-${service}-1`,
    Statement: [
      {
        Sid: `Allow access through ${service} for all principals in the account that are authorized to use ${service}`,
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: [
          'kms:Encrypt',
          'kms:Decrypt',
          'kms:ReEncrypt*',
          'kms:GenerateDataKey*',
          'kms:CreateGrant',
          'kms:ListGrants',
          'kms:DescribeKey',
        ],
        Resource: '*',
        Condition: {
          StringEquals: { 'kms:CallerAccount': ACCOUNT_ID, 'kms:ViaService': `${service}.${region}.amazonaws.com` },
        },
      },
      {
        Sid: 'Allow direct access to key metadata to the account',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${ACCOUNT_ID}:root` },
        Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'],
        Resource: '*',
      },
    ],
  });
}

/** Whether a text is a key policy at all. */
export function isKeyPolicy(text: string): boolean {
  return parseStatements(text) !== undefined;
}

/**
 * What a key policy says of a use by a caller of this account. All of the account's principals are taken to be allowed what one of them is.
 * Conditions are looked at: a direct call has no `kms:ViaService`, so a statement that asks for one says nothing of it.
 * https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
 */
export function decideByKeyPolicy(policy: string, { action, via, grantIsForAwsResource }: KeyUse): KeyDecision {
  const context = new Map([
    ['kms:calleraccount', [ACCOUNT_ID]],
    ['aws:principalaccount', [ACCOUNT_ID]],
    ...(via === undefined ? [] : [['kms:viaservice', [via]] as const]),
    ...(action === 'kms:CreateGrant'
      ? [['kms:grantisforawsresource', [String(grantIsForAwsResource ?? false)]] as const]
      : []),
  ]);
  const applying = (parseStatements(policy) ?? []).filter(
    (one) =>
      coversPrincipal(one.Principal) &&
      (one.Action ?? []).some((pattern) => matches(pattern, action)) &&
      fulfils(one.Condition, context),
  );
  if (applying.some(({ Effect }) => Effect === 'Deny')) return 'explicitDeny';
  return applying.length > 0 ? 'allowed' : 'implicitDeny';
}

/**
 * Whether a caller of this account may use the key by way of RDS: it looks at the key, and makes a grant with which it does everything else.
 * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html
 */
export function policyLetsRdsUse(policy: string, region: string): boolean {
  return usesByRds(region).every((use) => decideByKeyPolicy(policy, use) === 'allowed');
}

/** How RDS uses a key that it is to encrypt storage with. */
export function usesByRds(region: string): readonly KeyUse[] {
  const via = `rds.${region}.amazonaws.com`;
  return [
    { action: 'kms:DescribeKey', via },
    { action: 'kms:CreateGrant', via, grantIsForAwsResource: true },
  ];
}

function parseStatements(text: string): z.infer<typeof statement>[] | undefined {
  try {
    return policyDocument.parse(JSON.parse(text)).Statement.map((one) => statement.parse(one));
  } catch {
    return undefined;
  }
}

function coversPrincipal(principal: z.infer<typeof statement>['Principal']): boolean {
  if (principal === undefined) return false;
  if (principal === '*') return true;
  return (principal['AWS'] ?? []).some(
    (name) => name === '*' || name === ACCOUNT_ID || name.includes(`::${ACCOUNT_ID}:`),
  );
}

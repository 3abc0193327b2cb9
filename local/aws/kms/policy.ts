import { z } from 'zod';
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

/** What RDS needs of a key to encrypt storage with it (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html). */
const NEEDED_BY_RDS = ['kms:CreateGrant', 'kms:DescribeKey', 'kms:GenerateDataKeyWithoutPlaintext', 'kms:Decrypt'];

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

/** Whether a text is a key policy at all. */
export function isKeyPolicy(text: string): boolean {
  return parseStatements(text) !== undefined;
}

/**
 * Whether a caller of this account may use the key by way of RDS. Principals of the account are all taken to be allowed what the account is;
 * of conditions only `kms:ViaService` is looked at.
 */
export function policyLetsRdsUse(policy: string, region: string): boolean {
  const statements = parseStatements(policy) ?? [];
  const applies = (one: z.infer<typeof statement>, action: string) =>
    coversPrincipal(one.Principal) && coversService(one.Condition, region) && coversAction(one.Action ?? [], action);
  return NEEDED_BY_RDS.every(
    (action) =>
      statements.some((one) => one.Effect === 'Allow' && applies(one, action)) &&
      !statements.some((one) => one.Effect === 'Deny' && applies(one, action)),
  );
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

function coversService(condition: z.infer<typeof statement>['Condition'], region: string): boolean {
  for (const [operator, tests] of Object.entries(condition ?? {})) {
    const services = tests['kms:ViaService'];
    if (!services) continue;
    const named = services.some((service) => matches(service, `rds.${region}.amazonaws.com`));
    if (operator.includes('Not') ? named : !named) return false;
  }
  return true;
}

function coversAction(patterns: readonly string[], action: string): boolean {
  return patterns.some((pattern) => matches(pattern, action));
}

function matches(pattern: string, text: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 'i').test(text);
}

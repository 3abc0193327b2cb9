import { decide, type Decision, readPolicy } from '../../../local/aws/iam/policy';
import { list, read } from './read';

interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

/** IAM prefix of each SDK client. */
const PREFIXES: Readonly<Record<string, string>> = {
  '@aws-sdk/client-rds': 'rds',
  '@aws-sdk/client-kms': 'kms',
  '@aws-sdk/client-secrets-manager': 'secretsmanager',
  '@aws-sdk/client-ssm': 'ssm',
  '@aws-sdk/client-sts': 'sts',
  '@aws-sdk/client-ec2': 'ec2',
  '@aws-sdk/client-iam': 'iam',
  '@aws-sdk/client-cloudwatch': 'cloudwatch',
  '@aws-sdk/client-cloudwatch-logs': 'logs',
  '@aws-sdk/client-pricing': 'pricing',
  '@aws-sdk/client-route-53': 'route53',
  '@aws-sdk/client-s3': 's3',
};

/** Not calls of ours, but needed by calls of ours. */
const IMPLIED = [
  // Tags in a create call.
  'rds:AddTagsToResource',
  'secretsmanager:TagResource',
  // Roles that the target gets as the source has them.
  'iam:PassRole',
  // RDS uses the key with the caller's permissions.
  'kms:CreateGrant',
];

const FILES = ['docs/iam-policy.json', 'docs/iam-policy-options.json'];
const statements = FILES.flatMap((file) => (JSON.parse(read(file)) as { Statement: readonly Statement[] }).Statement);
const asList = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value);
const allowed = [...new Set(statements.flatMap(({ Action }) => asList(Action)))];

const matches = (pattern: string, action: string): boolean =>
  pattern.endsWith('*') ? action.startsWith(pattern.slice(0, -1)) : pattern === action;

/** Every operation that activities/ and worker/ import a command or a paginator of. */
function called(): string[] {
  const found = new Set<string>();
  for (const folder of ['activities', 'worker']) {
    for (const name of list(folder, '.ts')) {
      const imports = read(`${folder}/${name}`).matchAll(
        /import (?:type )?\{([^}]*)\} from '(@aws-sdk\/client-[\w-]+)'/g,
      );
      for (const [, names = '', client = ''] of imports) {
        for (const [, command, page] of names.matchAll(/\b(?:([A-Z]\w*)Command|paginate(\w+))\b/g)) {
          found.add(`${PREFIXES[client] ?? client}:${command ?? page}`);
        }
      }
    }
  }
  return [...found].sort();
}

test('finds the calls', () => {
  expect(called()).toEqual(
    expect.arrayContaining(['rds:CopyDBSnapshot', 'rds:DescribeDBParameters', 'ssm:PutParameter']),
  );
});

test('allows every call of the activities', () => {
  expect(called().filter((action) => !allowed.some((pattern) => matches(pattern, action)))).toEqual([]);
});

test('allows nothing that nobody calls', () => {
  const needed = [...called(), ...IMPLIED];
  expect(allowed.filter((pattern) => !needed.some((action) => pattern === action || matches(pattern, action)))).toEqual(
    [],
  );
});

test('changes are allowed on named resources only', () => {
  const everywhere = statements.filter(({ Resource }) => asList(Resource).includes('*'));
  for (const { Effect, Action } of everywhere) {
    expect(Effect).toBe('Allow');
    for (const action of asList(Action))
      expect(action).toMatch(/^((rds|ec2|logs|ssm):(Describe|List)|(cloudwatch|iam|pricing|sts):(Get|Simulate))/);
  }
});

test.each(FILES)('%s fits into one managed policy', (file) => {
  expect(JSON.stringify(JSON.parse(read(file))).length).toBeLessThanOrEqual(6_144);
});

describe('filled in for app and app-encrypted', () => {
  const filled = JSON.stringify({ Statement: statements })
    .replaceAll('REGION', 'eu-central-1')
    .replaceAll('ACCOUNT', '123456789012')
    .replaceAll('RENAMED-SOURCE', 'app-old')
    .replaceAll('SOURCE-INSTANCE', 'app')
    .replaceAll('TARGET-INSTANCE', 'app-encrypted')
    .replaceAll('SOURCE-MASTER-SECRET', 'app-master')
    .replaceAll('TRAFFIC-SECRET', 'app-url');
  const policy = readPolicy(filled);
  const rds = (name: string) => `arn:aws:rds:eu-central-1:123456789012:${name}`;
  const secret = (name: string) => `arn:aws:secretsmanager:eu-central-1:123456789012:secret:${name}`;
  const decision = (action: string, resource: string, tags: Record<string, string>): Decision => {
    if (!policy) throw new Error('no policy');
    const context = Object.entries(tags).map(([key, value]) => [`aws:${key}`.toLowerCase(), [value]] as const);
    return decide(policy, action, resource, new Map(context));
  };
  const ours = { 'ResourceTag/keyshift:migration': 'm' };
  const made = { 'RequestTag/keyshift:migration': 'm' };
  const managedFor = (name: string) => ({ 'ResourceTag/aws:rds:primaryDBInstanceArn': rds(`db:${name}`) });

  it.each<[string, string, Record<string, string>]>([
    ['rds:ModifyDBInstance', rds('db:app'), {}],
    ['rds:DeleteDBInstance', rds('db:app'), {}],
    ['rds:CreateDBSnapshot', rds('db:app'), {}],
    ['rds:CreateDBSnapshot', rds('db:app-old'), {}],
    ['rds:CreateDBSnapshot', rds('snapshot:keyshift-m-final'), {}],
    ['rds:RestoreDBInstanceFromDBSnapshot', rds('db:app-encrypted'), made],
    ['rds:AddTagsToResource', rds('db:app-encrypted'), made],
    ['rds:CreateDBInstanceReadReplica', rds('db:app-encrypted'), ours],
    ['rds:CreateDBInstanceReadReplica', rds('db:app-encrypted-reports'), made],
    ['rds:RebootDBInstance', rds('db:app-encrypted'), ours],
    ['rds:DeleteDBInstance', rds('db:app-encrypted'), ours],
    ['rds:DeleteDBInstance', rds('db:app-encrypted-reports'), ours],
    ['rds:DeleteDBSnapshot', rds('snapshot:keyshift-m-source'), ours],
    ['rds:DeregisterDBProxyTargets', rds('db-proxy:prx-1'), {}],
    ['secretsmanager:GetSecretValue', secret('app-master-AbCdEf'), {}],
    ['secretsmanager:GetSecretValue', secret('rds!db-1-AbCdEf'), managedFor('app')],
    ['secretsmanager:GetSecretValue', secret('rds!db-2-AbCdEf'), managedFor('app-encrypted')],
    ['secretsmanager:GetSecretValue', secret('pooler-AbCdEf'), { 'ResourceTag/keyshift:use': 'pooler' }],
    ['secretsmanager:DeleteSecret', secret('keyshift-m-replication-AbCdEf'), ours],
  ])('%s on %s is allowed with %j', (action, resource, tags) => {
    expect(decision(action, resource, tags)).toBe('allowed');
  });

  it.each<[string, string, Record<string, string>]>([
    ['rds:DeleteDBInstance', rds('db:app-billing'), {}],
    ['rds:DeleteDBInstance', rds('db:app-billing'), ours],
    ['rds:DeleteDBInstance', rds('db:app-encrypted'), {}],
    ['rds:ModifyDBInstance', rds('db:app-encrypted'), {}],
    ['rds:DeleteDBInstance', rds('db:app-encrypted-billing'), {}],
    ['rds:ModifyDBInstance', rds('db:app-encrypted-billing'), {}],
    ['rds:RestoreDBInstanceFromDBSnapshot', rds('db:app-encrypted'), {}],
    ['rds:DeleteDBSnapshot', rds('snapshot:keyshift-report'), {}],
    ['rds:DeleteDBSnapshot', rds('snapshot:app-monthly'), ours],
    ['rds:ModifyDBParameterGroup', rds('pg:keyshift-of-somebody'), {}],
    ['secretsmanager:GetSecretValue', secret('app-master-billing-AbCdEf'), {}],
    ['secretsmanager:GetSecretValue', secret('app-url-of-billing-AbCdEf'), {}],
    ['secretsmanager:GetSecretValue', secret('rds!db-3-AbCdEf'), managedFor('app-billing')],
    ['secretsmanager:GetSecretValue', secret('rds!db-3-AbCdEf'), {}],
    ['secretsmanager:GetSecretValue', secret('pooler-AbCdEf'), {}],
    ['secretsmanager:DeleteSecret', secret('keyshift-of-somebody-AbCdEf'), {}],
    ['kms:Decrypt', 'arn:aws:kms:eu-central-1:123456789012:key/TARGET-KEY-ID', {}],
    // Whoever may tag a managed secret must not read it by that.
    [
      'secretsmanager:GetSecretValue',
      secret('rds!db-3-AbCdEf'),
      { ...managedFor('app-billing'), 'ResourceTag/keyshift:use': 'pooler' },
    ],
  ])('%s on %s is not allowed with %j', (action, resource, tags) => {
    expect(decision(action, resource, tags)).toBe('implicitDeny');
  });
});

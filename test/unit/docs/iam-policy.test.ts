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
  'kms:Encrypt',
  'kms:Decrypt',
  'kms:ReEncrypt*',
];

const { Statement: statements } = JSON.parse(read('docs/iam-policy.json')) as { Statement: readonly Statement[] };
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
      expect(action).toMatch(/^((rds|ec2|logs):(Describe|List)|(cloudwatch|iam|pricing|sts):(Get|Simulate))/);
  }
});

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bareCode, MODELLED, UNMODELLED, verdictOn } from '../../../activities/aws-codes';
import { classifyError } from '../../../activities/classify-error';
import { modelOf, type ServiceName } from '../../../local/aws/contract/model';
import { FAILURE_TYPES } from '../../../plan/failures';

const ROOT = resolve(__dirname, '..', '..', '..');
/** Clients of the SDK, by the name that signatures have for their service. */
const SERVICES: Readonly<Record<string, ServiceName>> = {
  cloudwatch: 'monitoring',
  'cloudwatch-logs': 'logs',
  ec2: 'ec2',
  iam: 'iam',
  kms: 'kms',
  pricing: 'pricing',
  rds: 'rds',
  'route-53': 'route53',
  s3: 's3',
  'secrets-manager': 'secretsmanager',
  ssm: 'ssm',
  sts: 'sts',
};

/** Every operation that the product imports a command or a paginator of. */
function operationsOfTheProduct(): { service: ServiceName; operation: string }[] {
  const found = new Map<string, { service: ServiceName; operation: string }>();
  for (const folder of ['activities', 'client', 'worker']) {
    for (const file of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const text = readFileSync(join(ROOT, folder, file), 'utf8');
      for (const [, names = '', client = ''] of text.matchAll(/\{([^}]*)\} from '@aws-sdk\/client-([\w-]+)'/g)) {
        const service = SERVICES[client];
        if (!service) throw new Error(`${file}: client-${client} is not in the table of this test`);
        for (const [, command, paginated] of names.matchAll(/\b(?:(\w+)Command|paginate(\w+))\b/g)) {
          const operation = command ?? paginated ?? '';
          found.set(`${service} ${operation}`, { service, operation });
        }
      }
    }
  }
  return [...found.values()];
}

/** The errors of an operation in both spellings: the class of the SDK, and the code on the wire. */
function errorsOf({ service, operation }: { service: ServiceName; operation: string }): string[] {
  const { operations, shapes } = modelOf(service);
  const model = operations[operation];
  if (!model) throw new Error(`the model of ${service} has no ${operation}: see local/aws/contract/models/README.md`);
  return (model.errors ?? []).flatMap((shape) => [shape, shapes[shape]?.error?.code ?? shape]);
}

const operations = operationsOfTheProduct();
const modelled = new Set(operations.flatMap(errorsOf));

it('finds the calls of the product', () => {
  expect(operations.length).toBeGreaterThan(50);
  expect(operations).toContainEqual({ service: 'rds', operation: 'RestoreDBInstanceFromDBSnapshot' });
  expect(operations).toContainEqual({ service: 'rds', operation: 'DescribeDBProxyTargets' });
});

it('every error that the model lists for a call of the product is decided, and no other', () => {
  const bare = [...new Set([...modelled].map(bareCode))];
  expect(Object.keys(MODELLED).sort()).toEqual(bare.sort());
});

it('what no model lists is in a table of its own, which decides nothing twice', () => {
  expect(Object.keys(UNMODELLED).filter((code) => code in MODELLED)).toEqual([]);
  expect(Object.keys(UNMODELLED).filter((code) => bareCode(code) !== code)).toEqual([]);
});

it('every type is one that operators can read about', () => {
  const types = [...Object.values(MODELLED), ...Object.values(UNMODELLED)].filter((verdict) => verdict !== 'retried');
  for (const type of types) expect(FAILURE_TYPES).toHaveProperty(type);
});

/** Refused for ever, and retried for ever before there was a table. */
it.each([
  ['InvalidVPCNetworkStateFault', 'InvalidRequest'],
  ['DBSubnetGroupDoesNotCoverEnoughAZs', 'InvalidRequest'],
  ['InvalidSubnet', 'InvalidRequest'],
  ['StorageTypeNotSupported', 'InvalidRequest'],
  ['StorageTypeNotSupportedFault', 'InvalidRequest'],
  ['InvalidRestoreFault', 'InvalidRequest'],
  ['OptionGroupNotFoundFault', 'ResourceGone'],
  ['CertificateNotFound', 'ResourceGone'],
  ['DBInstanceAutomatedBackupQuotaExceededFault', 'QuotaExceeded'],
  ['LimitExceededException', 'QuotaExceeded'],
  ['InvalidRequestException', 'InvalidRequest'],
])('%s parks, as %s', (name, type) => {
  const error = Object.assign(new Error('no'), { name, $metadata: {} });
  expect(classifyError(error, 'restoreTarget')).toMatchObject({ type, nonRetryable: true });
});

it.each(['InsufficientDBInstanceCapacity', 'InsufficientDBInstanceCapacityFault'])(
  '%s goes on, and says what it waits for',
  (name) => {
    const error = Object.assign(new Error('not available in the specified Availability Zone'), { name, $metadata: {} });
    const failure = classifyError(error, 'restoreTarget') as Error;
    expect(failure).toMatchObject({ type: 'InsufficientDBInstanceCapacity', nonRetryable: false });
    expect(failure.message).toMatch(/^restoreTarget: AWS has no capacity for this instance class at the moment/);
  },
);

it('a code that nobody knows is retried', () => {
  expect(verdictOn('SomethingNewFault')).toBe('retried');
});

import {
  decideByKeyPolicy,
  defaultKeyPolicy,
  isKeyPolicy,
  managedKeyPolicy,
  policyLetsRdsUse,
} from '../../../../local/aws/kms/policy';

const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const everything = { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::123456789012:root' }, Action: 'kms:*' };

describe('a key policy', () => {
  it.each([
    ['the default', defaultKeyPolicy(), true],
    ['everything for the account', policy(everything), true],
    [
      'everything for another account',
      policy({ ...everything, Principal: { AWS: 'arn:aws:iam::999999999999:root' } }),
      false,
    ],
    ['describing only', policy({ ...everything, Action: ['kms:Describe*'] }), false],
    ['a denial of grants', policy(everything, { ...everything, Effect: 'Deny', Action: 'kms:CreateGrant' }), false],
    ['by way of RDS', policy({ ...everything, Condition: via('rds.us-east-1.amazonaws.com') }), true],
    ['by way of RDS elsewhere', policy({ ...everything, Condition: via('rds.eu-west-1.amazonaws.com') }), false],
    ['by way of any service here', policy({ ...everything, Condition: via('*.us-east-1.amazonaws.com') }), true],
    ['what RDS needs and no more', policy({ ...everything, Action: ['kms:CreateGrant', 'kms:DescribeKey'] }), true],
    ['what AWS allows for a key of its own', managedKeyPolicy('rds', 'us-east-1'), true],
    ['what AWS allows for the key of another service', managedKeyPolicy('s3', 'us-east-1'), false],
    [
      'all but grants that are for no resource of AWS',
      policy(everything, {
        ...everything,
        Effect: 'Deny',
        Action: 'kms:CreateGrant',
        Condition: { Bool: { 'kms:GrantIsForAWSResource': 'false' } },
      }),
      true,
    ],
    [
      'all but what comes by no service',
      policy(everything, {
        ...everything,
        Effect: 'Deny',
        Condition: { StringNotEquals: { 'kms:ViaService': 'rds.us-east-1.amazonaws.com' } },
      }),
      true,
    ],
    ['nonsense', '{', false],
  ])('that allows %s', (_, text, allowed) => {
    expect(policyLetsRdsUse(text, 'us-east-1')).toBe(allowed);
  });

  it.each([
    ['allows everything', policy(everything), 'allowed'],
    ['is one of AWS for a service', managedKeyPolicy('rds', 'us-east-1'), 'implicitDeny'],
    [
      'allows use by way of RDS',
      policy({ ...everything, Condition: via('rds.us-east-1.amazonaws.com') }),
      'implicitDeny',
    ],
    [
      'denies what comes by no service',
      policy(everything, {
        ...everything,
        Effect: 'Deny',
        Condition: { StringNotEquals: { 'kms:ViaService': 'rds.us-east-1.amazonaws.com' } },
      }),
      'explicitDeny',
    ],
  ])('that %s decides so of whoever asks KMS itself', (_, text, decision) => {
    expect(decideByKeyPolicy(text, { action: 'kms:GenerateDataKey' })).toBe(decision);
  });

  it('is told from what is none', () => {
    expect(isKeyPolicy(defaultKeyPolicy())).toBe(true);
    expect(isKeyPolicy('[]')).toBe(false);
  });
});

function via(service: string): object {
  return { StringLike: { 'kms:ViaService': service } };
}

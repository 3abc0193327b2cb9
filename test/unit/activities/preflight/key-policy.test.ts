import { deniedByKeyPolicy } from '../../../../activities/preflight/key-policy';

const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const root = { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::123456789012:root' }, Action: 'kms:*', Resource: '*' };
const via = (service: string | string[], operator = 'StringEquals') => ({ [operator]: { 'kms:ViaService': service } });
const BOTH = ['kms:CreateGrant', 'kms:DescribeKey'];

it.each([
  ['everything to the account', policy(root), []],
  ['everything to a role', policy({ ...root, Principal: { AWS: 'arn:aws:iam::123456789012:role/worker' } }), []],
  ['one statement that is no list', JSON.stringify({ Statement: root }), []],
  ['use by way of RDS', policy({ ...root, Condition: via('rds.eu-central-1.amazonaws.com') }), []],
  [
    'use by way of any service here',
    policy({ ...root, Condition: via('*.eu-central-1.amazonaws.com', 'StringLike') }),
    [],
  ],
  ['use by way of RDS in China', policy({ ...root, Condition: via('rds.eu-central-1.amazonaws.com.cn') }), []],
  ['use under a condition that we do not weigh', policy({ ...root, Condition: { Bool: { 'aws:X': 'true' } } }), []],
  ['use by way of other services', policy({ ...root, Condition: via(['ec2.eu-central-1.amazonaws.com']) }), BOTH],
  ['use by way of RDS elsewhere', policy({ ...root, Condition: via('rds.us-east-1.amazonaws.com') }), BOTH],
  ['another account', policy({ ...root, Principal: { AWS: 'arn:aws:iam::999999999999:root' } }), BOTH],
  ['a service', policy({ ...root, Principal: { Service: 'rds.amazonaws.com' } }), BOTH],
  ['looking only', policy({ ...root, Action: ['kms:Describe*'] }), ['kms:CreateGrant']],
  ['all but grants', policy({ ...root, Action: undefined, NotAction: 'kms:CreateGrant' }), ['kms:CreateGrant']],
  [
    'nothing to anybody',
    policy(root, { Effect: 'Deny', Principal: '*', Action: 'kms:CreateGrant', Resource: '*' }),
    ['kms:CreateGrant'],
  ],
  [
    'nothing to who comes by no service',
    policy(root, {
      Effect: 'Deny',
      Principal: '*',
      Action: 'kms:*',
      Condition: via('rds.eu-central-1.amazonaws.com', 'StringNotEquals'),
    }),
    [],
  ],
  ['what nobody can read', '{', []],
])('a policy that allows %s', (_, text, denied) => {
  expect(deniedByKeyPolicy(text, '123456789012', 'eu-central-1')).toEqual(denied);
});

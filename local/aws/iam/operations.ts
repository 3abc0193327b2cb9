import type { Context } from '../context';
import type { CredentialScope } from '../credential-scope';
import { AwsError } from '../errors';
import type { Answer, QueryParameters } from '../query-protocol';
import { ACCOUNT_ID } from '../state';
import { callerArn, currentPolicy } from './enforce';
import { decide, readPolicy } from './policy';

/** One call of an operation of IAM. */
export interface IamCall {
  readonly context: Context;
  readonly parameters: QueryParameters;
  readonly scope: CredentialScope;
}

/** The operations of IAM that the stand-in knows. */
export const IAM_OPERATIONS: Readonly<Record<string, (call: IamCall) => Answer>> = {
  SimulatePrincipalPolicy: simulatePrincipalPolicy,
  PutUserPolicy: putPolicy,
  PutRolePolicy: putPolicy,
  GetRole: getRole,
  GetUser: getUser,
};

const CREATED = new Date('2024-01-01T00:00:00Z');

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html */
function simulatePrincipalPolicy({ context, parameters }: IamCall): Answer {
  const source = parameters.required('PolicySourceArn');
  if (!new RegExp(`^arn:aws:iam::${ACCOUNT_ID}:(user|group|role)/`).test(source)) {
    throw new AwsError('InvalidInput', `Invalid Entity Arn: ${source} does not clearly define entity type and name.`);
  }
  const actions = parameters.texts('ActionNames') ?? [];
  if (actions.length === 0) throw new AwsError('InvalidInput', 'ActionNames must not be empty.');
  const resources = parameters.texts('ResourceArns') ?? ['*'];
  const values = new Map(
    (parameters.structures('ContextEntries') ?? []).map((entry) => [
      entry.required('ContextKeyName').toLowerCase(),
      entry.texts('ContextKeyValues') ?? [],
    ]),
  );
  const policy = currentPolicy(context.store);
  return {
    EvaluationResults: actions.flatMap((action) =>
      resources.map((resource) => ({
        EvalActionName: action,
        EvalResourceName: resource,
        EvalDecision: decide(policy, action, resource, values),
        MatchedStatements: [],
        MissingContextValues: [],
      })),
    ),
    IsTruncated: false,
  };
}

/**
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html. Everybody has one policy here: the statements are added to it, and without
 * one everything is allowed anyhow.
 */
function putPolicy({ context, parameters }: IamCall): Answer {
  const text = parameters.required('PolicyDocument');
  const added = readPolicy(text);
  if (!added) throw new AwsError('MalformedPolicyDocument', 'The policy document is not valid.');
  const policy = currentPolicy(context.store);
  if (policy) {
    context.store.iam.policy = JSON.stringify({ ...policy, Statement: [...policy.Statement, ...added.Statement] });
    context.store.changed();
  }
  return undefined;
}

/** Any role exists here, in the path that its name is asked for without. https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html */
function getRole({ parameters }: IamCall): Answer {
  const name = parameters.required('RoleName');
  return {
    Role: {
      Path: '/',
      RoleName: name,
      RoleId: 'AROA0KEYSHIFT0LOCAL00',
      Arn: `arn:aws:iam::${ACCOUNT_ID}:role/${name}`,
      CreateDate: CREATED,
    },
  };
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html */
function getUser({ parameters, scope }: IamCall): Answer {
  const name = parameters.text('UserName') ?? scope.accessKeyId;
  return {
    User: {
      Path: '/',
      UserName: name,
      UserId: 'AIDA0KEYSHIFT0LOCAL00',
      Arn: callerArn({ ...scope, accessKeyId: name }),
      CreateDate: CREATED,
    },
  };
}

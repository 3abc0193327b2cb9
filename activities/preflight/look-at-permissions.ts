import { GetRoleCommand, type EvaluationResult, paginateSimulatePrincipalPolicy } from '@aws-sdk/client-iam';
import type { DBInstance } from '@aws-sdk/client-rds';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import type { Check } from '../../plan/checks';
import type { Aws, MigrationRef } from '../dependencies';
import { isAwsError, isDenied } from '../classify-error';
import { type Denial, denialOf } from './denials';
import { evidenceOf, named } from './findings';
import { type NeededPermission, neededPermissions } from './needed-permissions';

const code = 'permissions';

/** A caller as policies name it. */
interface Caller {
  readonly arn: string;
  readonly kind: 'user' | 'role' | 'root';
  readonly name: string;
}

/**
 * Whether the worker may make every call of docs/iam-policy.json, on the resources of this migration: as IAM's simulator says, where the
 * worker may ask it. Calls that were refused while the preflight looked at things are named whatever it says.
 * @param denied what was refused so far
 * @see https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
 */
export async function checkPermissions(
  aws: Aws,
  { id, plan }: MigrationRef,
  source: DBInstance | undefined,
  denied: readonly Denial[],
): Promise<Check> {
  const identity = await aws.sts.send(new GetCallerIdentityCommand({}));
  const caller = await callerOf(aws, identity.Arn ?? '');
  const evidence = { principal: caller.arn, account: identity.Account ?? '' };
  if (denied.length > 0 || !source || caller.kind === 'root') return judge(caller, denied, evidence, false);
  const needed = neededPermissions({
    region: aws.region,
    account: identity.Account ?? '',
    migration: id,
    plan,
    source,
  });
  try {
    return judge(caller, await simulate(aws, caller, needed), evidence, true);
  } catch (error) {
    // Not every worker may ask the simulator, and it doesn't know every kind of caller.
    if (
      !isDenied(error) &&
      !isAwsError(error, 'InvalidInput', 'InvalidInputException', 'NoSuchEntity', 'NoSuchEntityException')
    )
      throw error;
    const why = isDenied(error)
      ? denialOf(error, 'iam:SimulatePrincipalPolicy').action
      : error instanceof Error
        ? error.message
        : '';
    return {
      code,
      level: 'ok',
      message: `every call of the preflight was allowed to ${caller.arn}; those that change something could not be simulated (${why})`,
      evidence: { ...evidence, simulated: false },
    };
  }
}

function judge(
  caller: Caller,
  denied: readonly Denial[],
  evidence: Record<string, unknown>,
  simulated: boolean,
): Check {
  if (denied.length === 0) {
    const message = `${caller.arn} may make every call of a migration`;
    return { code, level: 'ok', message, evidence: { ...evidence, simulated } };
  }
  const [first] = denied;
  const where = first?.resource === undefined ? '' : ` on ${first.resource}`;
  const rest = [...new Set(denied.slice(1).map(({ action }) => action))].filter((action) => action !== first?.action);
  const more = rest.length > 0 ? ` Nor: ${named(rest)}.` : '';
  return {
    code,
    level: 'block',
    message: `${first?.principal ?? caller.arn} is not allowed ${first?.action}${where}.${more}`,
    remedy: grant(caller, denied),
    evidence: {
      ...evidence,
      simulated,
      denied: evidenceOf(denied.map(({ action, resource }) => ({ action, resource }))),
    },
  };
}

/** A policy with what is missing; docs/iam-policy.json is the whole of it. */
function grant(caller: Caller, denied: readonly Denial[]): string {
  const byResource = new Map<string, string[]>();
  for (const { action, resource = '*' } of denied) {
    byResource.set(resource, [...new Set([...(byResource.get(resource) ?? []), action])]);
  }
  const Statement = [...byResource].map(([Resource, Action]) => ({ Effect: 'Allow', Action, Resource }));
  const document = JSON.stringify({ Version: '2012-10-17', Statement });
  return `aws iam put-${caller.kind === 'role' ? 'role' : 'user'}-policy --${caller.kind === 'role' ? 'role' : 'user'}-name ${caller.name} --policy-name keyshift-missing --policy-document '${document}'\n# all that is needed: docs/iam-policy.json; a deny somewhere else has to go by itself`;
}

/** The simulator wants the role, not the session that assumed it, whose ARN leaves the role's path out. */
async function callerOf(aws: Aws, arn: string): Promise<Caller> {
  const [, account = '', session] = /^arn:[\w-]+:sts::(\d+):assumed-role\/(.+)\/[^/]+$/.exec(arn) ?? [];
  if (session === undefined) {
    const kind = /:root$/.test(arn) ? 'root' : 'user';
    return { arn, kind, name: arn.split('/').at(-1) ?? '' };
  }
  const guess = `arn:${arn.split(':')[1]}:iam::${account}:role/${session}`;
  try {
    const { Role } = await aws.iam.send(new GetRoleCommand({ RoleName: session }));
    return { arn: Role?.Arn ?? guess, kind: 'role', name: session };
  } catch (error) {
    if (!isDenied(error) && !isAwsError(error, 'NoSuchEntity', 'NoSuchEntityException')) throw error;
    return { arn: guess, kind: 'role', name: session };
  }
}

async function simulate(aws: Aws, caller: Caller, needed: readonly NeededPermission[]): Promise<Denial[]> {
  const denied: Denial[] = [];
  // One after the other: IAM allows few calls a second.
  for (const { actions, resources, context } of needed) {
    const input = {
      PolicySourceArn: caller.arn,
      ActionNames: actions.map((action) => action.replace(/\*$/, '')),
      ResourceArns: [...resources],
      ContextEntries: Object.entries(context).map(([ContextKeyName, value]) => ({
        ContextKeyName,
        ContextKeyValues: [value],
        ContextKeyType: value === 'true' || value === 'false' ? ('boolean' as const) : ('string' as const),
      })),
    };
    for await (const page of paginateSimulatePrincipalPolicy({ client: aws.iam }, input)) {
      denied.push(...(page.EvaluationResults ?? []).flatMap((result) => denialsOf(result, caller.arn)));
    }
  }
  return denied;
}

/** With several resources the decision is told for each by itself. */
function denialsOf(
  { EvalActionName: action = '', EvalDecision, EvalResourceName, ResourceSpecificResults }: EvaluationResult,
  principal: string,
): Denial[] {
  const each = ResourceSpecificResults?.length
    ? ResourceSpecificResults.map((one) => ({ decision: one.EvalResourceDecision, resource: one.EvalResourceName }))
    : [{ decision: EvalDecision, resource: EvalResourceName }];
  return each
    .filter(({ decision }) => decision !== 'allowed')
    .map(({ decision, resource }) => ({
      action,
      principal,
      message: `${decision}`,
      ...(resource === undefined || resource === '*' ? {} : { resource }),
    }));
}

import { type DBInstance, paginateDescribeOrderableDBInstanceOptions, type Tag } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import type { Aws } from '../dependencies';

/** Tags by which stacks and tools mark what is theirs. */
const STACK_TAG = 'aws:cloudformation:stack-name';
const TOOLS = /\b(terraform|opentofu|pulumi|cdk|crossplane|ansible)\b/i;

/** A stack or a tool that manages the source doesn't know the target: its next deploy puts back what it knows. */
export function checkStack(source: DBInstance): Check {
  const code = 'managed-by-stack';
  const id = source.DBInstanceIdentifier ?? '';
  const tags = source.TagList ?? [];
  const stack = tags.find(({ Key }) => Key === STACK_TAG)?.Value;
  const tool = tags.find((tag) => !tag.Key?.startsWith('aws:') && TOOLS.test(textOf(tag)));
  if (stack) {
    return {
      code,
      level: 'warn',
      message: `${id} belongs to the CloudFormation stack ${stack}, which does not know the target: its next deploy drifts, and may make an instance again that was deleted.`,
      remedy: `# after the cutover: keep the old resource (DeletionPolicy: Retain), remove it from the template, and import the target:\n# aws cloudformation create-change-set --stack-name ${stack} --change-set-name keyshift --change-set-type IMPORT --resources-to-import file://target.json --template-body file://template.yaml`,
      evidence: { stack },
    };
  }
  if (tool) {
    const text = `${tool.Key}=${tool.Value}`;
    return {
      code,
      level: 'warn',
      message: `${id} is managed by a tool, as its tag ${text} says, which does not know the target: its next run may make an instance again that was deleted.`,
      remedy: `# after the cutover, with Terraform: terraform state rm <address> && terraform import <address> <target>`,
      evidence: { tag: text },
    };
  }
  return { code, level: 'ok', message: `no tag of ${id} names a stack or a tool that manages it` };
}

const textOf = ({ Key = '', Value = '' }: Tag): string =>
  /managed|created|provision|terraform|stack|iac/i.test(Key) ? `${Key} ${Value}` : '';

/** Policies that let people log in by IAM name the resource id of the instance; the target has another one. */
export function checkIamAuthentication(aws: Aws, plan: Plan, source: DBInstance): Check {
  const code = 'iam-authentication';
  const id = source.DBInstanceIdentifier ?? '';
  if (!source.IAMDatabaseAuthenticationEnabled)
    return { code, level: 'ok', message: `IAM database authentication of ${id} is off` };
  const account = source.DBInstanceArn?.split(':')[4] ?? '';
  return {
    code,
    level: 'warn',
    message: `IAM database authentication of ${id} is on: policies that allow rds-db:connect by resource id (${source.DbiResourceId}) do not let anybody into the target, whose id is another one.`,
    remedy: `# allow both for the time of the migration, arn:aws:rds-db:${aws.region}:${account}:dbuser:*/<user>, or add the target's id as soon as it is there:\n# aws rds describe-db-instances --db-instance-identifier ${plan.target.instance} --query "DBInstances[0].DbiResourceId"`,
    evidence: { resourceId: source.DbiResourceId ?? '' },
  };
}

/** Whoever wants the source deleted in the end has to take its protection off. Not now. */
export function checkDeletionProtection(plan: Plan, source: DBInstance): Check {
  const code = 'deletion-protection';
  const id = source.DBInstanceIdentifier ?? '';
  const on = source.DeletionProtection ?? false;
  const deleted = !plan.keep.source;
  const message = !on
    ? `${id} is not protected against deletion`
    : deleted
      ? `${id} is protected against deletion, and so will the target be: the decommissioning asks you to take it off the source`
      : `${id} is protected against deletion, and is kept`;
  return { code, level: 'ok', message, evidence: { deletionProtection: on } };
}

/** Whether AWS still gives out the class that the target shall have: old generations can be kept, but not be had anew. */
export async function checkClass(aws: Aws, plan: Plan, source: DBInstance): Promise<Check> {
  const code = 'instance-class';
  const wanted = plan.target.instanceClass ?? source.DBInstanceClass ?? '';
  const storage = source.StorageType ?? '';
  const offered = async (EngineVersion?: string): Promise<string[]> => {
    const found = new Set<string>();
    const input = { Engine: 'postgres', DBInstanceClass: wanted, ...(EngineVersion ? { EngineVersion } : {}) };
    for await (const page of paginateDescribeOrderableDBInstanceOptions({ client: aws.rds }, input)) {
      for (const one of page.OrderableDBInstanceOptions ?? [])
        if (one.SupportsStorageEncryption) found.add(one.StorageType ?? '');
    }
    return [...found];
  };
  // A minor version that is no longer offered can still be restored: then the class alone counts.
  const exact = await offered(source.EngineVersion);
  const types = exact.length > 0 ? exact : await offered();
  const evidence = { instanceClass: wanted, storageType: storage, storageTypes: types };
  if (types.includes(storage))
    return { code, level: 'ok', message: `${wanted} with ${storage} storage can be had`, evidence };
  const what = types.length === 0 ? wanted : `${wanted} with ${storage} storage (only ${types.join(', ')})`;
  return {
    code,
    level: 'block',
    message: `AWS does not give out ${what} for PostgreSQL ${source.EngineVersion} in ${aws.region}: the target could not be restored.`,
    remedy:
      types.length === 0
        ? `# name a class in target.instanceClass; what there is:\naws rds describe-orderable-db-instance-options --engine postgres --engine-version ${source.EngineVersion} --query "OrderableDBInstanceOptions[].DBInstanceClass"`
        : `aws rds modify-db-instance --db-instance-identifier ${source.DBInstanceIdentifier} --storage-type ${types.includes('gp3') ? 'gp3' : types[0]} --apply-immediately`,
    evidence,
  };
}

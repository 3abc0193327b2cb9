import { type ArnKind, arnOf, parseArn } from '../rds/arns';
import type { Tag } from '../rds/model';
import { ACCOUNT_ID, type RegionState } from '../state';

/** What a call names, whatever its protocol. */
export interface CallNames {
  /** The value of a top-level parameter. */
  readonly text: (name: string) => string | undefined;
  /** Tags that the call sets (`aws:RequestTag`). */
  readonly tags: readonly Tag[];
}

/** One resource that IAM asks a policy about, with the tags that it has (`aws:ResourceTag`). */
export interface CallResource {
  readonly arn: string;
  readonly tags: readonly Tag[];
}

/** The parameters of RDS that name a resource, and its kind. `SourceDBInstanceIdentifier` and the names of snapshots may be ARNs. */
const RDS_NAMES: Readonly<Record<string, ArnKind>> = {
  DBInstanceIdentifier: 'db',
  SourceDBInstanceIdentifier: 'db',
  DBSnapshotIdentifier: 'snapshot',
  SourceDBSnapshotIdentifier: 'snapshot',
  TargetDBSnapshotIdentifier: 'snapshot',
  FinalDBSnapshotIdentifier: 'snapshot',
  DBParameterGroupName: 'pg',
  OptionGroupName: 'og',
  DBSubnetGroupName: 'subgrp',
};

/**
 * The resources that a call is about, as the Service Authorization Reference lists them for each action; undefined where the stand-in asks for the action
 * alone. Descriptions are asked about for all resources.
 *
 * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
 * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
 */
export function resourcesOf(
  service: string,
  operation: string,
  names: CallNames,
  region: string,
  state: RegionState,
): readonly CallResource[] | undefined {
  if (/^(Describe(?!Secret|Key)|List)/.test(operation) && operation !== 'ListTagsForResource') return undefined;
  switch (service) {
    case 'rds':
      return atLeastOne(resourcesOfRds(names, region, state));
    case 'secretsmanager':
      return atLeastOne(secretsOf(names, region, state));
    case 'ssm': {
      const name = names.text('Name');
      return name === undefined ? undefined : [{ arn: parameterArn(region, name), tags: [] }];
    }
    case 'kms': {
      const id = names.text('KeyId');
      return id === undefined ? undefined : keyArns(id, region, state).map((arn) => ({ arn, tags: [] }));
    }
    case 'logs': {
      const name = names.text('logGroupName');
      return name === undefined
        ? undefined
        : [{ arn: `arn:aws:logs:${region}:${ACCOUNT_ID}:log-group:${name}`, tags: [] }];
    }
    default:
      return undefined;
  }
}

const atLeastOne = <Item>(items: readonly Item[]): readonly Item[] | undefined =>
  items.length > 0 ? items : undefined;

/** The ARN of what a parameter of a call names; undefined if it names nothing. */
export function arnOfRds(parameter: string, { text }: CallNames, region: string): string | undefined {
  const [name, kind] = [text(parameter), RDS_NAMES[parameter]];
  return name === undefined || kind === undefined || name.startsWith('arn:') ? name : arnOf(kind, region, name);
}

function resourcesOfRds(names: CallNames, region: string, { rds }: RegionState): CallResource[] {
  const arns = [...Object.keys(RDS_NAMES), 'ResourceName']
    .map((parameter) => arnOfRds(parameter, names, region))
    .filter((arn) => arn !== undefined);
  return arns.map((arn) => {
    const { kind, name = '' } = parseArn(arn) ?? {};
    const of = { db: rds.instances, snapshot: rds.snapshots, pg: rds.parameterGroups, og: rds.optionGroups };
    const found = kind !== undefined && Object.hasOwn(of, kind) ? of[kind as keyof typeof of]?.[name] : undefined;
    return { arn, tags: found?.tags ?? [] };
  });
}

function secretsOf({ text }: CallNames, region: string, { secrets }: RegionState): CallResource[] {
  const id = text('SecretId') ?? text('Name');
  if (id === undefined) return [];
  const secret = secrets[id] ?? Object.values(secrets).find(({ arn }) => arn === id);
  // What isn't there yet, or isn't there at all, has no six characters of its own.
  if (!secret)
    return [
      {
        arn: id.startsWith('arn:') ? id : `arn:aws:secretsmanager:${region}:${ACCOUNT_ID}:secret:${id}-??????`,
        tags: [],
      },
    ];
  return [{ arn: secret.arn, tags: Object.entries(secret.tags).map(([Key, Value]) => ({ Key, Value })) }];
}

/** Names with a path begin with a slash, which the ARN has once. */
const parameterArn = (region: string, name: string): string =>
  `arn:aws:ssm:${region}:${ACCOUNT_ID}:parameter/${name.replace(/^\//, '')}`;

/**
 * An alias stands for its key. KMS looks it up before it asks a policy: one that isn't there is `NotFoundException` for everybody.
 *
 * @see https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-kms/pull/60
 */
function keyArns(id: string, region: string, { kms }: RegionState): readonly string[] {
  const name = id.split(':').at(-1) ?? id;
  const key = name.startsWith('alias/') ? kms.aliases[name]?.targetKeyId : name.replace(/^key\//, '');
  return key === undefined ? [] : [kms.keys[key]?.arn ?? `arn:aws:kms:${region}:${ACCOUNT_ID}:key/${key}`];
}

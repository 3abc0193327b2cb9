import { XMLBuilder } from 'fast-xml-parser';
import { AwsError } from './errors';

/** A value that an answer can hold, with AWS's member names. What is undefined is left out. */
export type Answer =
  string | number | boolean | Date | undefined | readonly Answer[] | { readonly [member: string]: Answer };

/** The parameters of a request of the Query protocol: `Tags.Tag.1.Key=a` is a tree of names and numbers. */
export class QueryParameters {
  private constructor(private readonly node: Tree) {}

  /** Reads a form as clients send it. */
  static parse(form: URLSearchParams): QueryParameters {
    return new QueryParameters(treeOf(form));
  }

  has(name: string): boolean {
    return this.node[name] !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.node[name];
    return typeof value === 'string' ? value : undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === '') {
      throw new AwsError('MissingParameter', `The request must contain the parameter ${name}.`);
    }
    return value;
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d+$/.test(value))
      throw new AwsError('MalformedInput', `Invalid value '${value}' for ${name}: an integer is expected.`);
    return Number(value);
  }

  flag(name: string): boolean | undefined {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false')
      throw new AwsError('MalformedInput', `Invalid value '${value}' for ${name}.`);
    return value === 'true';
  }

  date(name: string): Date | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const date = new Date(value);
    if (Number.isNaN(date.getTime()))
      throw new AwsError('InvalidParameterValue', `${name} is not a valid date: ${value}`);
    return date;
  }

  /** A list of strings; undefined if the request doesn't name it. An empty list arrives as `Name=`. */
  texts(name: string): string[] | undefined {
    return this.items(name)?.filter((item) => typeof item === 'string');
  }

  /** A list of structures. */
  structures(name: string): QueryParameters[] | undefined {
    return this.items(name)
      ?.filter((item) => typeof item === 'object')
      .map((item) => new QueryParameters(item));
  }

  structure(name: string): QueryParameters | undefined {
    const value = this.node[name];
    return typeof value === 'object' ? new QueryParameters(value) : undefined;
  }

  /** Lists are written `Name.member.1`, with a word of the service's own instead of `member`, or flat: `Name.1`. */
  private items(name: string): (string | Tree)[] | undefined {
    const list = this.node[name];
    if (list === undefined) return undefined;
    if (typeof list === 'string') return [];
    const named = Object.entries(list).find(([key]) => !/^\d+$/.test(key))?.[1];
    const numbered = typeof named === 'object' ? named : list;
    return Object.entries(numbered)
      .sort(([left], [right]) => Number(left) - Number(right))
      .map(([, item]) => item)
      .filter((item) => item !== undefined);
  }
}

interface Tree {
  [name: string]: string | Tree | undefined;
}

/** The parameters of a form as a tree. */
export function treeOf(form: URLSearchParams): Tree {
  const root: Tree = {};
  for (const [path, value] of form) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let at = root;
    for (const name of names) {
      const next = at[name];
      if (typeof next === 'object') at = next;
      else at = at[name] = {};
    }
    at[last] = value;
  }
  return root;
}

/** The element names of list items where it isn't `member`; from botocore's model of RDS (`locationName` of the list's member). */
const ITEM_NAMES: Readonly<Record<string, string>> = {
  DBInstances: 'DBInstance',
  DBSnapshots: 'DBSnapshot',
  DBParameterGroups: 'DBParameterGroup',
  Parameters: 'Parameter',
  DescribeDBLogFiles: 'DescribeDBLogFilesDetails',
  DBEngineVersions: 'DBEngineVersion',
  Events: 'Event',
  EventCategories: 'EventCategory',
  TagList: 'Tag',
  VpcSecurityGroups: 'VpcSecurityGroupMembership',
  DBSecurityGroups: 'DBSecurityGroup',
  OptionGroupMemberships: 'OptionGroupMembership',
  Subnets: 'Subnet',
  ReadReplicaDBInstanceIdentifiers: 'ReadReplicaDBInstanceIdentifier',
  ReadReplicaDBClusterIdentifiers: 'ReadReplicaDBClusterIdentifier',
  StatusInfos: 'DBInstanceStatusInfo',
  DomainMemberships: 'DomainMembership',
  AssociatedRoles: 'DBInstanceRole',
  ProcessorFeatures: 'ProcessorFeature',
  DBInstanceAutomatedBackupsReplications: 'DBInstanceAutomatedBackupsReplication',
  ValidUpgradeTarget: 'UpgradeTarget',
  SupportedCharacterSets: 'CharacterSet',
  AccountQuotas: 'AccountQuota',
  DBSubnetGroups: 'DBSubnetGroup',
  PendingMaintenanceActions: 'ResourcePendingMaintenanceActions',
  PendingMaintenanceActionDetails: 'PendingMaintenanceAction',
  OptionGroupsList: 'OptionGroup',
  Options: 'Option',
  OptionSettings: 'OptionSetting',
  OrderableDBInstanceOptions: 'OrderableDBInstanceOption',
  AvailabilityZones: 'AvailabilityZone',
  DBSecurityGroupMemberships: 'DBSecurityGroup',
  VpcSecurityGroupMemberships: 'VpcSecurityGroupMembership',
};

const builder = new XMLBuilder({ suppressEmptyNode: true, format: false, ignoreAttributes: false });

/** The XML of a successful answer. Operations without a result (`DeleteDBParameterGroup`) have the metadata only. */
export function renderAnswer(action: string, namespace: string, result: Answer, requestId: string): string {
  return render({
    [`${action}Response`]: {
      '@_xmlns': namespace,
      ...(result === undefined ? {} : { [`${action}Result`]: toXml(result) }),
      ResponseMetadata: { RequestId: requestId },
    },
  });
}

/** The XML of a successful answer of EC2, whose variant of the protocol has no result element and calls every list item `item`. */
export function renderEc2Answer(action: string, namespace: string, result: Answer, requestId: string): string {
  const members = result === undefined ? { return: true } : (toXml(result, '', () => 'item') as object);
  return render({ [`${action}Response`]: { '@_xmlns': namespace, requestId, ...members } });
}

/** The XML of an error of EC2. */
export function renderEc2Error(error: AwsError, requestId: string): string {
  const { code: Code, message } = error;
  return render({
    Response: { Errors: { Error: { Code, Message: withoutControls(message) } }, RequestID: requestId },
  });
}

/** The XML of an error. */
export function renderError(error: AwsError, namespace: string, requestId: string): string {
  return render({
    ErrorResponse: {
      '@_xmlns': namespace,
      Error: { Type: error.type, Code: error.code, Message: withoutControls(error.message) },
      RequestId: requestId,
    },
  });
}

function render(document: object): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build(document)}`;
}

const nameItems = (list: string): string => ITEM_NAMES[list] ?? 'member';

function toXml(value: Answer, name = '', itemName = nameItems): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'string') return withoutControls(value);
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    return value.length === 0 ? '' : { [itemName(name)]: value.map((item: Answer) => toXml(item, '', itemName)) };
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, toXml(member, key, itemName)]),
  );
}

/** XML 1.0 can't carry most control characters at all. */
function withoutControls(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
}

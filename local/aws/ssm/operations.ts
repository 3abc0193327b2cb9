import { z } from 'zod';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { JsonOperation } from '../json-protocol';
import { epochSeconds, page, readInput } from '../json-protocol';
import { findKey } from '../kms/keys';
import { ACCOUNT_ID } from '../state';
import type { ParameterRecord, ParameterVersion } from './model';

/** The store keeps this many versions of a parameter. */
const KEPT_VERSIONS = 100;

/** The key of a `SecureString` for which none is named. */
const DEFAULT_KEY = 'alias/aws/ssm';
/** What a parameter of the standard tier holds at most. */
const STANDARD_BYTES = 4096;

const nameInput = z.object({ Name: z.string().min(1).max(2048) });
const namesInput = z.object({ Names: z.array(z.string()).min(1).max(10) });
const decryption = z.object({ WithDecryption: z.boolean().default(false) });
const resourceInput = z.object({ ResourceType: z.string(), ResourceId: z.string() });
const tags = z.array(z.object({ Key: z.string(), Value: z.string() }));
const pageInput = z.object({ MaxResults: z.int().min(1).max(50).default(10), NextToken: z.string().optional() });

/** The operations of the parameter store (https://docs.aws.amazon.com/systems-manager/latest/APIReference/). */
export function ssmOperations({ store }: Context): Record<string, JsonOperation> {
  const parametersOf = (region: string) => store.region(region).parameters;
  const find = (region: string, reference: string): { parameter: ParameterRecord; version: ParameterVersion } => {
    const name = reference
      .replace(/^arn:aws[\w-]*:ssm:[\w-]+:\d+:parameter(?=\/)/, '')
      .replace(/^arn:.*:parameter\//, '');
    const [plain = '', selector] = name.split(':');
    const parameter = parametersOf(region)[plain];
    if (!parameter) throw new AwsError('ParameterNotFound', `Parameter ${reference} not found.`);
    const version =
      selector === undefined
        ? parameter.versions.at(-1)
        : parameter.versions.find((one) => String(one.version) === selector);
    if (!version) {
      throw new AwsError(
        'ParameterVersionNotFound',
        `Systems Manager could not find version ${selector} of ${plain}. Verify the version and try again.`,
      );
    }
    return { parameter, version };
  };
  const resource = (input: unknown, region: string): ParameterRecord => {
    const { ResourceType, ResourceId } = readInput(resourceInput, input);
    if (ResourceType !== 'Parameter')
      throw new AwsError('InvalidResourceType', `Unknown resource type ${ResourceType}`);
    const parameter = parametersOf(region)[ResourceId];
    if (!parameter) throw new AwsError('InvalidResourceId', `The resource ID ${ResourceId} is not valid.`);
    return parameter;
  };
  const several = (input: unknown, region: string, decrypt: boolean) => {
    const { Names } = readInput(namesInput, input);
    const known = Names.filter((name) => parametersOf(region)[name.split(':')[0] ?? '']);
    return {
      Parameters: known.map((name) => value(find(region, name), decrypt)),
      InvalidParameters: Names.filter((name) => !known.includes(name)),
    };
  };
  return {
    PutParameter(input, { region }) {
      const request = readInput(
        nameInput.extend({
          Value: z.string().min(1),
          Type: z.enum(['String', 'StringList', 'SecureString']).optional(),
          Description: z.string().optional(),
          KeyId: z.string().optional(),
          Overwrite: z.boolean().default(false),
          AllowedPattern: z.string().optional(),
          Tags: tags.optional(),
          Tier: z.enum(['Standard', 'Advanced', 'Intelligent-Tiering']).default('Standard'),
          DataType: z.string().default('text'),
          Policies: z.string().optional(),
        }),
        input,
      );
      const { Name } = request;
      if (!/^[\w./-]+$/.test(Name) || (Name.includes('/') && !Name.startsWith('/'))) {
        throw new AwsError('ValidationException', `Parameter name must be a fully qualified name: ${Name}`);
      }
      const known = parametersOf(region)[Name];
      if (known && !request.Overwrite) {
        throw new AwsError(
          'ParameterAlreadyExists',
          'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
        );
      }
      if (known && request.Tags?.length) {
        throw new AwsError(
          'ValidationException',
          "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag.",
        );
      }
      if (!known && request.Type === undefined) {
        throw new AwsError('ValidationException', 'A parameter type is required when you create a parameter.');
      }
      const type = request.Type ?? known?.type ?? 'String';
      if (type !== 'SecureString' && request.KeyId !== undefined) {
        throw new AwsError('ValidationException', `KeyId is not required for ${type} type parameter.`);
      }
      // Left out, it is the default key: the one that the value was encrypted under before is forgotten.
      const keyId = type === 'SecureString' ? (request.KeyId ?? DEFAULT_KEY) : undefined;
      if (keyId !== undefined && keyId !== DEFAULT_KEY && findKey(store, region, keyId)?.state !== 'Enabled')
        throw new AwsError('InvalidKeyId', `Invalid keyId ${keyId}`);
      if (known?.tier === 'Advanced' && request.Tier === 'Standard') {
        throw new AwsError(
          'ValidationException',
          "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
        );
      }
      const tier = tierOf(request.Tier, request.Value, known?.tier);
      const policies = request.Policies ?? known?.policies;
      if (policies !== undefined && policies !== '' && tier !== 'Advanced') {
        throw new AwsError('ValidationException', 'Parameter policies are supported for advanced parameters only.');
      }
      const pattern = request.AllowedPattern;
      if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`).test(request.Value)) {
        throw new AwsError(
          'ParameterPatternMismatchException',
          `Parameter value, cannot be validated against allowedPattern: ${pattern}`,
        );
      }
      const parameter: ParameterRecord = known ?? {
        name: Name,
        arn: `arn:aws:ssm:${region}:${ACCOUNT_ID}:parameter${Name.startsWith('/') ? '' : '/'}${Name}`,
        type,
        tier,
        dataType: request.DataType,
        tags: Object.fromEntries((request.Tags ?? []).map(({ Key, Value }) => [Key, Value])),
        versions: [],
      };
      parameter.type = type;
      parameter.tier = tier;
      parameter.dataType = request.DataType;
      parameter.allowedPattern = pattern;
      parameter.description = request.Description;
      parameter.keyId = keyId;
      // Of all that may be left out, policies alone are documented to stay.
      parameter.policies = policies;
      const version = (parameter.versions.at(-1)?.version ?? 0) + 1;
      parameter.versions.push({ version, value: request.Value, modifiedAt: new Date().toISOString() });
      parameter.versions = parameter.versions.slice(-KEPT_VERSIONS);
      parametersOf(region)[Name] = parameter;
      store.changed();
      return { Version: version, Tier: parameter.tier };
    },

    GetParameter(input, { region }) {
      const { WithDecryption } = readInput(decryption, input);
      return { Parameter: value(find(region, readInput(nameInput, input).Name), WithDecryption) };
    },

    GetParameters(input, { region }) {
      return several(input, region, readInput(decryption, input).WithDecryption);
    },

    GetParametersByPath(input, { region }) {
      const request = readInput(pageInput.extend({ Path: z.string(), Recursive: z.boolean().default(false) }), input);
      const { WithDecryption } = readInput(decryption, input);
      const path = request.Path.endsWith('/') ? request.Path : `${request.Path}/`;
      const inside = sortedByName(parametersOf(region)).filter(
        ({ name }) => name.startsWith(path) && (request.Recursive || !name.slice(path.length).includes('/')),
      );
      const { items, next } = page(inside, request.NextToken, request.MaxResults);
      return { Parameters: items.map(({ name }) => value(find(region, name), WithDecryption)), NextToken: next };
    },

    GetParameterHistory(input, { region }) {
      const { WithDecryption } = readInput(decryption, input);
      const { MaxResults, NextToken } = readInput(pageInput, input);
      const { parameter } = find(region, readInput(nameInput, input).Name);
      const { items, next } = page(parameter.versions, NextToken, MaxResults);
      return {
        Parameters: items.map((version) => ({
          ...summary(parameter, version),
          // A history says nothing of where the parameter is.
          ARN: undefined,
          Value: shown(parameter, version, WithDecryption),
        })),
        NextToken: next,
      };
    },

    DescribeParameters(input, { region }) {
      const request = readInput(
        pageInput.extend({
          ParameterFilters: z
            .array(z.object({ Key: z.string(), Option: z.string().optional(), Values: z.array(z.string()).optional() }))
            .optional(),
        }),
        input,
      );
      const wanted = sortedByName(parametersOf(region)).filter((parameter) =>
        (request.ParameterFilters ?? []).every(({ Key, Option, Values }) =>
          passes(parameter, Key, Option, Values ?? []),
        ),
      );
      const { items, next } = page(wanted, request.NextToken, request.MaxResults);
      return {
        Parameters: items.map((parameter) => summary(parameter, find(region, parameter.name).version)),
        NextToken: next,
      };
    },

    DeleteParameter(input, { region }) {
      const { parameter } = find(region, readInput(nameInput, input).Name);
      delete parametersOf(region)[parameter.name];
      store.changed();
      return {};
    },

    DeleteParameters(input, { region }) {
      const { Names } = readInput(namesInput, input);
      const parameters = parametersOf(region);
      const known = Names.filter((name) => parameters[name]);
      for (const name of known) delete parameters[name];
      store.changed();
      return { DeletedParameters: known, InvalidParameters: Names.filter((name) => !known.includes(name)) };
    },

    ListTagsForResource(input, { region }) {
      return { TagList: Object.entries(resource(input, region).tags).map(([Key, Value]) => ({ Key, Value })) };
    },

    AddTagsToResource(input, { region }) {
      const request = readInput(z.object({ Tags: tags }), input);
      const parameter = resource(input, region);
      for (const { Key, Value } of request.Tags) parameter.tags[Key] = Value;
      store.changed();
      return {};
    },

    RemoveTagsFromResource(input, { region }) {
      const { TagKeys } = readInput(z.object({ TagKeys: z.array(z.string()) }), input);
      const parameter = resource(input, region);
      parameter.tags = Object.fromEntries(Object.entries(parameter.tags).filter(([name]) => !TagKeys.includes(name)));
      store.changed();
      return {};
    },
  };
}

function value(
  { parameter, version }: { parameter: ParameterRecord; version: ParameterVersion },
  decrypt: boolean,
): object {
  return {
    Name: parameter.name,
    Type: parameter.type,
    Value: shown(parameter, version, decrypt),
    Version: version.version,
    LastModifiedDate: epochSeconds(version.modifiedAt),
    ARN: parameter.arn,
    DataType: parameter.dataType,
  };
}

/** Without decryption a secure string is shown as its ciphertext; nobody can do anything with it, so any opaque text serves. */
function shown(parameter: ParameterRecord, version: ParameterVersion, decrypt: boolean): string {
  if (parameter.type !== 'SecureString' || decrypt) return version.value;
  return Buffer.from(`${parameter.arn}:${version.version}`).toString('base64');
}

/** What a tier comes to: a tier that AWS is to choose is shown as the one that it chose, and never sinks. */
function tierOf(asked: string, value: string, known: string | undefined): string {
  if (asked !== 'Intelligent-Tiering') return asked;
  return known === 'Advanced' || Buffer.byteLength(value) > STANDARD_BYTES ? 'Advanced' : 'Standard';
}

/** As `PutParameter` takes them, they are one JSON array. */
function policiesOf({ policies = '' }: ParameterRecord): object[] {
  const each = policies === '' ? [] : (JSON.parse(policies) as { Type?: string }[]);
  return each.map((one) => ({ PolicyText: JSON.stringify(one), PolicyType: one.Type, PolicyStatus: 'Pending' }));
}

function summary(parameter: ParameterRecord, version: ParameterVersion): object {
  return {
    Name: parameter.name,
    ARN: parameter.arn,
    Type: parameter.type,
    KeyId: parameter.keyId,
    LastModifiedDate: epochSeconds(version.modifiedAt),
    LastModifiedUser: `arn:aws:iam::${ACCOUNT_ID}:root`,
    Description: parameter.description,
    AllowedPattern: parameter.allowedPattern,
    Version: version.version,
    Tier: parameter.tier,
    Policies: policiesOf(parameter),
    DataType: parameter.dataType,
  };
}

function passes(
  parameter: ParameterRecord,
  key: string,
  option: string | undefined,
  values: readonly string[],
): boolean {
  if (key.startsWith('tag:')) {
    const tag = parameter.tags[key.slice('tag:'.length)];
    return tag !== undefined && (values.length === 0 || values.includes(tag));
  }
  if (key === 'Path') return values.some((path) => parameter.name.startsWith(path.endsWith('/') ? path : `${path}/`));
  const text = key === 'Name' ? parameter.name : key === 'Type' ? parameter.type : undefined;
  if (text === undefined) throw new AwsError('InvalidFilterKey', `The following filter key is not valid: ${key}`);
  return values.some((wanted) =>
    option === 'BeginsWith' ? text.startsWith(wanted) : option === 'Contains' ? text.includes(wanted) : text === wanted,
  );
}

function sortedByName(parameters: Record<string, ParameterRecord>): ParameterRecord[] {
  return Object.values(parameters).sort((left, right) => (left.name < right.name ? -1 : 1));
}

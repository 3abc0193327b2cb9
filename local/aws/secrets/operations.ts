import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { JsonOperation } from '../json-protocol';
import { epochSeconds, page, readInput } from '../json-protocol';
import { ACCOUNT_ID } from '../state';
import type { SecretRecord, SecretVersion } from './model';

const DAY_MS = 24 * 3600 * 1000;
const CURRENT = 'AWSCURRENT';
const PREVIOUS = 'AWSPREVIOUS';

const secretInput = z.object({ SecretId: z.string().min(1) });
const tags = z.array(z.object({ Key: z.string(), Value: z.string() }));
const valueInput = z.object({
  ClientRequestToken: z.string().min(32).max(64).optional(),
  SecretString: z.string().optional(),
  SecretBinary: z.string().optional(),
});
type ValueInput = z.infer<typeof valueInput>;

/** The operations of Secrets Manager (https://docs.aws.amazon.com/secretsmanager/latest/apireference/). */
export function secretsOperations({ store }: Context): Record<string, JsonOperation> {
  const secretsOf = (region: string) => store.region(region).secrets;
  const find = (region: string, id: string): SecretRecord | undefined => {
    const secrets = Object.values(secretsOf(region));
    // A part of the ARN without the random suffix is as good as the whole.
    return secrets.find(({ name, arn }) => name === id || arn === id || arn.slice(0, -7) === id);
  };
  const require = (input: unknown, region: string): SecretRecord => {
    const secret = find(region, readInput(secretInput, input).SecretId);
    if (!secret) throw new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
    return secret;
  };
  const requireLive = (input: unknown, region: string, action: string): SecretRecord => {
    const secret = require(input, region);
    if (secret.deletedAt === undefined) return secret;
    throw new AwsError(
      'InvalidRequestException',
      `You can't perform this operation on the secret because it was marked for deletion. (${action})`,
    );
  };
  return {
    CreateSecret(input, { region }) {
      const request = readInput(
        valueInput.extend({
          Name: z.string().regex(/^[\w/+=.@-]{1,512}$/),
          Description: z.string().optional(),
          KmsKeyId: z.string().optional(),
          Tags: tags.optional(),
        }),
        input,
      );
      const known = find(region, request.Name);
      if (known) {
        const token = request.ClientRequestToken;
        const version = token === undefined ? undefined : known.versions[token];
        if (token !== undefined && version && sameValue(version, request)) return created(known, token);
        if (known.deletedAt !== undefined) {
          throw new AwsError(
            'InvalidRequestException',
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
          );
        }
        throw new AwsError(
          'ResourceExistsException',
          `The operation failed because the secret ${request.Name} already exists.`,
        );
      }
      const now = new Date().toISOString();
      const secret: SecretRecord = {
        arn: `arn:aws:secretsmanager:${region}:${ACCOUNT_ID}:secret:${request.Name}-${suffix()}`,
        name: request.Name,
        description: request.Description,
        kmsKeyId: request.KmsKeyId,
        createdAt: now,
        changedAt: now,
        tags: Object.fromEntries((request.Tags ?? []).map(({ Key, Value }) => [Key, Value])),
        versions: {},
      };
      const hasValue = request.SecretString !== undefined || request.SecretBinary !== undefined;
      const versionId = hasValue ? addVersion(secret, request, [CURRENT]) : undefined;
      secretsOf(region)[request.Name] = secret;
      store.changed();
      return created(secret, versionId);
    },

    GetSecretValue(input, { region }) {
      const request = readInput(
        z.object({ VersionId: z.string().optional(), VersionStage: z.string().optional() }),
        input,
      );
      const secret = requireLive(input, region, 'GetSecretValue');
      const stage = request.VersionStage ?? (request.VersionId === undefined ? CURRENT : undefined);
      const entry = Object.entries(secret.versions).find(
        ([id, version]) =>
          (request.VersionId === undefined || id === request.VersionId) &&
          (stage === undefined || version.stages.includes(stage)),
      );
      if (!entry) {
        throw new AwsError(
          'ResourceNotFoundException',
          `Secrets Manager can't find the specified secret value for ${stage === undefined ? 'VersionId' : 'staging label'}: ${stage ?? request.VersionId}`,
        );
      }
      const [id, version] = entry;
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionId: id,
        SecretString: version.secretString,
        SecretBinary: version.secretBinary,
        VersionStages: version.stages,
        CreatedDate: epochSeconds(version.createdAt),
      };
    },

    PutSecretValue(input, { region }) {
      const request = readInput(valueInput.extend({ VersionStages: z.array(z.string()).min(1).optional() }), input);
      const secret = requireLive(input, region, 'PutSecretValue');
      const versionId = addVersion(secret, request, request.VersionStages ?? [CURRENT]);
      store.changed();
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionId: versionId,
        VersionStages: secret.versions[versionId]?.stages,
      };
    },

    UpdateSecret(input, { region }) {
      const request = readInput(
        valueInput.extend({ Description: z.string().optional(), KmsKeyId: z.string().optional() }),
        input,
      );
      const secret = requireLive(input, region, 'UpdateSecret');
      if (request.Description !== undefined) secret.description = request.Description;
      if (request.KmsKeyId !== undefined) secret.kmsKeyId = request.KmsKeyId;
      const hasValue = request.SecretString !== undefined || request.SecretBinary !== undefined;
      const versionId = hasValue ? addVersion(secret, request, [CURRENT]) : undefined;
      store.changed();
      return created(secret, versionId);
    },

    DescribeSecret(input, { region }) {
      return describe(require(input, region), 'VersionIdsToStages');
    },

    ListSecrets(input, { region }) {
      const request = readInput(
        z.object({
          IncludePlannedDeletion: z.boolean().optional(),
          MaxResults: z.int().min(1).max(100).default(100),
          NextToken: z.string().optional(),
          Filters: z.array(z.object({ Key: z.string(), Values: z.array(z.string()) })).optional(),
        }),
        input,
      );
      const wanted = Object.values(secretsOf(region))
        .filter(({ deletedAt }) => deletedAt === undefined || request.IncludePlannedDeletion)
        .filter((secret) =>
          (request.Filters ?? []).every(({ Key, Values }) => Values.some((value) => passes(secret, Key, value))),
        );
      const { items, next } = page(wanted, request.NextToken, request.MaxResults);
      return { SecretList: items.map((secret) => describe(secret, 'SecretVersionsToStages')), NextToken: next };
    },

    DeleteSecret(input, { region }) {
      const request = readInput(
        z.object({
          RecoveryWindowInDays: z.int().min(7).max(30).optional(),
          ForceDeleteWithoutRecovery: z.boolean().optional(),
        }),
        input,
      );
      if (request.ForceDeleteWithoutRecovery && request.RecoveryWindowInDays !== undefined) {
        throw new AwsError(
          'InvalidParameterException',
          "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        );
      }
      const id = readInput(secretInput, input).SecretId;
      if (request.ForceDeleteWithoutRecovery && !find(region, id)) {
        // Documented: forcing the deletion of what isn't there is no error.
        return {
          ARN: `arn:aws:secretsmanager:${region}:${ACCOUNT_ID}:secret:${id}`,
          Name: id,
          DeletionDate: Date.now() / 1000,
        };
      }
      const secret = request.ForceDeleteWithoutRecovery
        ? require(input, region)
        : requireLive(input, region, 'DeleteSecret');
      const days = request.ForceDeleteWithoutRecovery ? 0 : (request.RecoveryWindowInDays ?? 30);
      secret.deletedAt = new Date(Date.now() + days * DAY_MS).toISOString();
      if (request.ForceDeleteWithoutRecovery) delete secretsOf(region)[secret.name];
      store.changed();
      return { ARN: secret.arn, Name: secret.name, DeletionDate: epochSeconds(secret.deletedAt) };
    },

    RestoreSecret(input, { region }) {
      const secret = require(input, region);
      secret.deletedAt = undefined;
      store.changed();
      return { ARN: secret.arn, Name: secret.name };
    },

    TagResource(input, { region }) {
      const request = readInput(z.object({ Tags: tags }), input);
      const secret = requireLive(input, region, 'TagResource');
      for (const { Key, Value } of request.Tags) secret.tags[Key] = Value;
      store.changed();
      return {};
    },

    UntagResource(input, { region }) {
      const { TagKeys } = readInput(z.object({ TagKeys: z.array(z.string()) }), input);
      const secret = requireLive(input, region, 'UntagResource');
      secret.tags = Object.fromEntries(Object.entries(secret.tags).filter(([name]) => !TagKeys.includes(name)));
      store.changed();
      return {};
    },
  };
}

/** Adds a version and moves the stages to it. The same token with the same value again is the same version. */
function addVersion(secret: SecretRecord, request: ValueInput, stages: readonly string[]): string {
  if ((request.SecretString === undefined) === (request.SecretBinary === undefined)) {
    throw new AwsError('InvalidParameterException', 'You must provide either SecretString or SecretBinary.');
  }
  const id = request.ClientRequestToken ?? randomUUID();
  const known = secret.versions[id];
  if (known) {
    if (sameValue(known, request)) return id;
    throw new AwsError(
      'ResourceExistsException',
      "You can't use ClientRequestToken for a new version of the secret because it is already in use.",
    );
  }
  for (const [otherId, version] of Object.entries(secret.versions)) {
    const wasCurrent = version.stages.includes(CURRENT) && stages.includes(CURRENT);
    const without = stages.includes(CURRENT) ? [...stages, PREVIOUS] : stages;
    version.stages = version.stages.filter((stage) => !without.includes(stage));
    if (wasCurrent) version.stages.push(PREVIOUS);
    if (version.stages.length === 0) delete secret.versions[otherId];
  }
  secret.changedAt = new Date().toISOString();
  secret.versions[id] = {
    createdAt: secret.changedAt,
    secretString: request.SecretString,
    secretBinary: request.SecretBinary,
    stages: Object.keys(secret.versions).length === 0 && !stages.includes(CURRENT) ? [...stages, CURRENT] : [...stages],
  };
  return id;
}

function sameValue(version: SecretVersion, request: ValueInput): boolean {
  return version.secretString === request.SecretString && version.secretBinary === request.SecretBinary;
}

function created(secret: SecretRecord, versionId: string | undefined): object {
  return { ARN: secret.arn, Name: secret.name, VersionId: versionId };
}

function describe(secret: SecretRecord, stagesName: 'VersionIdsToStages' | 'SecretVersionsToStages'): object {
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    KmsKeyId: secret.kmsKeyId,
    LastChangedDate: epochSeconds(secret.changedAt),
    CreatedDate: epochSeconds(secret.createdAt),
    DeletedDate: secret.deletedAt === undefined ? undefined : epochSeconds(secret.deletedAt),
    Tags: Object.entries(secret.tags).map(([Key, Value]) => ({ Key, Value })),
    [stagesName]: Object.fromEntries(Object.entries(secret.versions).map(([id, version]) => [id, version.stages])),
  };
}

/** Filters match the beginning of words; the beginning of the whole is what is supported here. */
function passes(secret: SecretRecord, key: string, value: string): boolean {
  const texts =
    key === 'name'
      ? [secret.name]
      : key === 'description'
        ? [secret.description ?? '']
        : key === 'tag-key'
          ? Object.keys(secret.tags)
          : key === 'tag-value'
            ? Object.values(secret.tags)
            : [secret.name, secret.description ?? '', ...Object.entries(secret.tags).flat()];
  return value.startsWith('!') !== texts.some((text) => text.startsWith(value.replace(/^!/, '')));
}

function suffix(): string {
  return randomBytes(12)
    .toString('base64')
    .replace(/[^A-Za-z0-9]/g, 'x')
    .slice(0, 6);
}

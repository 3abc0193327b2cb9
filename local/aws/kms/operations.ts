import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { JsonOperation, JsonScope } from '../json-protocol';
import { epochSeconds, page, readInput } from '../json-protocol';
import { ACCOUNT_ID } from '../state';
import {
  assertAllowed,
  assertUsable,
  awsManagedKey,
  decryptAny,
  encryptUnder,
  findKey,
  makeKey,
  requireKey,
  SYMMETRIC,
} from './keys';
import type { AliasRecord, KeyRecord } from './model';
import { decideByKeyPolicy, isKeyPolicy } from './policy';

const DAY_MS = 24 * 3600 * 1000;

const base64 = z.string().transform((text) => Buffer.from(text, 'base64'));
const context = z.record(z.string(), z.string()).optional();
const keyInput = z.object({ KeyId: z.string() });
const tags = z.array(z.object({ TagKey: z.string(), TagValue: z.string() }));
const listInput = z.object({ Limit: z.int().min(1).max(1000).default(100), Marker: z.string().optional() });

/** The operations of KMS (https://docs.aws.amazon.com/kms/latest/APIReference/). Each is held against the policy of the key that it names. */
export function kmsOperations(context: Context): Record<string, JsonOperation> {
  const named = z.object({ KeyId: z.string().optional(), TargetKeyId: z.string().optional() });
  const heldAgainstPolicy =
    (name: string, operation: JsonOperation): JsonOperation =>
    (input, scope) => {
      const { KeyId, TargetKeyId } = named.safeParse(input).data ?? {};
      const reference = KeyId ?? TargetKeyId;
      const key = reference === undefined ? undefined : findKey(context.store, scope.region, reference);
      if (key) assertAllowed(key, { action: `kms:${name}` }, scope.caller);
      return operation(input, scope);
    };
  const operations = Object.entries(kmsOperationsByName(context));
  return Object.fromEntries(operations.map(([name, operation]) => [name, heldAgainstPolicy(name, operation)]));
}

function kmsOperationsByName({ store }: Context): Record<string, JsonOperation> {
  const found = (input: unknown, region: string) => requireKey(store, region, readInput(keyInput, input).KeyId);
  const changeable = (input: unknown, region: string) => {
    const key = found(input, region);
    if (key.state === 'PendingDeletion')
      throw new AwsError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
    return key;
  };
  return {
    CreateKey(input, { region }) {
      const request = readInput(
        z.object({
          Policy: z.string().optional(),
          Description: z.string().optional(),
          KeyUsage: z.string().optional(),
          KeySpec: z.string().optional(),
          CustomerMasterKeySpec: z.string().optional(),
          MultiRegion: z.boolean().optional(),
          Tags: tags.optional(),
          BypassPolicyLockoutSafetyCheck: z.boolean().default(false),
        }),
        input,
      );
      if (request.Policy !== undefined) assertPolicy(request.Policy, request.BypassPolicyLockoutSafetyCheck);
      const key = makeKey(store, region, {
        description: request.Description ?? '',
        usage: request.KeyUsage ?? 'ENCRYPT_DECRYPT',
        spec: request.KeySpec ?? request.CustomerMasterKeySpec ?? SYMMETRIC,
        multiRegion: request.MultiRegion ?? false,
        ...(request.Policy === undefined ? {} : { policy: request.Policy }),
        tags: Object.fromEntries((request.Tags ?? []).map(({ TagKey, TagValue }) => [TagKey, TagValue])),
      });
      return { KeyMetadata: metadata(key) };
    },

    DescribeKey(input, { region }) {
      const { KeyId } = readInput(keyInput, input);
      const managed = /(?:^|:)alias\/aws\/(\w+)$/.exec(KeyId)?.[1];
      // An alias of AWS's own comes to life when it is first used.
      const key =
        managed && !findKey(store, region, KeyId)
          ? awsManagedKey(store, region, managed)
          : requireKey(store, region, KeyId);
      return { KeyMetadata: metadata(key) };
    },

    ListKeys(input, { region }) {
      const { Limit, Marker } = readInput(listInput, input);
      const { items, next } = page(Object.values(store.region(region).kms.keys), Marker, Limit);
      return {
        Keys: items.map((key) => ({ KeyId: key.id, KeyArn: key.arn })),
        NextMarker: next,
        Truncated: next !== undefined,
      };
    },

    DisableKey(input, { region }) {
      changeable(input, region).state = 'Disabled';
      store.changed();
      return {};
    },

    EnableKey(input, { region }) {
      changeable(input, region).state = 'Enabled';
      store.changed();
      return {};
    },

    ScheduleKeyDeletion(input, { region }) {
      const { PendingWindowInDays } = readInput(
        z.object({ PendingWindowInDays: z.int().min(7).max(30).default(30) }),
        input,
      );
      const key = changeable(input, region);
      key.state = 'PendingDeletion';
      key.deletionDate = new Date(Date.now() + PendingWindowInDays * DAY_MS).toISOString();
      store.changed();
      return { KeyId: key.arn, DeletionDate: epochSeconds(key.deletionDate), KeyState: key.state, PendingWindowInDays };
    },

    CancelKeyDeletion(input, { region }) {
      const key = found(input, region);
      if (key.state !== 'PendingDeletion') {
        throw new AwsError('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
      }
      key.state = 'Disabled';
      key.deletionDate = undefined;
      store.changed();
      return { KeyId: key.arn };
    },

    CreateAlias(input, { region }) {
      const { AliasName, TargetKeyId } = readInput(z.object({ AliasName: z.string(), TargetKeyId: z.string() }), input);
      if (!/^alias\/[\w/-]+$/.test(AliasName) || AliasName.startsWith('alias/aws/')) {
        throw new AwsError('InvalidAliasNameException', `${AliasName} is not a valid alias name.`);
      }
      const { aliases } = store.region(region).kms;
      if (aliases[AliasName]) {
        const arn = aliasArn(region, AliasName);
        throw new AwsError('AlreadyExistsException', `An alias with the name ${arn} already exists`);
      }
      const target = requireKey(store, region, TargetKeyId);
      aliases[AliasName] = { name: AliasName, targetKeyId: target.id, createdAt: new Date().toISOString() };
      store.changed();
      return {};
    },

    DeleteAlias(input, { region }) {
      const { AliasName } = readInput(z.object({ AliasName: z.string() }), input);
      const { aliases } = store.region(region).kms;
      if (!aliases[AliasName]) {
        throw new AwsError('NotFoundException', `Alias ${aliasArn(region, AliasName)} is not found.`);
      }
      delete aliases[AliasName];
      store.changed();
      return {};
    },

    ListAliases(input, { region }) {
      const { KeyId } = readInput(z.object({ KeyId: z.string().optional() }), input);
      const { Limit, Marker } = readInput(listInput, input);
      const target = KeyId === undefined ? undefined : requireKey(store, region, KeyId).id;
      const aliases = Object.values(store.region(region).kms.aliases).filter(
        ({ targetKeyId }) => target === undefined || targetKeyId === target,
      );
      const { items, next } = page(aliases, Marker, Limit);
      return {
        Aliases: items.map((alias) => aliasEntry(region, alias)),
        NextMarker: next,
        Truncated: next !== undefined,
      };
    },

    GenerateDataKey(input, { region }) {
      const request = readInput(
        z.object({
          KeySpec: z.enum(['AES_256', 'AES_128']).optional(),
          NumberOfBytes: z.int().min(1).max(1024).optional(),
          EncryptionContext: context,
          DryRun: z.boolean().optional(),
        }),
        input,
      );
      if ((request.KeySpec === undefined) === (request.NumberOfBytes === undefined)) {
        throw new AwsError('ValidationException', 'Please specify either number of bytes or key spec.');
      }
      const key = found(input, region);
      assertUsable(key);
      if (request.DryRun) {
        throw new AwsError(
          'DryRunOperationException',
          'The request would have succeeded, but the DryRun option is set.',
          412,
        );
      }
      const plaintext = randomBytes(request.NumberOfBytes ?? (request.KeySpec === 'AES_128' ? 16 : 32));
      const ciphertext = encryptUnder(key, plaintext, request.EncryptionContext);
      return { CiphertextBlob: ciphertext.toString('base64'), Plaintext: plaintext.toString('base64'), KeyId: key.arn };
    },

    Encrypt(input, { region }) {
      const request = readInput(z.object({ Plaintext: base64, EncryptionContext: context }), input);
      const key = found(input, region);
      assertUsable(key);
      const ciphertext = encryptUnder(key, request.Plaintext, request.EncryptionContext);
      return { CiphertextBlob: ciphertext.toString('base64'), KeyId: key.arn, EncryptionAlgorithm: SYMMETRIC };
    },

    Decrypt(input, { region, caller }: JsonScope) {
      const request = readInput(
        z.object({ CiphertextBlob: base64, EncryptionContext: context, KeyId: z.string().optional() }),
        input,
      );
      const { key, plaintext } = decryptAny(store, region, request.CiphertextBlob, request.EncryptionContext);
      assertAllowed(key, { action: 'kms:Decrypt' }, caller);
      if (request.KeyId !== undefined && requireKey(store, region, request.KeyId) !== key) {
        throw new AwsError(
          'IncorrectKeyException',
          'The key ID in the request does not identify a CMK that can perform this operation.',
        );
      }
      return { KeyId: key.arn, Plaintext: plaintext.toString('base64'), EncryptionAlgorithm: SYMMETRIC };
    },

    GetKeyPolicy(input, { region }) {
      return { Policy: found(input, region).policy, PolicyName: 'default' };
    },

    PutKeyPolicy(input, { region }) {
      const { Policy, BypassPolicyLockoutSafetyCheck } = readInput(
        z.object({ Policy: z.string(), BypassPolicyLockoutSafetyCheck: z.boolean().default(false) }),
        input,
      );
      assertPolicy(Policy, BypassPolicyLockoutSafetyCheck);
      changeable(input, region).policy = Policy;
      store.changed();
      return {};
    },

    TagResource(input, { region }) {
      const request = readInput(z.object({ Tags: tags }), input);
      const key = changeable(input, region);
      for (const { TagKey, TagValue } of request.Tags) key.tags[TagKey] = TagValue;
      store.changed();
      return {};
    },

    UntagResource(input, { region }) {
      const { TagKeys } = readInput(z.object({ TagKeys: z.array(z.string()) }), input);
      const key = changeable(input, region);
      key.tags = Object.fromEntries(Object.entries(key.tags).filter(([name]) => !TagKeys.includes(name)));
      store.changed();
      return {};
    },

    ListResourceTags(input, { region }) {
      const { Limit, Marker } = readInput(listInput, input);
      const { items, next } = page(Object.entries(found(input, region).tags), Marker, Limit);
      return {
        Tags: items.map(([TagKey, TagValue]) => ({ TagKey, TagValue })),
        NextMarker: next,
        Truncated: next !== undefined,
      };
    },
  };
}

/** @param unsafe lets a policy through after which nobody can change it any more */
function assertPolicy(policy: string, unsafe: boolean): void {
  if (!isKeyPolicy(policy)) throw new AwsError('MalformedPolicyDocumentException', 'The policy document is not valid.');
  if (!unsafe && decideByKeyPolicy(policy, { action: 'kms:PutKeyPolicy' }) !== 'allowed') {
    throw new AwsError(
      'MalformedPolicyDocumentException',
      'The new key policy will not allow you to update the key policy in the future.',
    );
  }
}

function metadata(key: KeyRecord): object {
  return {
    AWSAccountId: ACCOUNT_ID,
    KeyId: key.id,
    Arn: key.arn,
    CreationDate: epochSeconds(key.createdAt),
    Enabled: key.state === 'Enabled',
    Description: key.description,
    KeyUsage: key.usage,
    KeyState: key.state,
    ...(key.deletionDate === undefined ? {} : { DeletionDate: epochSeconds(key.deletionDate) }),
    Origin: 'AWS_KMS',
    KeyManager: key.manager,
    CustomerMasterKeySpec: key.spec,
    KeySpec: key.spec,
    ...(key.usage === 'ENCRYPT_DECRYPT' && key.spec === SYMMETRIC ? { EncryptionAlgorithms: [SYMMETRIC] } : {}),
    MultiRegion: key.multiRegion,
  };
}

function aliasArn(region: string, name: string): string {
  return `arn:aws:kms:${region}:${ACCOUNT_ID}:${name}`;
}

function aliasEntry(region: string, alias: AliasRecord): object {
  return {
    AliasName: alias.name,
    AliasArn: aliasArn(region, alias.name),
    TargetKeyId: alias.targetKeyId,
    CreationDate: epochSeconds(alias.createdAt),
    LastUpdatedDate: epochSeconds(alias.createdAt),
  };
}

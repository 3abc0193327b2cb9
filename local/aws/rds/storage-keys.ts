import { randomBytes } from 'node:crypto';
import type { Context } from '../context';
import { AwsError } from '../errors';
import { policyLetsUseKey } from '../iam/enforce';
import { awsManagedKey, decryptAny, encryptUnder, findKey, rdsMayUse } from '../kms/keys';
import { usesByRds } from '../kms/policy';
import type { SnapshotRecord } from './model';
import type { RdsCall } from './request';

/** The error of RDS for a key that it can't use, whatever the reason. */
export function keyNotAccessible(reference: string): AwsError {
  return new AwsError(
    'KMSKeyNotAccessibleFault',
    `The specified KMS key [${reference}] does not exist, is not enabled or you do not have permissions to access it.`,
  );
}

/**
 * The ARN of the key that storage is to be encrypted with: the one named, or the one that AWS manages for RDS. RDS uses it in the name of its caller, so
 * the key's policy and the caller's have to allow what RDS asks for.
 */
export function requireStorageKey(
  { context: { store }, region, scope }: RdsCall,
  reference: string | undefined,
): string {
  const isDefault = reference === undefined || /(^|:)alias\/aws\/rds$/.test(reference);
  const key = isDefault ? awsManagedKey(store, region, 'rds') : findKey(store, region, reference);
  const usable =
    key && rdsMayUse(key, region) && usesByRds(region).every((use) => policyLetsUseKey(store, scope, key.arn, use));
  if (!usable) throw keyNotAccessible(reference ?? 'alias/aws/rds');
  return key.arn;
}

/** Whether RDS can use the key now. */
export function isKeyAccessible({ store }: Context, region: string, arn: string): boolean {
  const key = findKey(store, region, arn);
  return key !== undefined && rdsMayUse(key, region);
}

/** A new data key for a snapshot; its encrypted form is kept with the snapshot, the other is not. */
export function newDataKey(context: Context, snapshot: SnapshotRecord): Buffer | undefined {
  if (snapshot.kmsKeyArn === undefined) return undefined;
  const key = usableKey(context, snapshot);
  const plaintext = randomBytes(32);
  snapshot.wrappedDataKey = encryptUnder(key, plaintext, encryptionContext(snapshot)).toString('base64');
  context.store.changed();
  return plaintext;
}

/** The data key of a snapshot, if its key can still be used. */
export function openDataKey(context: Context, snapshot: SnapshotRecord): Buffer | undefined {
  if (snapshot.kmsKeyArn === undefined) return undefined;
  usableKey(context, snapshot);
  const blob = Buffer.from(snapshot.wrappedDataKey ?? '', 'base64');
  return decryptAny(context.store, snapshot.region, blob, encryptionContext(snapshot)).plaintext;
}

function usableKey({ store }: Context, { region, kmsKeyArn = '' }: SnapshotRecord) {
  const key = findKey(store, region, kmsKeyArn);
  if (!key || !rdsMayUse(key, region)) throw keyNotAccessible(kmsKeyArn);
  return key;
}

function encryptionContext(snapshot: SnapshotRecord): Record<string, string> {
  return { 'aws:rds:snapshot-storage': snapshot.storageId };
}

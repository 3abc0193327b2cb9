import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { AwsError } from '../errors';
import type { Store } from '../state';
import { ACCOUNT_ID } from '../state';
import type { KeyRecord } from './model';
import { decideByKeyPolicy, defaultKeyPolicy, type KeyUse, managedKeyPolicy, policyLetsRdsUse } from './policy';

/** Additional data that must be the same at encryption and decryption. */
export type EncryptionContext = Readonly<Record<string, string>>;

/** The one algorithm of symmetric keys. */
export const SYMMETRIC = 'SYMMETRIC_DEFAULT';

/** Finds a key by id, ARN, alias name (`alias/...`) or alias ARN. */
export function findKey(store: Store, region: string, reference: string): KeyRecord | undefined {
  const { keys, aliases } = store.region(region).kms;
  const arn = /^arn:aws[\w-]*:kms:([\w-]+):(\d+):(key|alias)\/(.+)$/.exec(reference);
  if (arn && (arn[1] !== region || arn[2] !== ACCOUNT_ID)) return undefined;
  const name = arn ? (arn[3] === 'alias' ? `alias/${arn[4]}` : (arn[4] ?? '')) : reference;
  if (!name.startsWith('alias/')) return keys[name];
  const target = aliases[name]?.targetKeyId;
  return target === undefined ? undefined : keys[target];
}

/** As `findKey`; a key that isn't there is KMS's own error. */
export function requireKey(store: Store, region: string, reference: string): KeyRecord {
  const key = findKey(store, region, reference);
  if (key) return key;
  if (reference.includes('alias/')) {
    const arn = reference.startsWith('arn:') ? reference : `arn:aws:kms:${region}:${ACCOUNT_ID}:${reference}`;
    throw new AwsError('NotFoundException', `Alias ${arn} is not found.`);
  }
  const arn = reference.startsWith('arn:') ? reference : `arn:aws:kms:${region}:${ACCOUNT_ID}:key/${reference}`;
  throw new AwsError('NotFoundException', `Key '${arn}' does not exist`);
}

/** Makes a key. */
export function makeKey(
  store: Store,
  region: string,
  options: Partial<Pick<KeyRecord, 'description' | 'manager' | 'usage' | 'spec' | 'policy' | 'tags' | 'multiRegion'>>,
): KeyRecord {
  // As other stand-ins have it, so that a key can be the same one in several.
  const given = options.tags?.['_custom_id_'];
  const id = given ?? (options.multiRegion ? `mrk-${randomUUID().replaceAll('-', '')}` : randomUUID());
  const key: KeyRecord = {
    id,
    arn: `arn:aws:kms:${region}:${ACCOUNT_ID}:key/${id}`,
    description: options.description ?? '',
    manager: options.manager ?? 'CUSTOMER',
    usage: options.usage ?? 'ENCRYPT_DECRYPT',
    spec: options.spec ?? SYMMETRIC,
    multiRegion: options.multiRegion ?? false,
    createdAt: new Date().toISOString(),
    state: 'Enabled',
    policy: options.policy ?? defaultKeyPolicy(),
    tags: options.tags ?? {},
    material: randomBytes(32).toString('base64'),
  };
  store.region(region).kms.keys[id] = key;
  store.changed();
  return key;
}

/** The key that AWS manages for a service (`alias/aws/rds`), made when it is first needed. */
export function awsManagedKey(store: Store, region: string, service: string): KeyRecord {
  const name = `alias/aws/${service}`;
  const known = findKey(store, region, name);
  if (known) return known;
  const key = makeKey(store, region, {
    manager: 'AWS',
    description: `Default key that protects my ${service.toUpperCase()} data when no other key is defined`,
    policy: managedKeyPolicy(service, region),
  });
  store.region(region).kms.aliases[name] = { name, targetKeyId: key.id, createdAt: key.createdAt };
  store.changed();
  return key;
}

/** Throws KMS's error for a key that can't be used at the moment. */
export function assertUsable(key: KeyRecord): void {
  if (key.state === 'Disabled') throw new AwsError('DisabledException', `${key.arn} is disabled.`);
  if (key.state === 'PendingDeletion') {
    throw new AwsError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
  }
  if (key.usage !== 'ENCRYPT_DECRYPT' || key.spec !== SYMMETRIC) {
    throw new AwsError(
      'InvalidKeyUsageException',
      `${key.arn} key usage is ${key.usage} which is not valid for this operation.`,
    );
  }
}

/** Throws KMS's error for a use that the key's policy doesn't allow to the caller, an ARN. */
export function assertAllowed(key: KeyRecord, use: KeyUse, caller: string): void {
  const decision = decideByKeyPolicy(key.policy, use);
  if (decision === 'allowed') return;
  const because =
    decision === 'explicitDeny'
      ? 'with an explicit deny in a resource-based policy'
      : `because no resource-based policy allows the ${use.action} action`;
  throw new AwsError(
    'AccessDeniedException',
    `User: ${caller} is not authorized to perform: ${use.action} on resource: ${key.arn} ${because}`,
  );
}

/** Whether RDS can encrypt and decrypt storage with the key now. */
export function rdsMayUse(key: KeyRecord, region: string): boolean {
  return canEncrypt(key) && policyLetsRdsUse(key.policy, region);
}

/** Whether another service than RDS can make a data key of the key, and open it again, in the name of its caller. */
export function serviceMayUse(key: KeyRecord, region: string, service: string): boolean {
  const via = `${service}.${region}.amazonaws.com`;
  const uses = ['kms:GenerateDataKey', 'kms:Decrypt'].map((action) => ({ action, via }));
  return canEncrypt(key) && uses.every((use) => decideByKeyPolicy(key.policy, use) === 'allowed');
}

const canEncrypt = ({ state, usage, spec }: KeyRecord): boolean =>
  state === 'Enabled' && usage === 'ENCRYPT_DECRYPT' && spec === SYMMETRIC;

/** Of our ciphertexts: a byte that tells the format, the key's id, the nonce of AES-GCM, its tag, the data. */
const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts a small text under a key. */
export function encryptUnder(key: KeyRecord, plaintext: Uint8Array, context: EncryptionContext = {}): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key.material, 'base64'), nonce).setAAD(
    contextBytes(context),
  );
  const data = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const id = Buffer.from(key.id, 'ascii');
  return Buffer.concat([Buffer.from([FORMAT, id.length]), id, nonce, cipher.getAuthTag(), data]);
}

/** Decrypts what `encryptUnder` made; the key is named in the ciphertext. */
export function decryptAny(
  store: Store,
  region: string,
  blob: Uint8Array,
  context: EncryptionContext = {},
): { readonly key: KeyRecord; readonly plaintext: Buffer } {
  const bytes = Buffer.from(blob);
  const idEnd = 2 + (bytes[1] ?? 0);
  const key = store.region(region).kms.keys[bytes.subarray(2, idEnd).toString('ascii')];
  if (bytes[0] !== FORMAT || !key) throw new AwsError('InvalidCiphertextException', 'The ciphertext is not valid.');
  assertUsable(key);
  const nonceEnd = idEnd + NONCE_BYTES;
  try {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      Buffer.from(key.material, 'base64'),
      bytes.subarray(idEnd, nonceEnd),
    )
      .setAAD(contextBytes(context))
      .setAuthTag(bytes.subarray(nonceEnd, nonceEnd + TAG_BYTES));
    return { key, plaintext: Buffer.concat([decipher.update(bytes.subarray(nonceEnd + TAG_BYTES)), decipher.final()]) };
  } catch {
    throw new AwsError('InvalidCiphertextException', 'The ciphertext or the encryption context is not valid.');
  }
}

function contextBytes(context: EncryptionContext): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(context).sort(([left], [right]) => (left < right ? -1 : 1))));
}

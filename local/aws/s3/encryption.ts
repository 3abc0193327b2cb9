import { AwsError } from '../errors';
import { awsManagedKey, findKey } from '../kms/keys';
import type { RestCall } from '../rest-protocol';
import type { BucketRecord, Encryption } from './model';

/** How an upload is to be encrypted. Without a word S3 encrypts with its own key. */
export function readEncryption({ context, headers }: RestCall, { region }: BucketRecord): Encryption {
  const algorithm = headers['x-amz-server-side-encryption'] ?? 'AES256';
  const key = headers['x-amz-server-side-encryption-aws-kms-key-id'];
  if (algorithm === 'AES256' && key === undefined) return { algorithm };
  if (algorithm === 'AES256') {
    throw new AwsError(
      'InvalidArgument',
      'Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms',
    );
  }
  if (algorithm !== 'aws:kms' && algorithm !== 'aws:kms:dsse') {
    throw new AwsError('InvalidEncryptionAlgorithmError', 'The encryption request that you specified is not valid.');
  }
  const record =
    key === undefined ? awsManagedKey(context.store, region, 's3') : findKey(context.store, region, String(key));
  if (!record) throw new AwsError('KMS.NotFoundException', `Key '${String(key)}' does not exist`);
  if (record.state !== 'Enabled') throw new AwsError('KMS.DisabledException', `${record.arn} is disabled.`);
  return { algorithm, keyArn: record.arn };
}

/** Refuses to read what is encrypted under a key that can't be used now. */
export function assertReadable({ context }: RestCall, { region }: BucketRecord, encryption: Encryption): void {
  if (encryption.algorithm === 'AES256') return;
  const { keyArn } = encryption;
  if (findKey(context.store, region, keyArn)?.state !== 'Enabled') {
    throw new AwsError('KMS.DisabledException', `${keyArn} is disabled.`);
  }
}

/** What an answer says of it. */
export function encryptionHeaders(encryption: Encryption): Record<string, string> {
  return {
    'x-amz-server-side-encryption': encryption.algorithm,
    ...(encryption.algorithm === 'AES256' ? {} : { 'x-amz-server-side-encryption-aws-kms-key-id': encryption.keyArn }),
  };
}

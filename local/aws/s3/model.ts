/** An object. Its bytes are in a file of the state directory. */
export interface ObjectRecord {
  /** Names the file. */
  readonly file: string;
  readonly size: number;
  /** MD5 of the bytes, in hex. */
  readonly etag: string;
  /** CRC-32 of the bytes, as S3 writes it: base64. */
  readonly crc32: string;
  readonly modifiedAt: string;
  /** Headers that come back as they were sent: content type, metadata of the user, ... */
  readonly headers: Readonly<Record<string, string>>;
  readonly encryption: Encryption;
}

/** How S3 encrypts an object: with a key of its own, or under a key of KMS. */
export type Encryption =
  { readonly algorithm: 'AES256' } | { readonly algorithm: 'aws:kms' | 'aws:kms:dsse'; readonly keyArn: string };

/** A bucket. */
export interface BucketRecord {
  readonly name: string;
  readonly region: string;
  readonly createdAt: string;
  objects: Record<string, ObjectRecord>;
}

/** Names of buckets are unique in all regions. */
export interface S3State {
  buckets: Record<string, BucketRecord>;
}

/** One version of a secret's value. */
export interface SecretVersion {
  readonly createdAt: string;
  readonly secretString?: string | undefined;
  /** Base64. */
  readonly secretBinary?: string | undefined;
  stages: string[];
}

/** A secret. */
export interface SecretRecord {
  readonly arn: string;
  readonly name: string;
  description?: string | undefined;
  kmsKeyId?: string | undefined;
  readonly createdAt: string;
  changedAt: string;
  deletedAt?: string | undefined;
  tags: Record<string, string>;
  versions: Record<string, SecretVersion>;
}

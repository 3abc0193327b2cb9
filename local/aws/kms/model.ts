/** A KMS key with its material. */
export interface KeyRecord {
  readonly id: string;
  readonly arn: string;
  readonly description: string;
  readonly manager: 'CUSTOMER' | 'AWS';
  readonly usage: string;
  readonly spec: string;
  readonly createdAt: string;
  readonly multiRegion: boolean;
  state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  deletionDate?: string | undefined;
  policy: string;
  tags: Record<string, string>;
  /** 256 bits, base64. */
  readonly material: string;
}

/** An alias of a key. */
export interface AliasRecord {
  readonly name: string;
  targetKeyId: string;
  readonly createdAt: string;
}

/** KMS in one region. */
export interface KmsState {
  keys: Record<string, KeyRecord>;
  aliases: Record<string, AliasRecord>;
}

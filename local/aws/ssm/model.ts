/** One version of a parameter. */
export interface ParameterVersion {
  readonly version: number;
  readonly value: string;
  readonly modifiedAt: string;
}

/** A parameter of the Systems Manager's parameter store. */
export interface ParameterRecord {
  readonly name: string;
  readonly arn: string;
  type: 'String' | 'StringList' | 'SecureString';
  description?: string | undefined;
  keyId?: string | undefined;
  allowedPattern?: string | undefined;
  policies?: string | undefined;
  tier: string;
  dataType: string;
  tags: Record<string, string>;
  versions: ParameterVersion[];
}

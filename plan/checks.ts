/** One result of the preflight; `code` is stable and has its paragraph in docs/checks.md. */
export interface Check {
  readonly code: CheckCode;
  readonly level: 'ok' | 'warn' | 'block';
  /** What was found, where. */
  readonly message: string;
  /** What to run or change; absent when nothing is to be done. */
  readonly remedy?: string;
}

export const CHECK_CODES = [
  'source-exists',
  'source-engine',
  'source-available',
  'source-encryption',
  'source-credentials',
  'source-privileges',
  'source-databases',
  'source-capacity',
  'source-subscriptions',
  'replica-identity',
  'target-name',
  'target-network',
  'key-usable',
  'quota',
  'traffic-switch',
  'fence-roles',
] as const;
export type CheckCode = (typeof CHECK_CODES)[number];

/** What the preflight learnt of the source and later steps build on. */
export interface SourceFacts {
  readonly instance: string;
  /** Never reused by AWS, unlike the identifier: tells whether somebody replaced the instance meanwhile. */
  readonly resourceId: string;
  readonly engineVersion: string;
  readonly address: string;
  readonly port: number;
  readonly parameterGroup: string;
  readonly encrypted: boolean;
  readonly kmsKeyId?: string;
  readonly masterUser: string;
  /** Databases that the migration replicates, sorted. */
  readonly databases: readonly string[];
  readonly tables: number;
  /** Sum of `pg_database_size`, in bytes. */
  readonly sizeBytes: number;
  /** ARN of the key that the target will be encrypted under. */
  readonly targetKmsKeyArn: string;
}

export interface Preflight {
  readonly checks: readonly Check[];
  /** Absent when a check blocks so early that the facts could not be gathered. */
  readonly source?: SourceFacts;
}

export const blocking = (checks: readonly Check[]): Check[] => checks.filter((check) => check.level === 'block');

/** How a check of the preflight may be answered by the plan, and when it is made. */
export interface CheckDefinition {
  /** Whether a block may be overridden, by code and reason. Where the migration would lose data or can't run at all: never. */
  readonly overridable: boolean;
  /** Whether it is made again before the cutover gate opens: the facts may have changed meanwhile. */
  readonly again: boolean;
}

const never = { overridable: false, again: false } as const;
/** May be overridden: what would be lost or fail may not matter here. */
const waivable = { overridable: true, again: false } as const;
const waivableAgain = { overridable: true, again: true } as const;
const neverAgain = { overridable: false, again: true } as const;

/** Every check, in the order of docs/checks.md, where each has its paragraph. */
export const CHECKS = {
  'source-exists': never,
  'source-engine': never,
  'source-available': never,
  'source-encryption': never,
  'source-credentials': never,
  'source-privileges': neverAgain,
  'source-databases': neverAgain,
  'source-capacity': never,
  'source-subscriptions': neverAgain,
  'other-migration': neverAgain,
  'replica-identity': neverAgain,
  'server-version': never,
  'wal-level': never,
  'wal-ceiling': never,
  'slot-ceiling': { overridable: true, again: false },
  'slot-timeout': waivableAgain,
  'sender-timeout': never,
  'decoding-memory': never,
  'commit-timestamps': never,
  'statement-tracking': never,
  'worker-settings': waivableAgain,
  'wal-rate': never,
  'long-transactions': never,
  'prepared-transactions': never,
  'running-ddl': neverAgain,
  'full-identity-types': waivableAgain,
  'full-identity-equality': waivable,
  'generated-columns': neverAgain,
  'large-objects': waivableAgain,
  'unlogged-tables': waivableAgain,
  'unlogged-references': waivableAgain,
  'materialized-views': never,
  'foreign-tables': never,
  'sequence-ranges': neverAgain,
  'always-triggers': neverAgain,
  'row-level-security': waivableAgain,
  'event-triggers': waivableAgain,
  tablespaces: never,
  'invalid-indexes': never,
  'unvalidated-constraints': never,
  'domain-constraints': waivableAgain,
  'reg-columns': never,
  'search-path': waivableAgain,
  extensions: never,
  'extension-tables': waivableAgain,
  collations: neverAgain,
  'replication-slots': neverAgain,
  'foreign-publications': never,
  'cron-jobs': waivableAgain,
  'partition-maintenance': never,
  'background-workers': waivableAgain,
  'calling-out': never,
  'target-name': never,
  'target-network': never,
  'network-path': waivable,
  'instance-class': waivable,
  'key-usable': neverAgain,
  quota: never,
  permissions: waivableAgain,
  'parameter-group': never,
  'option-group': never,
  'storage-headroom': waivableAgain,
  'storage-performance': never,
  'cpu-credits': never,
  'source-topology': never,
  'read-replicas': never,
  'rds-proxy': neverAgain,
  'blue-green': neverAgain,
  'pending-modifications': waivableAgain,
  'pending-maintenance': neverAgain,
  backups: never,
  'managed-by-stack': never,
  'iam-authentication': never,
  'deletion-protection': never,
  certificate: neverAgain,
  'traffic-switch': neverAgain,
  'fence-roles': neverAgain,
  'ignored-roles': neverAgain,
  fence: neverAgain,
  'cutover-window': never,
} as const satisfies Record<string, CheckDefinition>;
export type CheckCode = keyof typeof CHECKS;
export const CHECK_CODES = Object.keys(CHECKS) as CheckCode[];

/** One result of the preflight; `code` is stable and has its paragraph in docs/checks.md. */
export interface Check {
  readonly code: CheckCode;
  /**
   * `ok`: nothing to decide, though the message may be worth reading. `warn`: something will be different or needs a
   * decision; the plan has to acknowledge it by code. `block`: rows or the migration would be lost.
   */
  readonly level: 'ok' | 'warn' | 'block';
  /** What was found, where. */
  readonly message: string;
  /** The SQL or AWS command to run; absent when nothing is to be done. */
  readonly remedy?: string;
  /** What was found, as data: names, counts, figures with their unit in the key. Bounded (`EVIDENCE_MAX` items a list). */
  readonly evidence?: Readonly<Record<string, unknown>>;
}

/** So many names of a kind go into a check's evidence; the count is always exact. */
export const EVIDENCE_MAX = 20;

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

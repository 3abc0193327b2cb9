import type { DBInstance } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';

/**
 * States in which PostgreSQL serves sessions. RDS only takes few calls in them: after a restore with automated backups an instance is
 * `backing-up` for hours, after a change of its storage `storage-optimization` for up to days.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status
 */
const UP: ReadonlySet<string> = new Set([
  'available',
  'backing-up',
  'configuring-activity-stream',
  'configuring-enhanced-monitoring',
  'configuring-iam-database-auth',
  'configuring-log-exports',
  'delete-precheck',
  'storage-config-upgrade',
  'storage-initialization',
  'storage-optimization',
]);

/**
 * States in which RDS may take a call that changes an instance. It has the last word: who sends one is ready to be refused.
 * @see https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/rds/instance.go (waitDBInstanceAvailable)
 */
const TAKES_CALLS: ReadonlySet<string> = new Set(['available', 'storage-initialization', 'storage-optimization']);

/** States from which an instance does not come back by itself, beside every `incompatible-*` and `inaccessible-*`. */
const FAILED: ReadonlySet<string> = new Set([
  'failed',
  'insufficient-capacity',
  'modify-failed',
  'restore-error',
  'upgrade-failed',
]);

export const statusOf = ({ DBInstanceStatus }: DBInstance): string => DBInstanceStatus ?? 'unknown';

/** Whether sessions can be opened on the instance, whatever RDS does with it besides. */
export const isUp = (instance: DBInstance): boolean => UP.has(statusOf(instance));

/** Whether a call that changes the instance may be tried. */
export const takesCalls = (instance: DBInstance): boolean => TAKES_CALLS.has(statusOf(instance));

/** Whether the volume is full: PostgreSQL takes no writes, and nothing but more storage helps. */
export const isFull = (instance: DBInstance): boolean => statusOf(instance) === 'storage-full';

/** What an instance is waited for, in words; of a full one, what helps. */
export function describeStatus(instance: DBInstance): string {
  const { DBInstanceIdentifier: name = '' } = instance;
  if (!isFull(instance)) return `${name}: ${statusOf(instance)}`;
  return `${name} IS FULL (storage-full) and takes no writes: ${growCommand(name, instance)}`;
}

/** The command that gives a full instance a fifth more storage; RDS takes a tenth at least. */
export const growCommand = (name: string, { AllocatedStorage = 0 }: DBInstance): string =>
  `aws rds modify-db-instance --db-instance-identifier ${name} --allocated-storage ${Math.ceil((AllocatedStorage * 12) / 10)} --apply-immediately`;

/** @throws ApplicationFailure ResourceFailed for an instance that does not come back by itself */
export function throwIfFailed(instance: DBInstance): void {
  const status = statusOf(instance);
  if (!FAILED.has(status) && !/^(incompatible|inaccessible)-/.test(status)) return;
  const { DBInstanceIdentifier: name } = instance;
  throw finalFailure(
    'ResourceFailed',
    `DB instance ${name} is in state ${status} and does not leave it by itself. Why: aws rds describe-events --source-type db-instance --source-identifier ${name}`,
    { status },
  );
}

import { type DBInstance, DeleteDBInstanceCommand, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import type { LogGroup, RemovedReplica } from '../../plan/report';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { MayBeGone, NotShownYet } from '../not-shown-yet';
import { waitUntil } from '../wait';
import { findInstance } from './find-instance';
import { finalSnapshotName, type FinalSnapshotInput, settleFinalSnapshot } from './final-snapshot';
import { deleteLogGroups, deleteLogGroupsOfOurs, exportsLogs, lookAtLogGroups } from './log-groups';
import { isOurTarget } from './ownership';
import { requireSame } from './require-same';

/** What we made goes whole: no final snapshot, and no automated backups, which RDS would keep until their retention is over. */
export const WHOLE = { SkipFinalSnapshot: true, DeleteAutomatedBackups: true } as const;
/** What is the user's: its automated backups stay for as long as their retention says, whatever becomes of the instance. */
const THEIRS = { DeleteAutomatedBackups: false } as const;

/** Undo of the restore: deletes the target if it's ours, without a final snapshot, and the log groups that came with it. */
export async function deleteTarget(deps: Dependencies, ref: MigrationRef): Promise<void> {
  const aws = awsOf(deps, ref);
  const { instance } = ref.plan.target;
  const found = await findInstance(aws, instance);
  if (found && !isOurTarget(found, ref)) return;
  // Somebody protected it meanwhile; it is ours and holds nothing that the source does not have.
  if (found?.DeletionProtection) await unprotect(aws, instance);
  if (found) await deleteAndWait(aws, found, WHOLE);
  await deleteLogGroupsOfOurs(aws, ref.id, instance, found !== undefined && exportsLogs(found));
}

export interface DeleteSourceInput extends FinalSnapshotInput {
  /** `DbiResourceId` of the source at the preflight: never reused, unlike its identifier. */
  readonly resourceId: string;
  /** The gate said that the source is protected against deletion, and its approval takes the protection off. */
  readonly unprotect?: boolean;
  /** Read replicas that the gate said go with it. */
  readonly replicas?: readonly RemovedReplica[];
  /** Roles that the fence locked out: one that may log in again says that the source is in use. */
  readonly fencedRoles?: readonly string[];
}

/** What is left of the source. */
export interface SourceLeft {
  readonly finalSnapshot?: string;
  /** Its log groups, and those of the replicas that went with it. */
  readonly logGroups?: readonly LogGroup[];
  /** Why nobody could look for log groups. */
  readonly logGroupsUnknown?: string;
}

/**
 * Deletes the source, with a final snapshot unless the plan says otherwise, encrypted where the plan wants that, and its log groups if the plan says so. Looks at the
 * resource id first: an instance that took over the identifier meanwhile is not ours to delete.
 * @throws ApplicationFailure InvalidRequest when the source is protected against deletion and nobody approved of that
 */
export async function deleteSource(deps: Dependencies, input: DeleteSourceInput): Promise<SourceLeft> {
  const aws = awsOf(deps, input);
  const instance = instanceOf(input, 'source');
  const finalSnapshot = input.plan.keep.finalSnapshot ? finalSnapshotName(input.id) : undefined;
  const found = await findInstance(aws, instance);
  if (found) requireSame(found, input.resourceId, 'Keyshift does not delete it.');
  if (found?.DeletionProtection && input.unprotect) await unprotect(aws, instance);
  else if (found?.DeletionProtection) {
    throw finalFailure(
      'InvalidRequest',
      `DB instance ${instance} was not protected against deletion when the gate was approved, and is now. Keyshift does not delete it. Take the protection off, then send retry: aws rds modify-db-instance --db-instance-identifier ${instance} --no-deletion-protection --apply-immediately`,
    );
  }
  if (found) {
    await deleteSourceReplicas(aws, instance, input.replicas ?? []);
    // A snapshot of that name that is there before RDS begins to delete is somebody else's: RDS refuses, and so do we.
    await deleteAndWait(
      aws,
      found,
      finalSnapshot
        ? { ...THEIRS, SkipFinalSnapshot: false, FinalDBSnapshotIdentifier: finalSnapshot }
        : { ...THEIRS, SkipFinalSnapshot: true },
    );
  }
  return {
    ...(finalSnapshot ? { finalSnapshot: await settleFinalSnapshot(aws, input) } : {}),
    ...(await settleLogGroups(aws, input)),
  };
}

/** RDS leaves log groups behind: they go, or are named. */
async function settleLogGroups(aws: Aws, input: DeleteSourceInput): Promise<SourceLeft> {
  const { plan, replicas = [] } = input;
  const instances = [instanceOf(input, 'source'), ...replicas.map(({ instance }) => instance)];
  // Not `!`: a plan of a build before this option does not have it, and nothing is deleted then.
  if (plan.keep.logGroups === false) {
    const stay = await Promise.all(instances.map((instance) => deleteLogGroups(aws, instance)));
    return named(stay.flat());
  }
  const { groups, unknown } = await lookAtLogGroups(aws, instances);
  return unknown === undefined ? named(groups) : { logGroupsUnknown: unknown };
}

const named = (logGroups: readonly LogGroup[]): SourceLeft => (logGroups.length > 0 ? { logGroups } : {});

/** Those of the approval only, and each only if it is still the one that was looked at. */
async function deleteSourceReplicas(aws: Aws, source: string, replicas: readonly RemovedReplica[]): Promise<void> {
  await Promise.all(
    replicas.map(async ({ instance, resourceId, protected: wasProtected }) => {
      const found = await findInstance(aws, instance);
      if (found?.DbiResourceId !== resourceId || found.ReadReplicaSourceDBInstanceIdentifier !== source) return;
      if (found.DeletionProtection && !wasProtected) {
        throw finalFailure(
          'InvalidRequest',
          `Read replica ${instance} has been protected against deletion since the gate was approved. Keyshift does not delete it. Take the protection off, then send retry: aws rds modify-db-instance --db-instance-identifier ${instance} --no-deletion-protection --apply-immediately`,
        );
      }
      if (found.DeletionProtection) await unprotect(aws, instance);
      await deleteAndWait(aws, found, { ...THEIRS, SkipFinalSnapshot: true });
    }),
  );
}

/** Switches deletion protection off; that takes effect at once. */
export async function unprotect(aws: Aws, instance: string): Promise<void> {
  await aws.rds.send(
    new ModifyDBInstanceCommand({ DBInstanceIdentifier: instance, DeletionProtection: false, ApplyImmediately: true }),
  );
}

/** What becomes of the contents of an instance that is deleted. */
interface Deletion {
  readonly SkipFinalSnapshot: boolean;
  readonly FinalDBSnapshotIdentifier?: string;
  readonly DeleteAutomatedBackups: boolean;
}

/**
 * Deletes the instance that was looked at, and no other that takes over its name meanwhile; waits until it is gone.
 * @throws ApplicationFailure QuotaExceeded when RDS has no room for the automated backups that would stay
 */
export async function deleteAndWait(aws: Aws, wanted: DBInstance, how: Deletion): Promise<void> {
  const { DBInstanceIdentifier: instance = '', DbiResourceId } = wanted;
  const protection = new NotShownYet();
  const gone = new MayBeGone();
  await waitUntil(async () => {
    const found = await findInstance(aws, instance);
    if (found?.DbiResourceId !== DbiResourceId) return { done: undefined };
    if (found?.DBInstanceStatus !== 'deleting' && !gone.isUnderWay) {
      try {
        // Backups that AWS Backup made are its own, and RDS refuses to delete an instance together with them.
        const DeleteAutomatedBackups = how.DeleteAutomatedBackups && found?.AwsBackupRecoveryPointArn === undefined;
        await aws.rds.send(
          new DeleteDBInstanceCommand({ DBInstanceIdentifier: instance, ...how, DeleteAutomatedBackups }),
        );
        gone.accepted();
      } catch (error) {
        if (isAwsError(error, 'DBInstanceAutomatedBackupQuotaExceeded'))
          throw noRoomForBackups(instance, error as Error);
        // Protection that was just taken off may show for a while.
        if (isProtected(error) && protection.mayPass()) {
          return { waitingFor: `${instance}: ${(error as Error).message}` };
        }
        // Still creating or modifying: RDS deletes it when that is over. Gone: the aim is reached.
        if (!isAwsError(error, 'InvalidDBInstanceState', 'DBInstanceNotFound') && !gone.says(error)) throw error;
      }
    }
    return { waitingFor: `${instance}: ${found?.DBInstanceStatus}` };
  });
}

/** RDS has no code of its own for it: "Cannot delete protected DB Instance, please disable deletion protection and try again." */
const isProtected = (error: unknown): boolean =>
  isAwsError(error, 'InvalidParameterCombination') && /protect/i.test((error as Error).message);

/**
 * As many automated backups of deleted instances may stay as there may be instances.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.Retaining.html
 */
const noRoomForBackups = (instance: string, { message }: Error) =>
  finalFailure(
    'QuotaExceeded',
    `RDS does not delete ${instance}, whose automated backups would stay as long as their retention says: ${message} Delete retained backups that nobody needs, or have the quota of DB instances raised, which is theirs, too; then send retry. They are: aws rds describe-db-instance-automated-backups --filters Name=status,Values=retained`,
  );

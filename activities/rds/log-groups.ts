import {
  DeleteLogGroupCommand,
  type LogGroup as DescribedLogGroup,
  paginateDescribeLogGroups,
} from '@aws-sdk/client-cloudwatch-logs';
import type { DBInstance } from '@aws-sdk/client-rds';
import { CancelledFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import type { LogGroup } from '../../plan/report';
import { isAwsError, isDenied } from '../classify-error';
import type { Aws } from '../dependencies';
import { waitUntil } from '../wait';
import { sourceSnapshotName } from './create-snapshot';
import { findInstance } from './find-instance';
import { findSnapshot } from './find-snapshot';

/** What the names of an instance's groups begin with; the type of the log follows. */
export const logGroupPrefix = (instance: string): string => `/aws/rds/instance/${instance}/`;

/**
 * Log groups that RDS made for an instance, whether it exports logs to them now or did so once.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html
 */
export async function findLogGroups(aws: Aws, instance: string): Promise<LogGroup[]> {
  return (await describe(aws, instance)).map((group) => ({
    name: group.logGroupName ?? '',
    ...(group.retentionInDays === undefined ? {} : { retentionDays: group.retentionInDays }),
    ...(group.kmsKeyId === undefined ? {} : { kmsKeyArn: group.kmsKeyId }),
    storedBytes: group.storedBytes ?? 0,
    protected: group.deletionProtectionEnabled ?? false,
  }));
}

/**
 * Log groups of several instances, or why they can't be had. No reason to stop or to wait: not every worker may look, and from some networks
 * there is no way to CloudWatch Logs.
 */
export async function lookAtLogGroups(
  aws: Aws,
  instances: readonly string[],
): Promise<{ readonly groups: readonly LogGroup[]; readonly unknown?: string }> {
  try {
    const found = await Promise.all(instances.map((instance) => findLogGroups(aws, instance)));
    return { groups: found.flat() };
  } catch (error) {
    return { groups: [], unknown: messageOf(error) };
  }
}

/**
 * Deletes the log groups of an instance that is gone: RDS makes those of one that is there anew. Groups that are protected against deletion
 * stay, and so does everything if another instance has the name by now.
 * @returns the groups that stay
 */
export async function deleteLogGroups(aws: Aws, instance: string): Promise<LogGroup[]> {
  if (await findInstance(aws, instance)) return findLogGroups(aws, instance);
  await deleteAll(aws, instance, () => true);
  return findLogGroups(aws, instance);
}

/**
 * Undo of an instance that we made: deletes the log groups that came with it, when it is gone. Those that are older than our snapshot of the source
 * were there before it, of another instance of that name.
 * @param exported whether it is known to have exported logs
 * @throws ApplicationFailure AccessDenied, ResourceFailed when it had, and they can't be deleted
 */
export async function deleteLogGroupsOfOurs(
  aws: Aws,
  migration: string,
  instance: string,
  exported: boolean,
): Promise<void> {
  const snapshot = await findSnapshot(aws, sourceSnapshotName(migration));
  const since = snapshot?.SnapshotCreateTime?.getTime();
  if (since === undefined || (await findInstance(aws, instance))) return;
  try {
    await deleteAll(aws, instance, ({ creationTime }) => (creationTime ?? 0) >= since);
  } catch (error) {
    if (error instanceof CancelledFailure) throw error;
    if (!exported) return;
    // Not retried for ever: what comes next in the undo list frees the source of our slots.
    throw finalFailure(
      isDenied(error) ? 'AccessDenied' : 'ResourceFailed',
      `DB instance ${instance} is deleted, its log groups are not: ${messageOf(error)}. They begin with ${logGroupPrefix(instance)}: aws logs describe-log-groups --log-group-name-prefix ${logGroupPrefix(instance)}`,
    );
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const exportsLogs = ({ EnabledCloudwatchLogsExports }: DBInstance): boolean =>
  (EnabledCloudwatchLogsExports ?? []).length > 0;

async function deleteAll(aws: Aws, instance: string, wanted: (group: DescribedLogGroup) => boolean): Promise<void> {
  await waitUntil(async () => {
    const found = (await describe(aws, instance)).filter((group) => !group.deletionProtectionEnabled && wanted(group));
    for (const { logGroupName } of found) {
      try {
        await aws.logs.send(new DeleteLogGroupCommand({ logGroupName }));
      } catch (error) {
        // Gone already, or somebody else works on it at this moment.
        if (!isAwsError(error, 'ResourceNotFoundException', 'OperationAbortedException')) throw error;
      }
    }
    return found.length === 0
      ? { done: undefined }
      : { waitingFor: `log groups of ${instance}: ${found.map(({ logGroupName }) => logGroupName).join(', ')}` };
  });
}

async function describe(aws: Aws, instance: string): Promise<DescribedLogGroup[]> {
  const found: DescribedLogGroup[] = [];
  const pages = paginateDescribeLogGroups({ client: aws.logs }, { logGroupNamePrefix: logGroupPrefix(instance) });
  for await (const { logGroups = [] } of pages) found.push(...logGroups);
  return found;
}

import { type DBSnapshot, DescribeDBSnapshotsCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { NotShownYet } from '../not-shown-yet';
import { waitUntil } from '../wait';

/** The manual snapshot of that identifier, or undefined. */
export async function findSnapshot(aws: Aws, snapshot: string): Promise<DBSnapshot | undefined> {
  try {
    const { DBSnapshots } = await aws.rds.send(new DescribeDBSnapshotsCommand({ DBSnapshotIdentifier: snapshot }));
    return DBSnapshots?.[0];
  } catch (error) {
    if (isAwsError(error, 'DBSnapshotNotFound')) return undefined;
    throw error;
  }
}

/**
 * Waits until a snapshot of ours, which may have been begun a moment ago, is `available`.
 * @throws ApplicationFailure ResourceGone or ResourceFailed
 */
export function waitForSnapshot(aws: Aws, snapshot: string): Promise<DBSnapshot> {
  const lag = new NotShownYet();
  return waitUntil(async () => {
    const found = await findSnapshot(aws, snapshot);
    if (!found) {
      if (lag.mayPass()) return { waitingFor: `${snapshot} to show` };
      throw finalFailure('ResourceGone', `DB snapshot ${snapshot} does not exist any more.`);
    }
    lag.shown();
    if (found.Status === 'available') return { done: found };
    if (found.Status === 'failed') {
      throw finalFailure(
        'ResourceFailed',
        `DB snapshot ${snapshot} failed. Why: aws rds describe-events --source-type db-snapshot --source-identifier ${snapshot}`,
      );
    }
    return { waitingFor: `${snapshot}: ${found.Status}, ${found.PercentProgress ?? 0} %` };
  });
}

import { type DBInstance, StartDBInstanceCommand, StopDBInstanceCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { isAwsError } from '../classify-error';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { stopReceiving } from '../postgres/stop-receiving';
import { waitUntil } from '../wait';
import { findInstance, requireInstance } from './find-instance';
import { requireSame } from './require-same';
import { describeStatus, isUp, statusOf, takesCalls, throwIfFailed } from './instance-status';

const NEITHER = 'Keyshift neither stops nor starts it.';

export interface StopSourceInput extends MigrationRef {
  /** `DbiResourceId` of the source at the preflight: never reused, unlike its identifier. */
  readonly resourceId: string;
}

/**
 * Stops the source, as the last lock, and waits until it is stopped: minutes. One that RDS has started again is stopped again. Our
 * subscriptions on the target are disabled before: they would look for it every few seconds.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
 * @throws ApplicationFailure ResourceGone, NotOurs, ResourceFailed, or InvalidRequest for an instance with read replicas
 */
export async function stopSource(deps: Dependencies, input: StopSourceInput): Promise<void> {
  const aws = awsOf(deps, input);
  const instance = instanceOf(input, 'source');
  requireSame(await requireInstance(aws, instance), input.resourceId, NEITHER);
  await stopReceiving(deps, input);
  await waitUntil(async () => {
    const found = await requireInstance(aws, instance);
    requireSame(found, input.resourceId, NEITHER);
    throwIfFailed(found);
    if (statusOf(found) === 'stopped') return { done: undefined };
    if (!takesCalls(found)) return { waitingFor: describeStatus(found) };
    const [why] = neverStops(found);
    if (why !== undefined) {
      throw finalFailure(
        'InvalidRequest',
        `${why} Promote or delete what was made since the cutover gate, then send retry. Traffic is on the target, and the SQL fence is up.`,
      );
    }
    const stop = () => aws.rds.send(new StopDBInstanceCommand({ DBInstanceIdentifier: instance }));
    return { waitingFor: `${instance}: ${(await refusal(stop)) ?? 'stopping'}` };
  });
}

/**
 * Starts the source and waits until it is available, so that what was made on it can be removed: minutes, and longer where PostgreSQL has to
 * recover. The fence is in its catalogs, and is up when it comes. One that is gone, or goes, needs nothing.
 * @throws ApplicationFailure NotOurs, or ResourceFailed
 */
export async function startSource(deps: Dependencies, input: StopSourceInput): Promise<void> {
  const aws = awsOf(deps, input);
  const instance = instanceOf(input, 'source');
  await waitUntil(async () => {
    const found = await findInstance(aws, instance);
    if (!found || found.DBInstanceStatus === 'deleting') return { done: undefined };
    requireSame(found, input.resourceId, NEITHER);
    throwIfFailed(found);
    if (isUp(found)) return { done: undefined };
    if (statusOf(found) !== 'stopped') return { waitingFor: describeStatus(found) };
    const start = () => aws.rds.send(new StartDBInstanceCommand({ DBInstanceIdentifier: instance }));
    return { waitingFor: `${instance}: ${(await refusal(start)) ?? 'starting'}` };
  });
}

/**
 * Why RDS never stops an instance, as sentences.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html#USER_StopInstance.Limitations
 */
export function neverStops(instance: DBInstance): string[] {
  const {
    DBInstanceIdentifier: name,
    ReadReplicaDBInstanceIdentifiers: replicas = [],
    ReadReplicaSourceDBInstanceIdentifier: primary,
  } = instance;
  return [
    ...(replicas.length > 0
      ? [`RDS does not stop an instance that has read replicas, and ${name} has ${replicas.join(', ')}.`]
      : []),
    ...(primary ? [`RDS does not stop a read replica, and ${name} is one of ${primary}.`] : []),
  ];
}

/** What RDS answers while the instance is in no state for it: a first run of this activity, or somebody else, may have been faster. */
async function refusal(call: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (isAwsError(error, 'InvalidDBInstanceState')) return (error as Error).message;
    throw error;
  }
}

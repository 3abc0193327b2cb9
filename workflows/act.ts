import {
  ActivityCancellationType,
  type ActivityOptions,
  patched,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities';
import { renames } from '../plan/instance-names';
import type { Plan } from '../plan/plan';
import { pauseQueueOf } from '../plan/temporal';

/** A transient error (a throttled API, a refused connection, a failover) is retried for as long as it takes. */
const RETRY = { initialInterval: '1 second', backoffCoefficient: 1.5, maximumInterval: '30 seconds' } as const;

/** How activities of a kind are run. Heartbeats come every second, so a dead worker is noticed within ten. */
const PROFILES = {
  /** SQL and API calls. */
  quick: { startToCloseTimeout: '10 minutes', heartbeatTimeout: '10 seconds', retry: RETRY },
  /** What takes hours or days: snapshots, catch-up, comparisons. */
  waits: { startToCloseTimeout: '30 days', heartbeatTimeout: '10 seconds', retry: RETRY },
  /** The critical section: a dead worker is replaced fast, since writes are stopped meanwhile. */
  pause: {
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: '6 seconds',
    retry: { initialInterval: '200 milliseconds', backoffCoefficient: 1.5, maximumInterval: '2 seconds' },
  },
} as const satisfies Record<string, ActivityOptions>;

/** RDS renames and reboots two instances, one after the other, inside the pause; each may take ten minutes, and more. */
const RENAMING = { startToCloseTimeout: '3 hours' } as const;

/** What the pause of a plan needs besides its profile. */
export const pauseOptions = (plan: Plan): Partial<ActivityOptions> => (renames(plan) ? RENAMING : {});

/** Which profile each activity has, and what the Web UI calls it. */
const ACTIVITIES = {
  runPreflight: ['waits', 'check everything, change nothing'],
  prepareParameters: ['waits', 'parameter group with logical replication'],
  restoreParameters: ['waits', 'undo: give the source its parameter group back'],
  rebootSource: ['waits', 'reboot the source'],
  createAccess: ['quick', 'create the replication role'],
  dropAccess: ['quick', 'undo: drop the replication role'],
  setReplicaIdentities: ['waits', 'set replica identities where they are missing'],
  restoreReplicaIdentities: ['waits', 'undo: restore replica identities'],
  createPublications: ['quick', 'create publications, fence tables and the provenance mark'],
  dropPublications: ['quick', 'drop publications and fence tables on the source'],
  createSlots: ['waits', 'create replication slots'],
  dropSlots: ['quick', 'drop replication slots on the source'],
  createSnapshot: ['waits', 'snapshot the source'],
  deleteSnapshot: ['waits', 'delete the snapshot'],
  copySnapshot: ['waits', 'copy the snapshot under the wanted key'],
  deleteEncryptedSnapshot: ['waits', 'delete the encrypted snapshot'],
  deleteSnapshots: ['waits', 'delete the intermediate snapshots'],
  deleteQuarantineGroup: ['quick', 'delete the quarantine parameter group'],
  restoreTarget: ['waits', 'restore the target'],
  deleteTarget: ['waits', 'undo: delete the target'],
  readPosition: ['waits', 'read the position at which the clone ends'],
  quarantineClone: ['quick', 'quarantine the clone'],
  endQuarantine: ['waits', 'give the target its parameter group and reboot it'],
  createSubscriptions: ['quick', 'create disabled subscriptions, origins at the position'],
  enableSubscriptions: ['quick', 'enable the subscriptions'],
  dropSubscriptions: ['quick', 'drop the subscriptions'],
  prepareWayBack: ['quick', 'way back: disabled subscriptions on the source'],
  removeWayBack: ['quick', 'remove the way back'],
  createReplicas: ['waits', 'rebuild the read replicas of the source on the target'],
  deleteReplicas: ['waits', 'undo: delete the read replicas of the target'],
  applySettings: ['waits', 'set what a restore leaves out, compare every setting'],
  waitForCatchUp: ['waits', 'wait until the target has caught up'],
  guardSource: ['waits', 'guard the source: slots, lag'],
  refreshViews: ['waits', 'refresh the materialized views of the target'],
  warmTarget: ['waits', 'read every block of the target, gather statistics'],
  verifyContents: ['waits', 'compare contents while both sides live'],
  readGoNoGo: ['quick', 'read the go / no-go board'],
  watchBoard: ['waits', 'watch the go / no-go board'],
  preparePause: ['waits', 'prepare the pause: checkpoints, synchronous apply'],
  cutOver: ['pause', 'THE PAUSE: fence, drain, sequences, switch'],
  lowerFence: ['pause', 'undo: take the fence down'],
  dropIdleSlots: ['quick', 'drop the slots of the way back until the next pause'],
  moveSlots: ['waits', 'slots of others begin on the target where applications began to write'],
  startWayBack: ['waits', 'way back: changes of the target go to the old source'],
  readRollbackBoard: ['quick', 'read what a rollback would do'],
  resumeNeighbours: ['waits', 'start on the target what the pause stopped on the source'],
  proveContents: ['waits', 'prove: compare everything as of the cutover'],
  callHooks: ['waits', 'call your hooks'],
  watchTraffic: ['waits', 'watch who is connected where'],
  stopSource: ['waits', 'last lock: stop the source'],
  startSource: ['waits', 'start the source again'],
  checkSourceUnused: ['quick', 'look whether anybody uses the source'],
  lookAtUse: ['quick', 'look who is in use before anything is undone'],
  removeReplication: ['waits', 'remove subscriptions, slots, publications, roles and marks from both sides'],
  deleteSource: ['waits', 'delete the source'],
  deleteReplicationSecret: ['quick', 'delete the secret of the replication role'],
  writeReport: ['quick', 'keep the report where the plan says'],
} as const satisfies Record<keyof Activities, readonly [keyof typeof PROFILES, string]>;

/**
 * What runs on the task queue of the pause: the pause itself, the taking down of its fence, and what somebody waits for right before and
 * after it.
 */
const IN_THE_PAUSE: ReadonlySet<keyof Activities> = new Set<keyof Activities>([
  'callHooks',
  'preparePause',
  'cutOver',
  'lowerFence',
  'dropIdleSlots',
  'moveSlots',
  'startWayBack',
  'resumeNeighbours',
]);

/** Temporal gives every workflow its own copy of this module. */
let pauseQueue: string | undefined;

/**
 * Gives the pauses of this workflow a task queue of their own. Comes first of all, and once: a migration that began without one goes on without, so
 * that a worker which does not poll it can finish that migration, too.
 * @returns its name; undefined: there is none
 */
export function usePauseQueue(): string | undefined {
  pauseQueue = patched('pause-queue-20261130') ? pauseQueueOf(workflowInfo().taskQueue) : undefined;
  return pauseQueue;
}

/** Hears of each activity that has ended; every workflow has its own copy of this module. */
let settled: (name: string) => void = () => undefined;

/** @param hear is called when an activity has ended, however it did, before whoever waits for it goes on */
export function whenSettled(hear: (name: string) => void): void {
  settled = hear;
}

/**
 * Calls an activity with its profile and summary.
 * @param options overrides of the profile, for the one call that needs them
 */
export function act<Name extends keyof Activities>(
  name: Name,
  input: Parameters<Activities[Name]>[0],
  options: Partial<ActivityOptions> = {},
): ReturnType<Activities[Name]> {
  const [profile, summary] = ACTIVITIES[name];
  const proxy = proxyActivities<Activities>({
    ...PROFILES[profile],
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
    ...(pauseQueue !== undefined && IN_THE_PAUSE.has(name) ? { taskQueue: pauseQueue } : {}),
    ...options,
  });
  const running = (proxy[name] as unknown as (input: unknown) => ReturnType<Activities[Name]>)(input);
  void running.then(
    () => settled(name),
    () => settled(name),
  );
  return running;
}

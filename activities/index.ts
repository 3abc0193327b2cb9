import { verifyContents } from './compare/verify-contents';
import { proveContents } from './compare/prove-contents';
import { refreshViews } from './carry/refresh-views';
import { cutOver } from './cutover/cut-over';
import { readGoNoGo } from './cutover/go-no-go';
import { watchBoard } from './cutover/watch-board';
import { lowerFence } from './cutover/lower-fence';
import { preparePause } from './cutover/prepare-pause';
import { resumeNeighbours } from './cutover/resume-neighbours';
import type { Dependencies } from './dependencies';
import { writeReport } from './evidence/write-report';
import { checkSourceUnused } from './finish/check-source-unused';
import { removeReplication } from './finish/remove-replication';
import { guardSource } from './follow/guard-source';
import { waitForCatchUp } from './follow/wait-for-catch-up';
import { warmTarget } from './follow/warm-target';
import { readPosition } from './position/read-position';
import { createPublications, dropPublications } from './postgres/create-publications';
import { createSlots, dropSlots } from './postgres/create-slots';
import { restoreReplicaIdentities, setReplicaIdentities } from './postgres/replica-identities';
import { createAccess } from './postgres/replication-role';
import { dropAccess } from './postgres/drop-access';
import { createSubscriptions, dropSubscriptions, enableSubscriptions } from './postgres/subscriptions';
import { deleteQuarantineGroup, endQuarantine } from './quarantine/parameter-group';
import { quarantineClone } from './quarantine/quarantine-clone';
import { runPreflight } from './preflight/run-preflight';
import { copySnapshot } from './rds/copy-snapshot';
import { createSnapshot } from './rds/create-snapshot';
import { deleteSource, deleteTarget } from './rds/delete-instance';
import { deleteEncryptedSnapshot, deleteSnapshot, deleteSnapshots } from './rds/delete-snapshots';
import { prepareParameters } from './rds/prepare-parameters';
import { rebootSource } from './rds/reboot-source';
import { startSource, stopSource } from './rds/stop-source';
import { restoreParameters } from './rds/restore-parameters';
import { createReplicas } from './replicas/create-replicas';
import { deleteReplicas } from './replicas/delete-replicas';
import { restoreTarget } from './rds/restore-target';
import { deleteReplicationSecret } from './secrets/replication-secret';
import { applySettings } from './settings/apply-settings';
import { watchTraffic } from './soak/watch-traffic';
import { callHooks } from './webhooks/call-hooks';
import { prepareWayBack } from './way-back/prepare-way-back';
import { readRollbackBoard } from './way-back/read-rollback-board';
import { removeWayBack } from './way-back/remove-way-back';
import { moveSlots } from './way-back/downstream-slots';
import { dropIdleSlots } from './way-back/drop-idle-slots';
import { startWayBack } from './way-back/start-way-back';

const IMPLEMENTATIONS = {
  runPreflight,
  prepareParameters,
  restoreParameters,
  rebootSource,
  createAccess,
  dropAccess,
  setReplicaIdentities,
  restoreReplicaIdentities,
  createPublications,
  dropPublications,
  createSlots,
  dropSlots,
  createSnapshot,
  deleteSnapshot,
  copySnapshot,
  deleteEncryptedSnapshot,
  deleteSnapshots,
  deleteQuarantineGroup,
  restoreTarget,
  deleteTarget,
  readPosition,
  quarantineClone,
  endQuarantine,
  createSubscriptions,
  enableSubscriptions,
  dropSubscriptions,
  prepareWayBack,
  removeWayBack,
  applySettings,
  createReplicas,
  deleteReplicas,
  waitForCatchUp,
  guardSource,
  refreshViews,
  warmTarget,
  verifyContents,
  readGoNoGo,
  watchBoard,
  preparePause,
  cutOver,
  lowerFence,
  dropIdleSlots,
  moveSlots,
  startWayBack,
  readRollbackBoard,
  resumeNeighbours,
  proveContents,
  callHooks,
  watchTraffic,
  stopSource,
  startSource,
  checkSourceUnused,
  removeReplication,
  deleteSource,
  deleteReplicationSecret,
  writeReport,
};

type WithoutDependencies<F> = F extends (deps: Dependencies, input: infer I) => Promise<infer R>
  ? (input: I) => Promise<R>
  : never;

/** Every activity as the workflow calls it: one input, one result. */
export type Activities = {
  [Name in keyof typeof IMPLEMENTATIONS]: WithoutDependencies<(typeof IMPLEMENTATIONS)[Name]>;
};

/** Gives every activity what it works with. */
export function createActivities(deps: Dependencies): Activities {
  return Object.fromEntries(
    Object.entries(IMPLEMENTATIONS).map(([name, activity]) => [
      name,
      (input: unknown) => (activity as (deps: Dependencies, input: unknown) => Promise<unknown>)(deps, input),
    ]),
  ) as unknown as Activities;
}

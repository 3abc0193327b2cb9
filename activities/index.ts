import { verifyContents } from './compare/verify-contents';
import { proveContents } from './compare/prove-contents';
import { refreshViews } from './carry/refresh-views';
import { cutOver } from './cutover/cut-over';
import { readGoNoGo } from './cutover/go-no-go';
import { watchBoard } from './cutover/watch-board';
import { lowerFence } from './cutover/lower-fence';
import { preparePause } from './cutover/prepare-pause';
import { resumeNeighbours } from './cutover/resume-neighbours';
import type { Dependencies, MigrationRef } from './dependencies';
import { writeReport } from './evidence/write-report';
import { checkSourceUnused } from './finish/check-source-unused';
import { removeReplication } from './finish/remove-replication';
import { guardSource } from './follow/guard-source';
import { waitForCatchUp } from './follow/wait-for-catch-up';
import { warmTarget } from './follow/warm-target';
import { askBefore, unlessInUse } from './in-use/ask-before';
import { lookAtUse } from './in-use/look-at-use';
import { type RuledActivity } from './in-use/rules';
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
  lookAtUse,
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

/** Every activity has a rule, and every rule an activity: what is missing does not compile. */
const RULED: Record<RuledActivity, unknown> & Record<Exclude<keyof typeof IMPLEMENTATIONS, RuledActivity>, never> =
  IMPLEMENTATIONS;

/** Gives every activity what it works with; each asks the world who is in use before it begins (in-use/rules.ts). */
export function createActivities(deps: Dependencies): Activities {
  return Object.fromEntries(
    (Object.keys(RULED) as RuledActivity[]).map((name) => [name, (input: MigrationRef) => run(deps, name, input)]),
  ) as unknown as Activities;
}

async function run(deps: Dependencies, name: RuledActivity, input: MigrationRef): Promise<unknown> {
  await askBefore(deps, name, input);
  try {
    const activity = IMPLEMENTATIONS[name] as (deps: Dependencies, input: MigrationRef) => Promise<unknown>;
    return await activity(deps, input);
  } catch (error) {
    throw await unlessInUse(deps, input, error);
  }
}

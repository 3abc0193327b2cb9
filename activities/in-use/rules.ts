import type { EvidenceKind } from './evidence';

/** What an activity asks before it begins, and by what it knows that something is ours. */
export interface Rule {
  /**
   * Who must not serve applications:
   * - `target`: it belongs to the time before the switch, or undoes it, or follows a rollback
   * - `source`: it gives the source up
   * - `either`: it removes the replication, from the side on which traffic is not; `serving` in its input says which that is
   * - `nobody`: it may run whoever serves
   */
  readonly unused: 'target' | 'source' | 'either' | 'nobody';
  /** Why it may run whoever serves, or what it looks at by itself. */
  readonly because?: string;
  /** Evidence that it judges by itself. */
  readonly knows?: readonly EvidenceKind[];
  /**
   * It takes over a pause that is recorded, and goes forward: a mark, a record, a switch and clients that have arrived are what it expects.
   * The way back is not: it begins after that.
   */
  readonly takesOver?: boolean;
  /** It deletes the target or what hangs on it, which has to have something of this migration inside. */
  readonly refusesLeftover?: boolean;
  /** It asks in the direction of the plan only, and in the first attempt: a later one takes over what the first one began. */
  readonly once?: boolean;
  /** Sessions of the master user on the source count, too. */
  readonly withMaster?: boolean;
  /** What it deletes, drops or undoes, and by what it knows that this is ours; absent: it destroys nothing. */
  readonly destroys?: Readonly<Record<string, string>>;
}

const LOOKS: Rule = { unused: 'nobody', because: 'it only looks' };
const MAKES: Rule = { unused: 'nobody', because: 'it makes what is new, and refuses what is not ours' };
const FOLLOWS: Rule = { unused: 'nobody', because: 'it belongs to the time after the switch, and removes nothing' };
/** Before the switch, on a target that nobody uses yet. */
const BEFORE: Rule = { unused: 'target' };
/** An undo goes on where the target has nothing of this migration inside: it does not touch such a target. */
const UNDOES = { unused: 'target', knows: ['leftover'] } as const;

const TAG = 'tag keyshift:migration';
const TARGET = `${TAG}, and the resource id that the restore has told`;
const SCHEMA = 'its comment, or the tables of ours in it';
const SLOT = 'name, database and plugin, and the row in our schema that was written before it was made';
const SUBSCRIPTION = 'name, and that it subscribes to our publication alone';
const PUBLICATION = 'its comment, which names the migration';
const RECORDED = 'what is recorded in our schema';
const ROLE = 'its comment, or a secret with our tag that was there before it';

/**
 * One rule for each activity, asked by `askBefore` before every attempt. A new activity does not compile without one, and a test
 * runs every one that destroys against worlds in which it must not (test/integration/product/in-use/).
 */
export const RULES = {
  runPreflight: LOOKS,
  prepareParameters: BEFORE,
  restoreParameters: {
    ...UNDOES,
    destroys: { 'parameter group': TAG, 'parameter group of the source': 'resource id of the source' },
  },
  rebootSource: { ...UNDOES, destroys: { 'sessions of the source': 'resource id of the source' } },
  createAccess: MAKES,
  dropAccess: { ...UNDOES, destroys: { role: ROLE, secret: TAG } },
  setReplicaIdentities: MAKES,
  restoreReplicaIdentities: {
    unused: 'nobody',
    because:
      'it undoes what is recorded, on a side from which our publication is gone, and refuses one that still has it',
    destroys: { 'replica identities': RECORDED, schema: SCHEMA },
  },
  createPublications: MAKES,
  dropPublications: {
    ...UNDOES,
    destroys: { publication: PUBLICATION, schema: SCHEMA, 'replica identities': RECORDED },
  },
  createSlots: MAKES,
  dropSlots: { ...UNDOES, destroys: { slot: SLOT } },
  createSnapshot: MAKES,
  deleteSnapshot: { ...UNDOES, destroys: { snapshot: TAG } },
  copySnapshot: MAKES,
  deleteEncryptedSnapshot: { ...UNDOES, destroys: { snapshot: TAG } },
  deleteSnapshots: { unused: 'source', destroys: { snapshot: TAG } },
  deleteQuarantineGroup: { ...UNDOES, destroys: { 'parameter group': TAG } },
  restoreTarget: BEFORE,
  deleteTarget: {
    ...UNDOES,
    refusesLeftover: true,
    destroys: { instance: TARGET, 'log groups': 'younger than our snapshot' },
  },
  readPosition: BEFORE,
  quarantineClone: BEFORE,
  endQuarantine: BEFORE,
  createSubscriptions: BEFORE,
  enableSubscriptions: BEFORE,
  dropSubscriptions: { ...UNDOES, destroys: { subscription: SUBSCRIPTION } },
  prepareWayBack: BEFORE,
  removeWayBack: { ...UNDOES, destroys: { subscription: SUBSCRIPTION, slot: SLOT } },
  createReplicas: BEFORE,
  deleteReplicas: {
    ...UNDOES,
    refusesLeftover: true,
    destroys: { replica: `${TAG}, keyshift:role=replica, and that it still replicates from our target` },
  },
  applySettings: BEFORE,
  waitForCatchUp: LOOKS,
  guardSource: {
    unused: 'nobody',
    because:
      'it gives up slots of ours only, and gives identities to tables that refuse writes; what it finds lost is looked at once more',
  },
  refreshViews: BEFORE,
  warmTarget: LOOKS,
  verifyContents: BEFORE,
  readGoNoGo: LOOKS,
  watchBoard: LOOKS,
  preparePause: { unused: 'target', once: true },
  cutOver: {
    unused: 'target',
    once: true,
    takesOver: true,
    because: 'a pause that was recorded is brought to its end, never begun anew',
    destroys: { 'logins of the source': 'the roles that the board has listed' },
  },
  lowerFence: {
    unused: 'nobody',
    because: 'it asks by itself whether traffic is switched, and refuses with AlreadySwitched',
    destroys: { fence: 'the mark of our pause' },
  },
  dropIdleSlots: { ...UNDOES, destroys: { slot: SLOT, 'slots of others': 'that we made them on the target' } },
  moveSlots: FOLLOWS,
  startWayBack: FOLLOWS,
  readRollbackBoard: LOOKS,
  resumeNeighbours: FOLLOWS,
  proveContents: LOOKS,
  callHooks: LOOKS,
  watchTraffic: LOOKS,
  stopSource: { unused: 'source', destroys: { 'sessions of the source': 'resource id of the source' } },
  startSource: FOLLOWS,
  checkSourceUnused: LOOKS,
  lookAtUse: LOOKS,
  removeReplication: {
    unused: 'either',
    destroys: {
      subscription: SUBSCRIPTION,
      slot: SLOT,
      publication: PUBLICATION,
      schema: SCHEMA,
      'replica identities': RECORDED,
      role: ROLE,
      secret: TAG,
    },
  },
  deleteSource: {
    unused: 'source',
    withMaster: true,
    destroys: { instance: 'resource id of the source', 'its replicas': 'resource ids that the gate has named' },
  },
  deleteReplicationSecret: { unused: 'either', destroys: { secret: TAG } },
  writeReport: LOOKS,
} as const satisfies Record<string, Rule>;

export type RuledActivity = keyof typeof RULES;

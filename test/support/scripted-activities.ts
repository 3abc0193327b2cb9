import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities';
import type { CutOverResult } from '../../activities/cutover/cut-over-input';
import type { GoNoGo } from '../../activities/cutover/go-no-go';
import { type BoardLine, green } from '../../plan/board';
import type { Lag } from '../../plan/progress';
import type { Comparison, SettingsReport } from '../../plan/report';

type Name = keyof Activities;
type Input<N extends Name> = Parameters<Activities[N]>[0];
type Result<N extends Name> = Awaited<ReturnType<Activities[N]>>;

/** What an activity does instead; `call` counts its calls from 1. */
export type Overrides = {
  [N in Name]?: (input: Input<N>, call: number) => Promise<Result<N>> | Result<N>;
};

/** One call of an activity by the workflow. */
export interface Call {
  readonly name: Name;
  readonly input: unknown;
}

const HEARTBEAT_MS = 25;

/** Waits for something, or until it is cancelled, and notices that soon. */
async function unlessCancelled(something: Promise<void>): Promise<void> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    await Promise.race([something, context.cancelled]);
  } finally {
    clearInterval(timer);
  }
}

/** Works until it is cancelled. */
export async function untilCancelled(): Promise<never> {
  await unlessCancelled(new Promise(() => undefined));
  throw new Error('not reached');
}

/** A door that a test opens; whoever goes through waits until then, or until it is cancelled. */
export class Door {
  #open: () => void = () => undefined;
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve));

  open(): void {
    this.#open();
  }

  /** Inside an activity. */
  goThrough(): Promise<void> {
    return unlessCancelled(this.#opened);
  }

  /** Outside of activities. */
  get opened(): Promise<void> {
    return this.#opened;
  }
}

export const LAG: Lag = { bytes: 0, trend: 'steady', at: '2026-11-21T10:00:00.000Z' };

const SETTINGS: SettingsReport = {
  instances: [
    { instance: 'app-db-encrypted', like: 'app-db', compared: 54, planned: [], differences: [], notCompared: [] },
  ],
  roleSettings: 3,
  replicas: ['app-db-reader'],
};

export const COMPARISON: Comparison = { tables: 3, rows: 1_000, differences: [], undecided: 0, durationMs: 12 };

/** A pause that went well. `holder` is the task queue of the process that holds the snapshots. */
export const switched = (holder?: string): CutOverResult => ({
  switched: true,
  timeline: [
    { step: 'fence', ms: 12.5 },
    { step: 'switch', ms: 8.1 },
  ],
  pauseMs: 120,
  switchedAt: '2026-11-21T10:05:00.000Z',
  fenceLsn: '0/6000000',
  wayBackFrom: '0/7000000',
  fencedRoles: ['app'],
  sequences: 4,
  traffic: [{ what: 'SSM parameter /db', from: 'app-db.x:5432', to: 'app-db-encrypted.x:5432' }],
  attempts: 1,
  ...(holder ? { holder } : {}),
  targetSnapshots: { shop: '700:700:' },
});

/** A board with those red lines; without any: green. */
export const boardWith = (...lines: readonly BoardLine[]): GoNoGo => ({
  at: '2026-11-21T10:00:00.000Z',
  lag: LAG,
  fence: { roles: ['app'], unlockable: [], databases: [{ name: 'shop', readOnlyBefore: null }] },
  lines: [...lines, ...green('fence-roles', 'roles that lose LOGIN on the source: app')],
});

const nothing = () => Promise.resolve();

/** What each activity answers on a day on which all goes well. */
const WELL: { [N in Name]: (input: Input<N>) => Promise<Result<N>> | Result<N> } = {
  runPreflight: ({ plan }) => ({
    checks: [{ code: 'source-exists', level: 'ok', message: 'there' }],
    source: {
      instance: plan.source.instance,
      resourceId: 'db-SOURCE',
      engineVersion: '16.4',
      address: 'app-db.x',
      port: 5432,
      parameterGroup: 'default.postgres16',
      encrypted: false,
      masterUser: 'postgres',
      databases: ['shop'],
      tables: 3,
      sizeBytes: 1_000_000,
      targetKmsKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/k',
    },
  }),
  prepareParameters: () => ({
    group: 'keyshift-m-logical',
    previousGroup: 'default.postgres16',
    rebootNeeded: true,
  }),
  restoreParameters: () => ({ rebootNeeded: false, slots: [] }),
  rebootSource: () => ({ walLevel: 'logical' }),
  createAccess: () => ({ role: 'keyshift_m' }),
  dropAccess: nothing,
  setReplicaIdentities: () => ({ tables: 1, found: ['shop: public.events FULL'] }),
  restoreReplicaIdentities: () => ({ tables: 1 }),
  createPublications: nothing,
  dropPublications: nothing,
  createSlots: () => [{ database: 'shop', slot: 'keyshift_m_shop', consistentPoint: '0/1000000' }],
  dropSlots: nothing,
  createSnapshot: () => ({ snapshot: 'keyshift-m-source', sizeGiB: 20 }),
  deleteSnapshot: nothing,
  copySnapshot: () => ({ snapshot: 'keyshift-m-encrypted' }),
  deleteEncryptedSnapshot: nothing,
  deleteSnapshots: nothing,
  restoreTarget: ({ plan, kmsKeyArn }) => ({
    instance: plan.target.instance,
    resourceId: 'db-TARGET',
    arn: 'arn:aws:rds:us-east-1:123456789012:db:target',
    address: 'app-db-encrypted.x',
    port: 5432,
    kmsKeyArn,
    parameterGroup: 'keyshift-m-logical',
  }),
  deleteTarget: nothing,
  readPosition: () => ({
    lsn: '0/3000000',
    evidence: [
      { kind: 'seed-function', exactly: '0/3000000', found: 'logical_seed_lsn() = 0/3000000' },
      { kind: 'recovery-log', after: '0/2FFFF00', found: 'redo done at 0/2FFFF00' },
    ],
    silent: [],
  }),
  deleteQuarantineGroup: nothing,
  quarantineClone: () => ({
    preparedTransactions: [],
    slots: ['keyshift_m_shop'],
    subscriptions: [],
    cronJobs: [],
    triggers: [],
    readOnly: ['shop default_transaction_read_only'],
  }),
  endQuarantine: () => ({ parameterGroup: 'keyshift-m-logical' }),
  createSubscriptions: nothing,
  enableSubscriptions: nothing,
  dropSubscriptions: nothing,
  prepareWayBack: nothing,
  removeWayBack: nothing,
  applySettings: () => SETTINGS,
  createReplicas: () => ({ instances: [], left: [] }),
  deleteReplicas: nothing,
  waitForCatchUp: () => LAG,
  guardSource: untilCancelled,
  refreshViews: () => ({ refreshed: 0, left: [] }),
  warmTarget: () => ({ relations: 10, blocks: 500 }),
  verifyContents: () => COMPARISON,
  readGoNoGo: () => boardWith(),
  watchBoard: untilCancelled,
  preparePause: nothing,
  cutOver: () => switched(),
  lowerFence: nothing,
  dropIdleSlots: nothing,
  moveSlots: () => ({ moved: [], left: [] }),
  startWayBack: nothing,
  readRollbackBoard: () => ({
    lag: LAG,
    fence: { roles: ['app'], unlockable: [], databases: [{ name: 'shop', readOnlyBefore: null }] },
    others: [],
    red: [],
    findings: ['applications go back to app-db; app-db-encrypted is fenced'],
  }),
  resumeNeighbours: () => ({ triggers: 0, cronJobs: 0, subscriptions: [], stays: [] }),
  proveContents: () => ({ ...COMPARISON, method: 'snapshot', changedSince: 0, goneSince: 0 }),
  callHooks: () => [],
  watchTraffic: () => ({ onTarget: 8, stragglers: [] }),
  stopSource: nothing,
  startSource: nothing,
  checkSourceUnused: () => undefined,
  lookAtUse: () => ({ evidence: [] }),
  removeReplication: nothing,
  deleteSource: () => ({ finalSnapshot: 'keyshift-m-final' }),
  deleteReplicationSecret: nothing,
  writeReport: ({ id }) => [{ address: `s3://audit/${id}.json`, bytes: 7, sha256: 'abc' }],
};

/**
 * Activities that answer by a script: the input of a workflow under test. Every call is noted, in order.
 */
export class ScriptedActivities {
  readonly calls: Call[] = [];
  readonly activities: Activities;

  constructor(overrides: Overrides = {}) {
    const entries = (Object.keys(WELL) as Name[]).map((name) => [
      name,
      async (input: never) => {
        this.calls.push({ name, input });
        const answer = (overrides[name] ?? WELL[name]) as (input: never, call: number) => unknown;
        return answer(input, this.count(name));
      },
    ]);
    this.activities = Object.fromEntries(entries) as Activities;
  }

  /** Names of the activities that were called, in order; those apart that watch beside them. */
  get names(): Name[] {
    return this.calls.map(({ name }) => name).filter((name) => name !== 'guardSource' && name !== 'watchBoard');
  }

  count(name: Name): number {
    return this.calls.filter((call) => call.name === name).length;
  }

  inputsOf<N extends Name>(name: N): Input<N>[] {
    return this.calls.filter((call) => call.name === name).map(({ input }) => input as Input<N>);
  }
}

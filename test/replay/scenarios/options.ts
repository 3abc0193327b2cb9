import { SMALLEST_PLAN } from '../../support/plan';
import { switched } from '../../support/scripted-activities';
import { alone, BRIEF, LAST_GATE, type Scenario, UNATTENDED } from './scenario';

const RENAME = { traffic: [{ type: 'rds-rename' as const }] };
const HOOK = { url: 'https://hooks.example/cutover', secret: 'hook-key' };
const S3 = { s3: 's3://audit/keyshift', s3KmsKeyId: 'alias/audit' };
const SLOT = {
  database: 'shop',
  slot: 'warehouse',
  plugin: 'pgoutput',
  oldConfirmed: '0/5F00000',
  fenceLsn: '0/6000000',
  newPosition: '0/7000000',
};

/** One option of the plan each, or one finding that has the same effect. */
export const OPTIONS: Readonly<Record<string, Scenario>> = {
  'happy-path': () => ({
    operate: (migration) => migration.approve('reboot-source', 'cutover', 'decommission'),
  }),
  unattended: () => ({ plan: UNATTENDED, operate: alone }),
  'preflight-only': () => ({ workflow: 'preflightDatabase', operate: alone }),
  'checks-acknowledged-and-overridden': () => ({
    plan: {
      ...UNATTENDED,
      acknowledge: ['long-transactions'],
      override: [{ code: 'slot-ceiling', reason: 'the source writes little at night' }],
    },
    activities: {
      runPreflight: async () => ({
        checks: [
          { code: 'long-transactions', level: 'warn', message: 'one is 10 minutes old' },
          { code: 'slot-ceiling', level: 'block', message: 'too low' },
        ],
        source: {
          instance: 'app-db',
          resourceId: 'db-SOURCE',
          engineVersion: '16.4',
          address: 'app-db.x',
          port: 5432,
          parameterGroup: 'default.postgres16',
          encrypted: false,
          masterUser: 'postgres',
          databases: ['shop', 'billing'],
          tables: 3,
          sizeBytes: 1_000_000,
          targetKmsKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/k',
        },
      }),
    },
    operate: alone,
  }),
  'no-reboot-needed': () => ({
    plan: UNATTENDED,
    activities: { prepareParameters: () => ({ previousGroup: 'own-group', rebootNeeded: false }) },
    operate: alone,
  }),
  'replica-identities-set': () => ({ plan: { ...UNATTENDED, replicaIdentity: 'set' }, operate: alone }),
  'replica-identities-set-source-kept': () => ({
    plan: { ...UNATTENDED, replicaIdentity: 'set', keep: { source: true } },
    operate: alone,
  }),
  'quarantined-with-neighbours': () => ({
    plan: { ...UNATTENDED, carry: { subscriptions: 'move', cronJobs: 'move' } },
    activities: {
      restoreTarget: ({ plan, kmsKeyArn }) => ({
        instance: plan.target.instance,
        resourceId: 'db-TARGET',
        arn: 'arn:aws:rds:us-east-1:123456789012:db:target',
        address: 'app-db-encrypted.x',
        port: 5432,
        kmsKeyArn,
        parameterGroup: 'keyshift-m-quarantine',
        quarantined: true,
      }),
      quarantineClone: () => ({
        preparedTransactions: ['tx-1'],
        slots: ['keyshift_m_shop'],
        subscriptions: ['shop from_erp'],
        cronJobs: ['postgres 1'],
        triggers: ['shop public.events audit'],
        readOnly: ['shop default_transaction_read_only'],
      }),
      cutOver: () => ({
        ...switched(),
        neighbours: {
          subscriptions: [{ database: 'shop', name: 'from_erp', slot: 'from_erp', enabled: true, position: '0/99' }],
          cronJobs: [{ database: 'postgres', id: '1', name: 'nightly' }],
        },
        carried: { largeObjects: { objects: 2, moved: 2, removed: 0 }, unloggedTables: { tables: 1, rows: 9 } },
      }),
      resumeNeighbours: () => ({ triggers: 1, cronJobs: 1, subscriptions: ['from_erp'], stays: ['one job stays off'] }),
    },
    operate: alone,
  }),
  'large-objects-and-unlogged-tables': () => ({
    plan: { ...UNATTENDED, carry: { largeObjects: 'copy', unloggedTables: 'copy', sequenceMargin: 1_000 } },
    activities: { cutOver: () => ({ ...switched(), carried: { unloggedTables: { tables: 1, rows: 9 } } }) },
    operate: alone,
  }),
  'views-and-verify-left-out': () => ({
    plan: {
      ...UNATTENDED,
      carry: { materializedViews: 'keep', unloggedTables: 'empty' },
      verify: { beforeCutover: false },
    },
    operate: alone,
  }),
  'no-replicas': () => ({
    plan: UNATTENDED,
    activities: { applySettings: () => ({ instances: [], roleSettings: 3, replicas: [] }) },
    operate: alone,
  }),
  'replicas-and-views-left-behind': () => ({
    plan: UNATTENDED,
    activities: {
      createReplicas: () => ({
        instances: [
          {
            instance: 'app-db-encrypted-reader',
            like: 'app-db-reader',
            compared: 54,
            planned: ['class'],
            differences: [],
            notCompared: [{ field: 'NewField', wanted: 'a', found: 'b' }],
          },
        ],
        left: ['app-db-far: it is in another region'],
      }),
      refreshViews: () => ({ refreshed: 1, left: [{ view: 'public.totals', why: 'it fails' }] }),
      warmTarget: () => ({ relations: 10, blocks: 500, notRead: '2 are locked' }),
    },
    operate: alone,
  }),
  'no-way-back': () => ({ plan: { ...UNATTENDED, soak: { wayBack: 'none' } }, operate: alone }),
  'slots-recreated': () => ({
    plan: { ...UNATTENDED, carry: { slots: 'recreate' } },
    activities: { moveSlots: () => ({ moved: [SLOT], left: ['late_slot'] }) },
    operate: alone,
  }),
  'slots-recreated-without-way-back': () => ({
    plan: { ...UNATTENDED, carry: { slots: 'recreate' }, soak: { wayBack: 'none' } },
    activities: { moveSlots: () => ({ moved: [SLOT], left: [] }) },
    operate: alone,
  }),
  'slots-recreated-rolled-back': () => ({
    plan: { ...LAST_GATE, carry: { slots: 'recreate' } },
    activities: { moveSlots: () => ({ moved: [SLOT], left: [] }) },
    async operate(migration) {
      await migration.untilGate('decommission');
      await migration.update('rollback', { by: 'anna', reason: 'the new one is slow' });
    },
    ends: 'rolled-back',
  }),
  renamed: () => ({ plan: { ...BRIEF, cutover: RENAME }, operate: (one) => one.approve('cutover', 'decommission') }),
  'renamed-rolled-back': () => ({
    plan: { ...LAST_GATE, cutover: { traffic: [{ type: 'rds-rename', sourceBecomes: 'app-db-before' }] } },
    async operate(migration) {
      await migration.untilGate('decommission');
      await migration.update('rollback', { by: 'anna', reason: 'the new one is slow' });
    },
    ends: 'rolled-back',
  }),
  'renamed-aborted-in-the-pause': () => ({
    plan: { ...BRIEF, cutover: RENAME },
    activities: { cutOver: () => ({ switched: false, reason: 'the budget of 30000 ms ended', pauseMs: 30_012 }) },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilNotice(/pause given up/);
      await migration.untilGate('cutover');
      await migration.update('abort', { by: 'anna', reason: 'enough' });
    },
    ends: 'aborted',
  }),
  'moved-by-hand': () => ({
    plan: { ...BRIEF, cutover: { traffic: [{ type: 'manual' }] } },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.until('it is asked for', ({ switching }) => switching !== undefined);
      await migration.signal('switched', {});
      await migration.untilNotice(/"by" has to say/);
      await migration.update('switched', { by: 'anna' });
      await migration.approve('decommission');
    },
  }),
  'moved-by-hand-said-by-signal': () => ({
    plan: { ...UNATTENDED, cutover: { traffic: [{ type: 'manual' }], watchSeconds: 0 } },
    async operate(migration) {
      await migration.until('it is asked for', ({ switching }) => switching !== undefined);
      await migration.signal('switched', { by: 'anna' });
    },
  }),
  hooks: () => ({
    plan: { ...BRIEF, cutover: { hooks: { before: [HOOK], after: [HOOK] } } },
    activities: {
      callHooks: ({ when, round }) => {
        if (when === 'after') return ['hooks.example answered 500'];
        return round === 1 ? ['hooks.example answered 409: batch runs'] : [];
      },
    },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilNotice(/a hook refused/);
      await migration.approve('cutover', 'decommission');
    },
  }),
  'hook-refused-unattended': () => ({
    plan: { ...UNATTENDED, cutover: { hooks: { before: [HOOK] } } },
    activities: { callHooks: ({ round }) => (round === 1 ? ['hooks.example answered 409: batch runs'] : []) },
    operate: alone,
  }),
  'report-kept': () => ({ plan: { ...UNATTENDED, report: { ...S3, file: 'reports' } }, operate: alone }),
  'report-kept-of-an-abort': () => ({
    plan: { ...BRIEF, report: S3 },
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.update('abort', { by: 'anna', reason: 'not today' });
    },
    ends: 'aborted',
  }),
  'report-kept-of-a-rollback': () => ({
    plan: { ...LAST_GATE, report: S3 },
    async operate(migration) {
      await migration.untilGate('decommission');
      await migration.update('rollback', { by: 'anna', reason: 'the new one is slow' });
    },
    ends: 'rolled-back',
  }),
  'source-kept': () => ({ plan: { ...UNATTENDED, keep: { source: true } }, operate: alone }),
  'source-stopped': () => ({
    plan: { ...LAST_GATE, cutover: { fence: [{ type: 'stop-instance' }] }, soak: { wayBack: 'none' } },
    operate: (migration) => migration.approve('decommission'),
  }),
  'source-stopped-and-kept': () => ({
    plan: {
      ...LAST_GATE,
      cutover: { fence: [{ type: 'sql' }, { type: 'stop-instance' }] },
      soak: { wayBack: 'none' },
      keep: { source: true },
    },
    operate: (migration) => migration.approve('decommission'),
  }),
  'removed-whole': () => ({
    plan: { ...LAST_GATE, keep: { finalSnapshot: false, logGroups: false } },
    activities: {
      watchTraffic: () => ({
        onTarget: 8,
        stragglers: ['report@shop (cron) from 10.0.0.9'],
        seenOnSource: [{ user: 'app', application: 'api', sessions: 3, left: false }],
        removal: {
          deletionProtection: true,
          replicas: [
            {
              instance: 'app-db-reader',
              resourceId: 'db-READER',
              replacedBy: 'app-db-encrypted-reader',
              protected: true,
              sessions: 1,
            },
          ],
          left: ['app-db-far'],
          logGroups: [{ name: '/aws/rds/instance/app-db/postgresql', storedBytes: 0, protected: true }],
          costs: [{ instance: 'app-db', what: 'db.m6g.large', amount: 4.2, currency: 'USD' }],
        },
      }),
      deleteSource: () => ({
        logGroups: [{ name: '/aws/rds/instance/app-db/postgresql', storedBytes: 0, protected: true }],
      }),
    },
    operate: (migration) => migration.approve('decommission'),
  }),
  'final-snapshot-encrypted': () => ({
    plan: { ...UNATTENDED, keep: { encryptFinalSnapshot: true } },
    operate: alone,
  }),
  soaked: () => ({
    plan: { ...UNATTENDED, soak: { minutes: 1 } },
    // So that the minute is nearly over.
    activities: { cutOver: () => ({ ...switched(), switchedAt: new Date(Date.now() - 57_000).toISOString() }) },
    operate: alone,
  }),
  'many-options-at-once': () => ({
    plan: {
      ...SMALLEST_PLAN,
      gates: { rollback: { approval: true }, 'undo-reboot': { approval: false } },
      carry: { slots: 'recreate', materializedViews: 'refresh' },
      replicaIdentity: 'set',
      cutover: { hooks: { before: [HOOK], after: [HOOK] }, traffic: [{ type: 'manual' }] },
      report: S3,
      keep: { encryptFinalSnapshot: true },
    },
    activities: { moveSlots: () => ({ moved: [SLOT], left: [] }) },
    async operate(migration) {
      await migration.approve('reboot-source', 'cutover');
      await migration.until('it is asked for', ({ switching }) => switching !== undefined);
      await migration.update('switched', { by: 'anna' });
      await migration.approve('decommission');
    },
  }),
};

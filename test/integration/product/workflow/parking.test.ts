import type { WorkerOptions } from '@temporalio/worker';
import { DatabaseError } from 'pg';
import type { Activities } from '../../../../activities';
import { waitFor } from '../../../../local/world/wait-for';
import { finalFailure } from '../../../../plan/failures';
import type { StepName } from '../../../../plan/steps';
import { boardWith, Door, LAG, type Overrides, switched, untilCancelled } from '../../../support/scripted-activities';
import { SMALLEST_PLAN } from '../../../support/plan';
import { WorkflowLab } from '../../../support/workflow-lab';
import { MESSAGES } from '../../../../plan/temporal';
import { FailedAttempts } from '../../../../worker/interceptors/failed-attempts';
import { renderDetails } from '../../../../workflows/details';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterEach(() => lab.endMigrations());
afterAll(() => lab?.close());

const FREE = { approval: false };
/** A plan that waits for nobody. */
const UNATTENDED = { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, cutover: FREE, decommission: FREE } };

/** Every activity of a migration that goes well, with the step in which it runs. */
const PATH: readonly (readonly [StepName, keyof Activities])[] = [
  ['preflight', 'runPreflight'],
  ['parameters', 'prepareParameters'],
  ['reboot', 'rebootSource'],
  ['access', 'createAccess'],
  ['replica-identity', 'setReplicaIdentities'],
  ['publication', 'createPublications'],
  ['slot', 'createSlots'],
  ['snapshot', 'createSnapshot'],
  ['encrypt', 'copySnapshot'],
  ['restore', 'restoreTarget'],
  ['position', 'readPosition'],
  ['quarantine', 'quarantineClone'],
  ['quarantine', 'endQuarantine'],
  ['subscribe', 'createSubscriptions'],
  ['subscribe', 'enableSubscriptions'],
  ['settings', 'applySettings'],
  ['way-back', 'prepareWayBack'],
  ['catch-up', 'waitForCatchUp'],
  ['replicas', 'createReplicas'],
  ['refresh', 'refreshViews'],
  ['warm-up', 'warmTarget'],
  ['verify', 'verifyContents'],
  ['go-no-go', 'readGoNoGo'],
  ['pause', 'preparePause'],
  ['pause', 'cutOver'],
  ['reverse', 'startWayBack'],
  ['resume', 'resumeNeighbours'],
  ['proof', 'proveContents'],
  ['watch', 'watchTraffic'],
  ['decommission', 'checkSourceUnused'],
  ['decommission', 'removeReplication'],
  ['decommission', 'restoreReplicaIdentities'],
  ['decommission', 'deleteSource'],
  ['decommission', 'deleteSnapshots'],
  ['evidence', 'writeReport'],
];

/** Each of these activities fails for good at its first call, and goes well afterwards. */
function failingOnce(names: readonly (keyof Activities)[]): Overrides {
  const failed = new Set<string>();
  return Object.fromEntries(
    names.map((name) => [
      name,
      () => {
        if (!failed.has(name)) {
          failed.add(name);
          throw finalFailure('AccessDenied', `${name} may not`, { of: name });
        }
        return WELL_AFTERWARDS[name as keyof typeof WELL_AFTERWARDS];
      },
    ]),
  );
}

const comparison = { tables: 1, rows: 1, differences: [], undecided: 0, durationMs: 1 };
const WELL_AFTERWARDS = {
  runPreflight: {
    checks: [],
    source: {
      instance: 'app-db',
      resourceId: 'db-X',
      parameterGroup: 'default.postgres16',
      databases: ['shop'],
      tables: 1,
    },
  },
  prepareParameters: { group: 'g', previousGroup: 'default.postgres16', rebootNeeded: true },
  rebootSource: { walLevel: 'logical' },
  createAccess: { role: 'r' },
  setReplicaIdentities: { tables: 0, found: [] },
  restoreReplicaIdentities: { tables: 0 },
  createSlots: [{ database: 'shop', slot: 's', consistentPoint: '0/1' }],
  createSnapshot: { snapshot: 's', sizeGiB: 1 },
  copySnapshot: { snapshot: 'e' },
  restoreTarget: { instance: 't', address: 'x', port: 1, quarantined: true },
  readPosition: { lsn: '0/3', evidence: [], silent: [] },
  quarantineClone: {
    preparedTransactions: [],
    slots: [],
    subscriptions: [],
    cronJobs: ['postgres 1'],
    triggers: [],
    readOnly: [],
  },
  endQuarantine: { parameterGroup: 'g' },
  applySettings: { instances: [], roleSettings: 0, replicas: ['app-db-reader'] },
  createReplicas: { instances: [], left: [] },
  refreshViews: { refreshed: 0, left: [] },
  resumeNeighbours: { triggers: 0, cronJobs: 0, subscriptions: [], stays: [] },
  waitForCatchUp: LAG,
  warmTarget: { relations: 1, blocks: 1 },
  verifyContents: comparison,
  readGoNoGo: boardWith(),
  cutOver: switched(),
  proveContents: { ...comparison, method: 'snapshot', changedSince: 0, goneSince: 0 },
  watchTraffic: { onTarget: 1, stragglers: [] },
  deleteSource: {},
  writeReport: [{ address: 's3://audit/m.json', bytes: 7, sha256: 'abc' }],
};

describe('a final failure', () => {
  it('parks at whatever step it comes, and retry goes on from there to the end', async () => {
    const migration = await lab.migrate(failingOnce(PATH.map(([, name]) => name)), {
      ...UNATTENDED,
      replicaIdentity: 'set',
      report: { file: 'reports' },
      gates: { 'reboot-source': FREE, decommission: FREE },
    });
    // A pause that failed leads back to the board, and needs an approval of its own.
    const behindTheGate = ['preparePause', 'cutOver', 'startWayBack'];
    for (const [step, name] of PATH) {
      if (behindTheGate.includes(name)) await migration.approve('cutover');
      const { parked, status, steps } = await migration.until(
        `parked at ${name}`,
        (progress) => progress.parked?.message === `${name} may not`,
      );
      expect(parked).toEqual({ step, type: 'AccessDenied', message: `${name} may not`, details: { of: name } });
      expect(status).toBe('parked');
      expect(steps.find((one) => one.name === step)?.status).toBe('failed');
      await expect(migration.update('retry', { by: 'anna' })).resolves.toBe(`retrying ${step}`);
    }
    const report = await migration.result();
    expect(report.status).toBe('completed');
    expect(report.progress.steps.filter(({ status }) => status !== 'done').map(({ name }) => name)).toEqual(['soak']);
    expect(report.progress.undone).toEqual([]);
    const things = report.stays.map(({ what, name }) => `${what} ${name}`);
    expect(new Set(things).size).toBe(things.length);
  });

  it('is undone once for each thing that was begun, however often it was retried', async () => {
    const path = PATH.slice(
      0,
      PATH.findIndex(([step]) => step === 'go-no-go'),
    );
    const migration = await lab.migrate(failingOnce(path.map(([, name]) => name)), {
      ...UNATTENDED,
      replicaIdentity: 'set',
      gates: { 'reboot-source': FREE },
    });
    for (const [, name] of path) {
      await migration.until(`parked at ${name}`, ({ parked }) => parked?.message === `${name} may not`);
      await migration.update('retry', {});
    }
    await migration.untilGate('cutover');
    await migration.update('abort', { reason: 'enough' });
    const { undone } = (await migration.result()).progress;
    expect(undone.map(({ name }) => name)).toEqual([
      'read replicas of the target',
      'way back',
      'subscriptions',
      'target instance',
      'quarantine parameter group',
      'encrypted snapshot',
      'snapshot of the source',
      'replication slots',
      'publications and fence tables',
      'replica identities',
      'replication role and its secret',
      'parameter group of the source',
    ]);
  });

  it('parks again and again until what is wrong is fixed', async () => {
    const migration = await lab.migrate(
      {
        createSlots: (_, call) => {
          if (call < 3) throw finalFailure('NotOurs', `call ${call}`);
          return [{ database: 'shop', slot: 's', consistentPoint: '0/1000000' }];
        },
      },
      UNATTENDED,
    );
    for (const call of [1, 2]) {
      await migration.until(`parked by call ${call}`, ({ parked }) => parked?.message === `call ${call}`);
      await migration.signal('retry');
    }
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
  });

  it('shows on the timeline, and leaves the other steps as they are', async () => {
    const migration = await lab.migrate(
      {
        createSnapshot: () => {
          throw finalFailure('QuotaExceeded', 'no more snapshots');
        },
      },
      UNATTENDED,
    );
    const { steps } = await migration.untilParked();
    expect(steps.filter(({ status }) => status === 'done').map(({ name }) => name)).toEqual([
      'preflight',
      'parameters',
      'reboot',
      'access',
      'publication',
      'slot',
    ]);
    expect(steps.find(({ name }) => name === 'encrypt')?.status).toBe('pending');
    const { events } = await migration.handle.fetchHistory();
    const timers = events?.filter(({ timerStartedEventAttributes }) => timerStartedEventAttributes);
    expect(Buffer.from(timers?.at(-1)?.userMetadata?.summary?.data ?? []).toString()).toContain(
      'parked at snapshot: QuotaExceeded; retry or abort',
    );
  });
});

describe('a transient error', () => {
  it('is retried without a person, whatever it is', async () => {
    const migration = await lab.migrate(
      {
        createAccess: (_, call) => {
          if (call === 1) throw new Error('connection refused');
          return { role: 'keyshift_m' };
        },
      },
      UNATTENDED,
    );
    const { progress } = await migration.result();
    expect(migration.script.count('createAccess')).toBe(2);
    expect(progress.notices).toEqual([]);
  });
});

describe('a slot that is lost', () => {
  const lost = finalFailure('SlotLost', 'Replication slot keyshift_m_shop is gone');

  it('ends a migration that waits for an approval: all is undone, the workflow fails with the reason', async () => {
    const loss = new Door();
    const migration = await lab.migrate(
      {
        guardSource: async () => {
          await loss.goThrough();
          throw lost;
        },
      },
      { ...UNATTENDED, gates: { 'reboot-source': FREE } },
    );
    await migration.untilGate('cutover');
    loss.open();
    await expect(migration.failure()).resolves.toMatchObject({
      type: 'SlotLost',
      message: expect.stringContaining('shop is gone') as string,
    });
    const { status, progress } = await migration.report();
    expect(status).toBe('failed');
    expect(progress.gate).toBeUndefined();
    expect(progress.undone.map(({ name, ok }) => [name, ok])).toEqual([
      ['read replicas of the target', true],
      ['way back', true],
      ['subscriptions', true],
      ['target instance', true],
      ['quarantine parameter group', true],
      ['encrypted snapshot', true],
      ['snapshot of the source', true],
      ['replication slots', true],
      ['publications and fence tables', true],
      ['replication role and its secret', true],
      ['parameter group of the source', true],
    ]);
  });

  it.each(['waitForCatchUp', 'readGoNoGo'] as const)('found by %s ends it without being parked', async (name) => {
    const migration = await lab.migrate(
      {
        [name]: () => {
          throw lost;
        },
      },
      UNATTENDED,
    );
    await expect(migration.failure()).resolves.toMatchObject({ type: 'SlotLost' });
    expect(migration.script.count('deleteTarget')).toBe(1);
    expect(migration.script.count('cutOver')).toBe(0);
  });

  it('asks nobody for a second reboot: that stays pending, and the report says so', async () => {
    const migration = await lab.migrate(
      {
        waitForCatchUp: () => {
          throw lost;
        },
        restoreParameters: () => ({ rebootNeeded: true, slots: [] }),
      },
      UNATTENDED,
    );
    await migration.failure();
    const { stays } = await migration.report();
    expect(migration.script.count('rebootSource')).toBe(1);
    expect(stays).toMatchObject([{ what: 'pending reboot', name: SMALLEST_PLAN.source.instance }]);
  });

  it('refuses an abort meanwhile, with the reason', async () => {
    const undoing = new Door();
    const migration = await lab.migrate(
      {
        waitForCatchUp: () => {
          throw lost;
        },
        deleteTarget: () => undoing.goThrough(),
      },
      UNATTENDED,
    );
    await migration.untilNotice(/SlotLost/);
    await migration.signal('abort', { by: 'anna', reason: 'too late' });
    await migration.untilNotice('abort: already under way, because of SlotLost');
    undoing.open();
    await expect(migration.failure()).resolves.toMatchObject({ type: 'SlotLost' });
  });
});

describe('a failure of the guard', () => {
  const denied = finalFailure('AccessDenied', 'The guard may not read the slots of the source');

  it('parks a migration that waits for an approval', async () => {
    const loss = new Door();
    const migration = await lab.migrate(
      {
        guardSource: async () => {
          await loss.goThrough();
          throw denied;
        },
      },
      { ...UNATTENDED, gates: { 'reboot-source': FREE } },
    );
    await migration.untilGate('cutover');
    loss.open();
    const { parked, gate } = await migration.untilParked();
    expect(parked).toMatchObject({ step: 'go-no-go', type: 'AccessDenied' });
    expect(gate).toBeUndefined();
  });

  it('parks the next step where it is found during one, and is looked for again after a retry', async () => {
    const [begun, warming, found] = [new Door(), new Door(), new Door()];
    const migration = await lab.migrate(
      {
        warmTarget: async () => {
          begun.open();
          await warming.goThrough();
          return { relations: 1, blocks: 1 };
        },
        guardSource: async (_, call) => {
          if (call === 1) {
            await begun.goThrough();
            throw denied;
          }
          found.open();
          return untilCancelled();
        },
      },
      UNATTENDED,
    );
    await waitFor('the guard has failed', async () => {
      const { events } = await migration.handle.fetchHistory();
      return events?.some((event) => event.activityTaskFailedEventAttributes);
    });
    warming.open();
    await expect(migration.untilParked()).resolves.toMatchObject({ parked: { step: 'verify', type: 'AccessDenied' } });
    expect(migration.script.count('verifyContents')).toBe(0);
    await migration.update('retry', { by: 'anna' });
    await found.opened;
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
  });

  it('does not keep an abort from asking whether the source may be rebooted', async () => {
    const migration = await lab.migrate(
      {
        guardSource: () => {
          throw denied;
        },
        restoreParameters: () => ({ rebootNeeded: true, slots: [] }),
      },
      { ...UNATTENDED, gates: { 'reboot-source': FREE } },
    );
    await migration.untilParked();
    await migration.update('abort', { reason: 'no permission' });
    await migration.approve('undo-reboot');
    const { progress } = await migration.result();
    expect(progress.undone.filter(({ ok }) => !ok)).toEqual([]);
    expect(migration.script.count('rebootSource')).toBe(2);
  });
});

describe('an activity that fails again and again', () => {
  const watched = (tellAfterMs?: number): Partial<WorkerOptions> => ({
    interceptors: { activity: [(context) => ({ inbound: new FailedAttempts(context, tellAfterMs) })] },
  });
  const refused = () => Object.assign(new DatabaseError('function f() does not exist', 1, 'error'), { code: '42883' });

  it('parks when PostgreSQL refuses the same statement for the third time; retry begins anew', async () => {
    const warmed = { relations: 1, blocks: 1 };
    const migration = await lab.migrate(
      {
        warmTarget: (_, call) => {
          if (call <= 3) throw refused();
          return warmed;
        },
      },
      UNATTENDED,
      undefined,
      watched(),
    );
    const { parked } = await migration.untilParked();
    expect(parked).toMatchObject({
      step: 'warm-up',
      type: 'StatementRefused',
      message: expect.stringMatching(
        /^warmTarget: PostgreSQL answered SQLSTATE 42883 3 times: function f\(\)/,
      ) as string,
      details: { sqlState: '42883', times: 3 },
    });
    expect(migration.script.count('warmTarget')).toBe(3);
    await migration.update('retry', { by: 'anna' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
  });

  it('is shown while it is tried again, and no more when it goes on', async () => {
    const door = new Door();
    const migration = await lab.migrate(
      {
        warmTarget: async (_, call) => {
          if (call <= 2) throw new Error('the network is away');
          await door.goThrough();
          return { relations: 1, blocks: 1 };
        },
      },
      UNATTENDED,
      undefined,
      watched(300),
    );
    const shown = await migration.until('it is shown', ({ retrying }) => retrying !== undefined);
    expect(shown.retrying).toEqual([
      expect.objectContaining({ activity: 'warmTarget', attempt: 2, message: 'the network is away' }),
    ]);
    expect(renderDetails(shown)).toContain('**Tried again** warmTarget has been failing since ');
    await migration.until('it goes on', ({ retrying }) => retrying === undefined);
    expect(migration.script.count('warmTarget')).toBe(3);
    door.open();
    await migration.result();
  });

  it('is told of a few times only, so that the history stays short', async () => {
    const door = new Door();
    const migration = await lab.migrate({
      createSnapshot: async () => {
        await door.goThrough();
        return { snapshot: 's', sizeGiB: 1 };
      },
    });
    await migration.approve('reboot-source');
    await migration.until('the snapshot is made', ({ steps }) =>
      steps.some(({ name, status }) => name === 'snapshot' && status === 'running'),
    );
    const tell = (attempt: number) =>
      migration.update(MESSAGES.retrying, { activity: 'createSnapshot', attempt, since: 'now', message: 'x' });
    for (let attempt = 1; attempt <= 8; attempt += 1) await tell(attempt);
    for (let attempt = 9; attempt <= 12; attempt += 1) await expect(tell(attempt)).rejects.toThrow();
    const { events } = await migration.handle.fetchHistory();
    const accepted = (events ?? []).map(
      ({ workflowExecutionUpdateAcceptedEventAttributes: one }) => one?.acceptedRequest,
    );
    expect(accepted.filter((one) => one?.input?.name === MESSAGES.retrying)).toHaveLength(8);
    await expect(migration.progress()).resolves.toMatchObject({ retrying: [{ attempt: 8 }] });
    door.open();
    await migration.until('it is over', ({ retrying }) => retrying === undefined);
  });
});

describe('what ends the migration at once', () => {
  it('is a plan with mistakes: all of them are in the failure', async () => {
    const migration = await lab.migrate({}, { source: { instance: '1' }, target: {}, notes: 1 } as never);
    const { type, message, details } = await migration.failure();
    expect(type).toBe('InvalidPlan');
    for (const path of ['source.instance', 'source.secret', 'target.instance', 'target.kmsKeyId', '(plan)']) {
      expect(message).toContain(`${path}: `);
    }
    expect(details?.[0]).toHaveLength(5);
    expect(migration.script.calls).toEqual([]);
  });

  it('is a check that blocks: all that block are in the failure, with their remedies', async () => {
    const migration = await lab.migrate({
      runPreflight: () => ({
        checks: [
          { code: 'source-exists', level: 'ok', message: 'there' },
          { code: 'key-usable', level: 'block', message: 'disabled', remedy: 'enable it' },
          { code: 'quota', level: 'block', message: 'too small' },
        ],
      }),
    });
    const { type, message, details } = await migration.failure();
    expect(type).toBe('PreflightBlocked');
    expect(message).toContain('2 checks of the preflight stop the migration; nothing was touched');
    expect(message).toContain('key-usable (block): disabled\n    enable it');
    expect(details?.[0]).toMatchObject([{ code: 'key-usable' }, { code: 'quota' }]);
    expect(migration.script.names).toEqual(['runPreflight']);
  });
});

import { waitFor } from '../../../../local/world/wait-for';
import { soakLines, stepOf } from '../../../../plan/progress';
import { COMPARISON, Door, LAG, switched, untilCancelled } from '../../../support/scripted-activities';
import { SMALLEST_PLAN } from '../../../support/plan';
import { WorkflowLab } from '../../../support/workflow-lab';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterEach(() => lab.endMigrations());
afterAll(() => lab?.close());

const FREE = { approval: false };
const UNATTENDED = { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, cutover: FREE, decommission: FREE } };

describe('a migration that goes well', () => {
  it('runs the runbook in its order', async () => {
    const migration = await lab.migrate({}, UNATTENDED);
    await migration.result();
    const { names } = migration.script;
    // Beside the proof.
    expect(names.indexOf('watchTraffic')).toBeGreaterThan(names.indexOf('startWayBack'));
    expect(names.indexOf('watchTraffic')).toBeLessThan(names.indexOf('checkSourceUnused'));
    expect(names.filter((name) => name !== 'watchTraffic')).toEqual([
      'runPreflight',
      'prepareParameters',
      'rebootSource',
      'createAccess',
      'createPublications',
      'createSlots',
      'createSnapshot',
      'copySnapshot',
      'restoreTarget',
      'readPosition',
      'quarantineClone',
      'createSubscriptions',
      'enableSubscriptions',
      'applySettings',
      'prepareWayBack',
      'waitForCatchUp',
      'createReplicas',
      'refreshViews',
      'warmTarget',
      'verifyContents',
      'readGoNoGo',
      'preparePause',
      'cutOver',
      'startWayBack',
      'proveContents',
      'checkSourceUnused',
      'removeReplication',
      'deleteSource',
      'deleteSnapshots',
    ]);
  });

  it('hands on what it found: the mark to the clone, the position to the origins, the fence to the pause', async () => {
    const migration = await lab.migrate({}, UNATTENDED);
    const report = await migration.result();
    const { script } = migration;
    const [published] = script.inputsOf('createPublications');
    expect(published?.mark).toMatch(/^[0-9a-f-]{36}$/);
    expect(script.inputsOf('quarantineClone')[0]?.mark).toBe(published?.mark);
    expect(script.inputsOf('readPosition')[0]?.slots).toEqual(report.slots);
    expect(script.inputsOf('createSubscriptions')[0]?.position).toBe(report.position?.lsn);
    expect(script.inputsOf('cutOver')[0]?.fence.roles).toEqual(['app']);
    expect(script.inputsOf('copySnapshot')[0]?.kmsKeyArn).toBe(report.source?.targetKmsKeyArn);
    expect(script.inputsOf('deleteSource')[0]?.resourceId).toBe(report.source?.resourceId);
    expect(script.inputsOf('proveContents')[0]?.targetSnapshots).toEqual(report.cutover?.targetSnapshots);
  });

  it('ends with a report of everything, which is plain JSON, as the queries are', async () => {
    const migration = await lab.migrate({}, { ...SMALLEST_PLAN, replicaIdentity: 'set' });
    await migration.approve('reboot-source', 'cutover', 'decommission');
    const report = await migration.result();
    expect(report).toMatchObject({ status: 'completed', migration: migration.id });
    for (const part of ['source', 'slots', 'position', 'verify', 'cutover', 'proof'] as const) {
      expect(report[part]).toBeDefined();
    }
    expect(report.progress.approvals.map(({ gate }) => gate)).toEqual(['reboot-source', 'cutover', 'decommission']);
    await expect(migration.report()).resolves.toEqual(report);
    await expect(migration.progress()).resolves.toEqual(report.progress);
    for (const { name, status, startedAt, endedAt } of report.progress.steps) {
      if (name === 'soak') continue;
      expect(status).toBe('done');
      expect(Date.parse(endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(startedAt ?? ''));
    }
  });

  it('leaves out the reboot where none is needed, and the comparison where the plan does', async () => {
    const migration = await lab.migrate(
      { prepareParameters: () => ({ previousGroup: 'own-group', rebootNeeded: false }) },
      { ...UNATTENDED, verify: { beforeCutover: false } },
    );
    const { progress } = await migration.result();
    expect(stepOf(progress, 'reboot').status).toBe('skipped');
    expect(stepOf(progress, 'verify').status).toBe('skipped');
    expect(migration.script.names).not.toContain('rebootSource');
    expect(migration.script.names).not.toContain('verifyContents');
  });

  it('keeps the source where the plan does, and says so', async () => {
    const migration = await lab.migrate({}, { ...UNATTENDED, keep: { source: true } });
    const { stays } = await migration.result();
    expect(stays).toContainEqual(expect.objectContaining({ what: 'source', name: 'app-db' }));
    expect(migration.script.names).not.toContain('deleteSource');
    expect(migration.script.names).toContain('deleteSnapshots');
  });

  it('asks about the log groups that RDS would leave behind, and lists those that stay', async () => {
    const plain = { name: '/aws/rds/instance/app-db/postgresql', storedBytes: 0, protected: false };
    const safe = { name: '/aws/rds/instance/app-db/upgrade', storedBytes: 0, protected: true };
    const removal = { deletionProtection: false, replicas: [], left: [], logGroups: [plain, safe] };
    const migration = await lab.migrate(
      {
        watchTraffic: () => ({ onTarget: 8, stragglers: [], removal }),
        deleteSource: () => ({ logGroups: [safe] }),
      },
      { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, cutover: FREE }, keep: { logGroups: false } },
    );
    const findings = (await migration.untilGate('decommission')).gate?.findings;
    expect(findings).toContain(`log group ${plain.name} is deleted, with all that was logged`);
    expect(findings).toContainEqual(expect.stringContaining(`log group ${safe.name} stays (`));
    await migration.approve('decommission');
    const { stays } = await migration.result();
    expect(stays.filter(({ what }) => what === 'log group')).toEqual([
      {
        what: 'log group',
        name: safe.name,
        why: `it could not be deleted: what was logged never expires; no key of yours encrypts it; protected against deletion; to delete it: aws logs put-log-group-deletion-protection --log-group-identifier ${safe.name} --no-deletion-protection-enabled; aws logs delete-log-group --log-group-name ${safe.name}`,
      },
    ]);
  });

  it('says what the old source costs for as long as it is there', async () => {
    const cost = { instance: 'app-db', what: 'db.m6g.large', amount: 4.2, currency: 'USD' };
    const line = 'old source app-db: about 4.20 USD a day (db.m6g.large, on demand)';
    const removal = { deletionProtection: false, replicas: [], left: [], costs: [cost] };
    const migration = await lab.migrate(
      { watchTraffic: () => ({ onTarget: 8, stragglers: [], removal }) },
      { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, cutover: FREE } },
    );
    const progress = await migration.untilGate('decommission');
    expect(soakLines(progress)).toContain(line);
    expect(progress.gate?.findings).toContain(line);
    await migration.approve('decommission');
    const report = await migration.result();
    expect(report.removal?.costs).toEqual([cost]);
    expect(report.progress.soak).toBeUndefined();
  });

  it('keeps the report where the plan says, as of its end, and lists the copies', async () => {
    const migration = await lab.migrate({}, { ...UNATTENDED, report: { s3: 's3://audit' } });
    const report = await migration.result();
    const [kept, ...more] = migration.script.inputsOf('writeReport');
    expect(more).toEqual([]);
    expect(kept?.report).toMatchObject({ status: 'completed', progress: { status: 'completed' } });
    expect(kept?.report.progress.steps.map(({ status }) => status)).not.toContain('running');
    expect(report.stays.at(-1)).toMatchObject({ what: 'report', why: expect.stringContaining('sha256') as string });
    const { stays, progress, ...rest } = report;
    expect(kept?.report).toMatchObject(rest);
    expect(kept?.report.progress.approvals).toEqual(progress.approvals);
    expect(kept?.report.stays).toEqual(stays.slice(0, -1));
  });

  it('keeps a report that is longer than Temporal permits, without what makes it so', async () => {
    const examples = Array.from({ length: 3_000 }, (_, place) => `row ${place} ${'x'.repeat(1_000)}`);
    const differences = [
      {
        database: 'shop',
        table: 't',
        onlyOnSource: 0,
        onlyOnTarget: 0,
        different: 3_000,
        examples: examples.slice(0, 900),
      },
    ];
    const long = { tables: 1, rows: 1, differences, undecided: 0, durationMs: 1 };
    const migration = await lab.migrate(
      {
        verifyContents: () => long,
        proveContents: () => ({ ...long, method: 'snapshot', changedSince: 0, goneSince: 0 }),
      },
      { ...UNATTENDED, report: { s3: 's3://audit' } },
    );
    await migration.result();
    const [kept] = migration.script.inputsOf('writeReport');
    expect(kept?.report.shortened).toContainEqual(expect.stringContaining('examples'));
    expect(kept?.report.status).toBe('completed');
  });

  it('says who was, and who is still connected to the old source', async () => {
    const cron = { user: 'report', database: 'shop', application: 'cron', address: '10.0.0.9', sessions: 1 };
    const seenOnSource = [
      { ...cron, application: 'api', sessions: 3, left: false },
      { ...cron, left: true },
    ];
    const stragglers = ['report@shop (cron) from 10.0.0.9'];
    const migration = await lab.migrate(
      { watchTraffic: () => ({ onTarget: 8, stragglers, seenOnSource }) },
      UNATTENDED,
    );
    const { progress, seenOnSource: reported } = await migration.result();
    expect(reported).toEqual(seenOnSource);
    expect(progress.notices.map(({ text }) => text)).toContain(
      'seen on the old source after the switch, gone since: 3 of report@shop (api) from 10.0.0.9',
    );
    expect(progress.notices.map(({ text }) => text)).toContain(
      'still connected to the old source: report@shop (cron) from 10.0.0.9',
    );
  });
});

describe('the history', () => {
  it('of a migration that takes a month stays below 300 events', async () => {
    const monthMs = 30 * 24 * 3_600_000;
    let passedMs = 0;
    const migration = await lab.migrate({
      guardSource: async ({ reportAfterMs }) => {
        passedMs += reportAfterMs;
        if (passedMs > monthMs) await new Door().goThrough();
        return LAG;
      },
    });
    await migration.approve('reboot-source');
    await migration.untilGate('cutover');
    await waitFor('a month has passed', () => passedMs > monthMs);
    await migration.approve('cutover', 'decommission');
    await migration.result();
    const { events } = await migration.handle.fetchHistory();
    expect(events?.length).toBeLessThan(300);
  });

  it('has a summary on every activity and timer', async () => {
    const migration = await lab.migrate();
    await migration.approve('reboot-source', 'cutover', 'decommission');
    await migration.result();
    const { events } = await migration.handle.fetchHistory();
    const shown = (events ?? []).filter(
      (event) => event.activityTaskScheduledEventAttributes ?? event.timerStartedEventAttributes,
    );
    expect(shown.length).toBeGreaterThan(30);
    for (const event of shown) {
      expect(Buffer.from(event.userMetadata?.summary?.data ?? []).toString()).toMatch(/^".{5,}"$/);
    }
  });
});

describe('the guard', () => {
  it('reports at growing distances, and its figures show', async () => {
    const migration = await lab.migrate({
      guardSource: async (_, call) => {
        if (call === 3) await new Door().goThrough();
        return { ...LAG, bytes: 1_000 * call };
      },
    });
    await migration.approve('reboot-source');
    await migration.untilGate('cutover');
    const distances = migration.script.inputsOf('guardSource').map(({ reportAfterMs }) => reportAfterMs);
    expect(distances).toEqual([10_000, 60_000, 360_000]);
  });

  it('warns once of what lasts, and says when it is over', async () => {
    const low = { code: 'free-storage', text: '20 % of the storage of app-db is free' };
    const reports = [[low], [low], []];
    const migration = await lab.migrate({
      guardSource: async (_, call) => {
        const warnings = reports[call - 1];
        if (!warnings) return untilCancelled();
        return { ...LAG, warnings };
      },
    });
    await migration.approve('reboot-source');
    await migration.untilNotice('free-storage: over');
    const { notices, lag } = await migration.progress();
    expect(notices.map(({ text }) => text)).toEqual([`free-storage: ${low.text}`, 'free-storage: over']);
    expect(lag).toEqual(LAG);
  });

  it('rests inside the pause', async () => {
    const paused = new Door();
    const migration = await lab.migrate(
      {
        cutOver: async () => {
          paused.open();
          await new Door().goThrough();
          return switched();
        },
      },
      UNATTENDED,
    );
    await paused.opened;
    const { raw } = await migration.handle.describe();
    expect(raw.pendingActivities?.map(({ activityType }) => activityType?.name)).toEqual(['cutOver']);
  });
});

describe('the proof', () => {
  it('is made by the process that holds the snapshots, and by row versions where that is gone', async () => {
    const migration = await lab.migrate({ cutOver: () => switched('queue-of-a-worker-that-died') }, UNATTENDED);
    const { progress } = await migration.result();
    expect(progress.notices.at(-1)?.text).toMatch(/the proof goes on by row versions$/);
    expect(migration.script.count('proveContents')).toBe(1);
  });

  it('watches from the switch on, however long the proof takes', async () => {
    const watched = new Door();
    const migration = await lab.migrate(
      {
        watchTraffic: () => {
          watched.open();
          return { onTarget: 8, stragglers: [] };
        },
        proveContents: async () => {
          await watched.opened;
          return { ...COMPARISON, method: 'snapshot', changedSince: 0, goneSince: 0 };
        },
      },
      UNATTENDED,
    );
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
  });
});

import type { Activities } from '../../../../activities';
import { finalFailure } from '../../../../plan/failures';
import { Door, type Overrides, switched, untilCancelled } from '../../../support/scripted-activities';
import { SMALLEST_PLAN } from '../../../support/plan';
import { type ScriptedMigration, WorkflowLab } from '../../../support/workflow-lab';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterEach(() => lab.endMigrations());
afterAll(() => lab?.close());

const FREE = { approval: false };
const ASKS_FOR_CUTOVER = { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, decommission: FREE } };
const UNATTENDED = { ...ASKS_FOR_CUTOVER, gates: { ...ASKS_FOR_CUTOVER.gates, cutover: FREE } };

/** Undo steps by name and activity, oldest first. */
const UNDO = [
  ['parameter group of the source', 'restoreParameters'],
  ['replication role and its secret', 'dropAccess'],
  ['publications and fence tables', 'dropPublications'],
  ['replication slots', 'dropSlots'],
  ['snapshot of the source', 'deleteSnapshot'],
  ['encrypted snapshot', 'deleteEncryptedSnapshot'],
  ['quarantine parameter group', 'deleteQuarantineGroup'],
  ['target instance', 'deleteTarget'],
  ['subscriptions', 'dropSubscriptions'],
  ['way back', 'removeWayBack'],
  ['read replicas of the target', 'deleteReplicas'],
  ['fence', 'lowerFence'],
] as const;

/** Each activity before the switch, and how many of the undo steps are due once it has begun. */
const BEGUN: readonly (readonly [keyof Activities, number])[] = [
  ['runPreflight', 0],
  ['prepareParameters', 1],
  ['rebootSource', 1],
  ['createAccess', 2],
  ['createPublications', 3],
  ['createSlots', 4],
  ['createSnapshot', 5],
  ['copySnapshot', 6],
  ['restoreTarget', 8],
  ['readPosition', 8],
  ['quarantineClone', 8],
  ['createSubscriptions', 9],
  ['enableSubscriptions', 9],
  ['applySettings', 9],
  ['prepareWayBack', 10],
  ['waitForCatchUp', 10],
  ['createReplicas', 11],
  ['refreshViews', 11],
  ['warmTarget', 11],
  ['verifyContents', 11],
  ['readGoNoGo', 11],
  ['preparePause', 11],
];

const abort = (migration: ScriptedMigration) => migration.update('abort', { by: 'anna', reason: 'not today' });

/** Starts a migration that stays in one activity until that is cancelled. */
async function stuckIn(name: keyof Activities, overrides: Overrides = {}): Promise<ScriptedMigration> {
  const begun = new Door();
  const stuck = () => {
    begun.open();
    return untilCancelled();
  };
  const migration = await lab.migrate({ ...overrides, [name]: stuck }, UNATTENDED);
  await begun.opened;
  return migration;
}

describe('an abort', () => {
  it.each(BEGUN)('during %s undoes exactly what was begun, newest first', async (name, due) => {
    const migration = await stuckIn(name);
    const before = migration.script.names.length;
    await expect(abort(migration)).resolves.toContain('aborting');
    const report = await migration.result();
    const expected = UNDO.slice(0, due).toReversed();
    expect(report.status).toBe('aborted');
    expect(report.progress.undone).toEqual(expected.map(([undo]) => ({ name: undo, ok: true })));
    // Before anything is undone the world is asked who is in use; with nothing to undo there is nothing to ask.
    const asks = due > 0 ? ['lookAtUse'] : [];
    expect(migration.script.names.slice(before)).toEqual([...asks, ...expected.map(([, activity]) => activity)]);
    expect(report.progress.notices.at(-1)?.text).toBe('abort requested by anna: not today');
    await expect(migration.status()).resolves.toBe('COMPLETED');
  });

  it('after the restore deletes the target by the resource id that the restore has told', async () => {
    const migration = await stuckIn('waitForCatchUp');
    await abort(migration);
    await migration.result();
    expect(migration.script.inputsOf('deleteTarget')).toMatchObject([{ targetResourceId: 'db-TARGET' }]);
  });

  it('at an open gate closes it', async () => {
    const migration = await lab.migrate({}, ASKS_FOR_CUTOVER);
    await migration.untilGate('cutover');
    await migration.signal('abort', { by: 'anna' });
    const { progress } = await migration.result();
    expect(progress.gate).toBeUndefined();
    expect(progress.undone).toHaveLength(UNDO.length - 1);
  });

  it('of a parked migration undoes the step that failed, too', async () => {
    const migration = await lab.migrate(
      {
        createSnapshot: () => {
          throw finalFailure('QuotaExceeded', 'no');
        },
      },
      UNATTENDED,
    );
    await migration.untilParked();
    await abort(migration);
    const { progress } = await migration.result();
    expect(progress.parked).toBeUndefined();
    expect(progress.undone.map(({ name }) => name)).toEqual(
      UNDO.slice(0, 5)
        .toReversed()
        .map(([name]) => name),
    );
  });

  it('is refused while one is under way', async () => {
    const undoing = new Door();
    const migration = await stuckIn('createAccess', { dropAccess: () => undoing.goThrough() });
    await abort(migration);
    await migration.until('it is undoing', () => migration.script.count('dropAccess') === 1);
    await expect(abort(migration)).rejects.toMatchObject({ cause: { message: 'abort: already under way' } });
    await expect(migration.progress()).resolves.toMatchObject({ status: 'aborting' });
    undoing.open();
    await expect(migration.result()).resolves.toMatchObject({ status: 'aborted' });
  });

  it.each<[keyof Activities, string]>([
    ['proveContents', 'the proof'],
    ['deleteSource', 'the decommission'],
  ])('after the switch is refused, and changes nothing (%s)', async (name) => {
    const [begun, goOn] = [new Door(), new Door()];
    const migration = await lab.migrate(
      {
        watchTraffic: async () => {
          begun.open();
          await goOn.goThrough();
          return { onTarget: 1, stragglers: [] };
        },
      },
      UNATTENDED,
    );
    await begun.opened;
    await expect(abort(migration)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('traffic is on the target already') as string },
    });
    await migration.signal('abort', {});
    await migration.untilNotice(/abort refused/);
    goOn.open();
    const report = await migration.result();
    expect(report).toMatchObject({ status: 'completed', progress: { undone: [] } });
    expect(migration.script.names).toContain(name);
    expect(migration.script.names).not.toContain('lowerFence');
  });

  it('inside the pause waits for its end: a pause that is given up is undone, the fence first', async () => {
    const [paused, end] = [new Door(), new Door()];
    const migration = await lab.migrate(
      {
        cutOver: async () => {
          paused.open();
          await end.opened;
          return { switched: false, reason: 'the budget ended', pauseMs: 30_000 };
        },
      },
      UNATTENDED,
    );
    await paused.opened;
    await abort(migration);
    expect(migration.script.count('lowerFence')).toBe(0);
    end.open();
    const { progress } = await migration.result();
    expect(progress.undone.map(({ name }) => name)).toEqual(UNDO.toReversed().map(([name]) => name));
  });

  it('inside a pause that then switches comes too late: the migration goes forward, and says so', async () => {
    const [paused, end] = [new Door(), new Door()];
    const migration = await lab.migrate(
      {
        cutOver: async () => {
          paused.open();
          await end.opened;
          return switched();
        },
      },
      UNATTENDED,
    );
    await paused.opened;
    await abort(migration);
    end.open();
    const report = await migration.result();
    expect(report).toMatchObject({ status: 'completed', progress: { undone: [] } });
    expect(report.progress.steps.every(({ status }) => status === 'done' || status === 'skipped')).toBe(true);
    expect(report.progress.notices.map(({ text }) => text).join('\n')).toMatch(/abort .*too late/);
  });
});

describe('a cancellation by Temporal', () => {
  it('undoes everything as an abort does, and ends as Canceled', async () => {
    const migration = await stuckIn('createSlots');
    await migration.handle.cancel();
    await migration.failure();
    await expect(migration.status()).resolves.toBe('CANCELLED');
    const { progress, status } = await migration.report();
    expect(status).toBe('aborted');
    expect(progress.undone.map(({ name }) => name)).toEqual(
      UNDO.slice(0, 4)
        .toReversed()
        .map(([name]) => name),
    );
  });

  it('after the switch has no effect', async () => {
    const [begun, goOn] = [new Door(), new Door()];
    const migration = await lab.migrate(
      {
        watchTraffic: async () => {
          begun.open();
          await goOn.goThrough();
          return { onTarget: 1, stragglers: [] };
        },
      },
      UNATTENDED,
    );
    await begun.opened;
    await migration.handle.cancel();
    goOn.open();
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed', progress: { undone: [] } });
  });
});

describe('an undo that fails', () => {
  it('is shown with its reason, and the others are still made', async () => {
    const migration = await stuckIn('createSlots', {
      dropPublications: () => {
        throw finalFailure('AccessDenied', 'may not drop');
      },
    });
    await abort(migration);
    const { progress, status } = await migration.result();
    expect(status).toBe('aborted');
    expect(progress.undone).toEqual([
      { name: 'replication slots', ok: true },
      { name: 'publications and fence tables', ok: false, message: 'may not drop' },
      { name: 'replication role and its secret', ok: true },
      { name: 'parameter group of the source', ok: true },
    ]);
  });

  it('for a passing reason is tried again', async () => {
    const migration = await stuckIn('createAccess', {
      dropAccess: (_, call) => {
        if (call === 1) throw new Error('connection refused');
      },
    });
    await abort(migration);
    expect((await migration.result()).progress.undone.every(({ ok }) => ok)).toBe(true);
    expect(migration.script.count('dropAccess')).toBe(2);
  });

  it('stops the rest where going on would lose data, the fence, until a person has fixed it', async () => {
    let fixed = false;
    const migration = await lab.migrate(
      {
        cutOver: () => {
          throw finalFailure('AccessDenied', 'may not');
        },
        lowerFence: () => {
          if (!fixed) throw finalFailure('AccessDenied', 'may not lower it');
        },
      },
      UNATTENDED,
    );
    const { notices } = await migration.untilParked();
    expect(notices.at(-1)?.text).toBe('THE FENCE ON THE SOURCE MAY STILL BE UP: may not lower it');
    await abort(migration);
    const { parked } = await migration.until(
      'the undo is parked',
      (progress) => progress.parked?.type === 'UndoFailed',
    );
    expect(parked?.message).toBe('undo of fence: may not lower it');
    expect(migration.script.names.at(-1)).toBe('lowerFence');
    fixed = true;
    await migration.update('retry', { by: 'anna' });
    const { progress } = await migration.result();
    expect(progress.undone).toEqual(UNDO.toReversed().map(([name]) => ({ name, ok: true })));
  });
});

describe('an abort of a migration whose target serves, which a reset has made it forget', () => {
  const evidence = [{ kind: 'record' as const, text: 'a cutover to app-db-encrypted is recorded there' }];

  it('parks, undoes nothing, and says what was seen, until nobody is there any more', async () => {
    let isUsed = true;
    const migration = await stuckIn('verifyContents', { lookAtUse: () => ({ evidence: isUsed ? evidence : [] }) });
    await abort(migration);
    const parkedInUse = () => migration.until('it is parked', ({ parked }) => parked?.type === 'InUse');
    const { parked, undone, status } = await parkedInUse();
    expect(status).toBe('parked');
    expect(parked).toMatchObject({ step: 'verify', details: evidence });
    expect(parked?.message).toContain('Nothing was undone');
    expect(parked?.message).toContain('a cutover to app-db-encrypted is recorded there');
    expect(undone).toEqual([]);
    await migration.update('retry', { by: 'anna' });
    await migration.until('it looks again', () => migration.script.count('lookAtUse') === 2);
    await parkedInUse();
    expect(migration.script.names.filter((name) => name === 'deleteTarget')).toEqual([]);
    isUsed = false;
    await migration.update('retry', { by: 'anna' });
    const report = await migration.result();
    expect(report.status).toBe('aborted');
    expect(report.progress.undone.every(({ ok }) => ok)).toBe(true);
  });

  it('parks, too, where nobody can look', async () => {
    const migration = await stuckIn('createSlots', {
      lookAtUse: () => {
        throw finalFailure('AccessDenied', 'may not describe instances');
      },
    });
    await abort(migration);
    const { parked } = await migration.until('it is parked', (progress) => progress.parked !== undefined);
    expect(parked).toMatchObject({ type: 'InUse', message: expect.stringContaining('may not describe') as string });
  });

  it('is not ruined by a slot that the switch has removed: it parks, and can still be aborted', async () => {
    const migration = await lab.migrate(
      {
        waitForCatchUp: () => {
          throw finalFailure(
            'InUse',
            'Replication slot x on the source is gone. But applications may be on the target',
          );
        },
      },
      UNATTENDED,
    );
    const { parked } = await migration.untilParked();
    expect(parked).toMatchObject({ type: 'InUse', step: 'catch-up' });
    await abort(migration);
    await expect(migration.result()).resolves.toMatchObject({ status: 'aborted' });
  });

  it('stops at the undo that finds applications on the other side: nothing older is undone', async () => {
    let isUsed = true;
    const migration = await stuckIn('createSlots', {
      dropPublications: () => {
        if (isUsed) throw finalFailure('InUse', 'sessions of app on app-db-encrypted');
      },
    });
    await abort(migration);
    const { parked, undone } = await migration.until('it is parked', (progress) => progress.parked !== undefined);
    expect(parked).toMatchObject({
      type: 'InUse',
      message: 'undo of publications and fence tables: sessions of app on app-db-encrypted',
    });
    expect(undone).toEqual([{ name: 'replication slots', ok: true }]);
    isUsed = false;
    await migration.update('retry', { by: 'anna' });
    const { progress } = await migration.result();
    expect(progress.undone).toHaveLength(4);
  });
});

describe('the reboot that an abort needs', () => {
  const waiting: Overrides = { restoreParameters: () => ({ rebootNeeded: true, slots: [] }) };

  it('is made when it is approved', async () => {
    const migration = await stuckIn('createAccess', waiting);
    await abort(migration);
    const { gate, status } = await migration.untilGate('undo-reboot');
    expect(status).toBe('aborting');
    expect(gate?.findings[0]).toContain('default.postgres16');
    await migration.approve('undo-reboot');
    const { stays } = await migration.result();
    expect(stays).toEqual([]);
    expect(migration.script.count('rebootSource')).toBe(2);
  });

  it('is left to the next one when it is rejected, and the report says so', async () => {
    const migration = await stuckIn('createAccess', waiting);
    await abort(migration);
    await migration.untilGate('undo-reboot');
    await migration.update('reject', { gate: 'undo-reboot', by: 'anna' });
    const { stays, progress } = await migration.result();
    expect(stays).toEqual([expect.objectContaining({ what: 'pending reboot', name: 'app-db' })]);
    expect(progress.undone.every(({ ok }) => ok)).toBe(true);
    expect(migration.script.count('rebootSource')).toBe(1);
  });
});

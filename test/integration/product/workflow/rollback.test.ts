import { finalFailure } from '../../../../plan/failures';
import { stepOf } from '../../../../plan/progress';
import type { Proof } from '../../../../plan/report';
import { Door, LAG, type Overrides, switched, untilCancelled } from '../../../support/scripted-activities';
import { SMALLEST_PLAN } from '../../../support/plan';
import { type ScriptedMigration, WorkflowLab } from '../../../support/workflow-lab';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterEach(() => lab.endMigrations());
afterAll(() => lab?.close());

const FREE = { approval: false };
const UNATTENDED = { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, cutover: FREE } };
const PROVEN: Proof = {
  tables: 1,
  rows: 1,
  differences: [],
  undecided: 0,
  durationMs: 1,
  method: 'snapshot',
  changedSince: 0,
  goneSince: 0,
};
const ASK = { by: 'anna', reason: 'the new one is slow' };

const rollback = (migration: ScriptedMigration) => migration.update('rollback', ASK);
const isBack = (input: { readonly direction?: 'back' }) => input.direction === 'back';

/** The update is refused with these words. */
async function refused(update: Promise<string>, words: RegExp): Promise<void> {
  const error = await update.then(
    () => undefined,
    (failure: { cause?: Error }) => failure.cause,
  );
  expect(error?.message).toMatch(words);
}

/** A migration whose applications are on the target, at its last gate. */
async function atLastGate(
  overrides: Overrides = {},
  plan: typeof SMALLEST_PLAN = UNATTENDED,
): Promise<ScriptedMigration> {
  const migration = await lab.migrate(overrides, plan);
  await migration.untilGate('decommission');
  return migration;
}

describe('a rollback', () => {
  it('is the cutover in the other direction; then everything is undone but the target', async () => {
    const migration = await atLastGate();
    const before = migration.script.names.length;
    await expect(rollback(migration)).resolves.toContain('rolling back');
    const report = await migration.result();
    expect(report.status).toBe('rolled-back');
    expect(migration.script.names.slice(before)).toEqual([
      'readRollbackBoard',
      'preparePause',
      'cutOver',
      'resumeNeighbours',
      'proveContents',
      'lowerFence',
      'removeWayBack',
      'dropSubscriptions',
      'deleteQuarantineGroup',
      'deleteEncryptedSnapshot',
      'deleteSnapshot',
      'dropSlots',
      'dropPublications',
      'dropAccess',
      'restoreParameters',
      'removeReplication',
    ]);
    const pauses = migration.script.inputsOf('cutOver');
    expect(pauses.map(isBack)).toEqual([false, true]);
    expect(pauses[1]?.fenceThere?.fence).toEqual(pauses[0]?.fence);
    expect(report.rollback).toMatchObject({ ...ASK, cutover: { switched: true }, proof: { method: 'snapshot' } });
    expect(report.stays).toContainEqual(expect.objectContaining({ what: 'target', name: 'app-db-encrypted' }));
    expect(report.stays.map(({ what }) => what)).not.toContain('final snapshot');
  });

  it('interrupts a proof that is under way', async () => {
    const proving = new Door();
    const migration = await lab.migrate(
      {
        proveContents: (input) => {
          if (isBack(input)) return PROVEN;
          proving.open();
          return untilCancelled();
        },
      },
      UNATTENDED,
    );
    await proving.opened;
    await rollback(migration);
    const { status, progress } = await migration.result();
    expect(status).toBe('rolled-back');
    expect(stepOf(progress, 'proof').note).toBe('left for the rollback');
  });

  it('is the way out of a migration that parked after the switch', async () => {
    const migration = await lab.migrate(
      {
        proveContents: (input) => {
          if (!isBack(input)) throw finalFailure('ContentsDiffer', '3 rows differ');
          return PROVEN;
        },
      },
      UNATTENDED,
    );
    await migration.untilParked();
    await rollback(migration);
    const { status, progress } = await migration.result();
    expect(status).toBe('rolled-back');
    expect(progress.parked).toBeUndefined();
  });

  it('asks at a gate of its own where the plan wants that; a rejection leaves applications where they are', async () => {
    const plan = { ...UNATTENDED, gates: { ...UNATTENDED.gates, rollback: { approval: true } } };
    const migration = await atLastGate({}, plan);
    await expect(rollback(migration)).resolves.toContain('waits for the approval');
    await migration.untilGate('rollback');
    await refused(rollback(migration), /already under way, requested by anna/);
    await migration.update('reject', { gate: 'rollback', by: 'ben', comment: 'it is fast now' });
    await migration.untilGate('decommission');
    expect(migration.script.count('proveContents')).toBe(1);
    await migration.update('approve', { gate: 'decommission', by: 'ben' });
    const report = await migration.result();
    expect(report.status).toBe('completed');
    expect(report.rollback).toBeUndefined();
  });

  it('asks when something is red, and looks again', async () => {
    const migration = await atLastGate({
      readRollbackBoard: (_, call) => ({
        lag: LAG,
        fence: { roles: ['app'], unlockable: [], databases: [] },
        others: [],
        red: call === 1 ? ['the subscription in database shop of app-db does not receive'] : [],
        findings: [],
      }),
    });
    await rollback(migration);
    const { gate } = await migration.untilGate('rollback');
    expect(gate?.findings[0]).toBe('RED: the subscription in database shop of app-db does not receive');
    await migration.update('approve', { gate: 'rollback', by: 'anna' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'rolled-back' });
  });

  it('whose pause is given up opens its gate, with the guard on again', async () => {
    const migration = await atLastGate({
      cutOver: (_, call) =>
        call === 2 ? { switched: false, reason: 'the budget ended', pauseMs: 30_000 } : switched(),
    });
    await rollback(migration);
    const { gate } = await migration.untilGate('rollback');
    expect(gate?.findings).toContain('1 pauses were given up before this');
    await migration.update('approve', { gate: 'rollback', by: 'anna' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'rolled-back' });
  });

  it('that fails in its pause takes the fence down, parks, and goes on from its board', async () => {
    const migration = await atLastGate({
      cutOver: (_, call) => {
        if (call === 2) throw finalFailure('ResourceGone', 'the old source is gone');
        return switched();
      },
    });
    await rollback(migration);
    const { parked } = await migration.untilParked();
    expect(parked?.step).toBe('rollback-pause');
    expect(migration.script.inputsOf('lowerFence').map(isBack)).toEqual([true]);
    await migration.update('retry', { by: 'anna' });
    await migration.untilGate('rollback');
    await migration.update('approve', { gate: 'rollback', by: 'anna' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'rolled-back' });
  });

  it('is refused before the switch, after the decommission, without a name, and where there is no way back', async () => {
    const early = await lab.migrate();
    await early.untilGate('reboot-source');
    await refused(rollback(early), /still on the source; send abort/);

    const stuck = new Door();
    const late = await atLastGate({
      checkSourceUnused: () => {
        stuck.open();
        return untilCancelled();
      },
    });
    await refused(late.update('rollback', { reason: 'no name' }), /"by" has to say who asks/);
    await late.update('approve', { gate: 'decommission', by: 'anna' });
    await stuck.opened;
    await refused(rollback(late), /the decommission has begun/);

    const without = await atLastGate({}, { ...UNATTENDED, soak: { wayBack: 'none' } } as typeof SMALLEST_PLAN);
    await refused(rollback(without), /no way back/);
    expect(without.script.names).not.toContain('prepareWayBack');
    expect(without.script.names).not.toContain('startWayBack');
  });

  it('is refused once the way back had to be given up; the migration goes on without it', async () => {
    const migration = await atLastGate({
      guardSource: (input) => {
        if (!isBack(input)) return untilCancelled();
        throw finalFailure('SourceAtRisk', 'app-db-encrypted was about to run out of storage');
      },
    });
    await migration.untilNotice(/NO WAY BACK ANY MORE/);
    await refused(rollback(migration), /the way back is lost/);
    await migration.update('approve', { gate: 'decommission', by: 'anna' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
  });
});

describe('a plan that renames the instances', () => {
  const RENAMING = { ...UNATTENDED, cutover: { traffic: [{ type: 'rds-rename' as const }] } };
  const NAMES = { sourceResourceId: 'db-SOURCE' };

  it('has everything after the switch work with the names that there are then, and with the first ones after a rollback', async () => {
    const migration = await atLastGate({}, RENAMING);
    const { script } = migration;
    const [pause] = script.inputsOf('cutOver');
    expect(pause).toMatchObject(NAMES);
    expect(pause).not.toHaveProperty('renamed');
    for (const name of ['startWayBack', 'proveContents', 'watchTraffic'] as const) {
      expect(script.inputsOf(name)).toEqual([expect.objectContaining({ ...NAMES, renamed: 'both' })]);
    }
    await rollback(migration);
    const report = await migration.result();
    expect(report.status).toBe('rolled-back');
    expect(script.inputsOf('cutOver')[1]).toMatchObject({ direction: 'back', renamed: 'both' });
    expect(script.inputsOf('proveContents')[1]).toMatchObject({ direction: 'back' });
    for (const name of ['proveContents', 'resumeNeighbours', 'removeReplication', 'restoreParameters'] as const) {
      expect(script.inputsOf(name).at(-1)).not.toHaveProperty('renamed');
    }
    expect(report.stays).toContainEqual(expect.objectContaining({ what: 'target', name: 'app-db-encrypted' }));
  });

  it('calls what stays by its new name, and deletes the source under its own', async () => {
    const migration = await atLastGate({}, RENAMING);
    const { gate } = await migration.untilGate('decommission');
    expect(gate?.findings.join()).toContain('app-db-old is deleted');
    await migration.approve('decommission');
    const report = await migration.result();
    expect(migration.script.inputsOf('deleteSource')).toEqual([expect.objectContaining({ renamed: 'both' })]);
    expect(report.stays).toContainEqual(expect.objectContaining({ what: 'target', name: 'app-db' }));
  });
});

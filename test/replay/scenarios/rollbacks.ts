import { finalFailure } from '../../../plan/failures';
import { COMPARISON, Door, LAG, switched, untilCancelled } from '../../support/scripted-activities';
import type { ScriptedMigration } from '../../support/workflow-lab';
import { LAST_GATE, type Scenario } from './scenario';

const PROVEN = { ...COMPARISON, method: 'snapshot', changedSince: 0, goneSince: 0 } as const;
const ASK = { by: 'anna', reason: 'the new one is slow' };
const isBack = (input: { readonly direction?: 'back' }) => input.direction === 'back';

async function fromTheLastGate(migration: ScriptedMigration): Promise<void> {
  await migration.untilGate('decommission');
  await migration.update('rollback', ASK);
}

/** Ways back to the source. */
export const ROLLBACKS: Readonly<Record<string, Scenario>> = {
  'rolled-back': () => ({
    async operate(migration) {
      await migration.approve('reboot-source', 'cutover');
      await fromTheLastGate(migration);
    },
    ends: 'rolled-back',
  }),
  'rolled-back-by-signal': () => ({
    plan: LAST_GATE,
    async operate(migration) {
      await migration.untilGate('decommission');
      await migration.signal('rollback', ASK);
      await migration.untilNotice(/rollback requested/);
    },
    ends: 'rolled-back',
  }),
  'rolled-back-with-a-reboot': () => ({
    plan: { ...LAST_GATE, replicaIdentity: 'set' },
    activities: {
      restoreParameters: () => ({ rebootNeeded: true, slots: [], groupStays: 'keyshift-m-logical' }),
    },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.approve('undo-reboot');
    },
    ends: 'rolled-back',
  }),
  'rolled-back-while-parked': () => ({
    plan: LAST_GATE,
    activities: {
      proveContents: (input) => {
        if (!isBack(input)) throw finalFailure('ContentsDiffer', '3 rows differ');
        return PROVEN;
      },
    },
    async operate(migration) {
      await migration.untilParked();
      await migration.update('rollback', ASK);
    },
    ends: 'rolled-back',
  }),
  'rolled-back-in-the-proof': () => {
    const proving = new Door();
    return {
      plan: LAST_GATE,
      activities: {
        proveContents: (input) => {
          if (isBack(input)) return PROVEN;
          proving.open();
          return untilCancelled();
        },
      },
      async operate(migration) {
        await proving.opened;
        await migration.update('rollback', ASK);
      },
      ends: 'rolled-back',
    };
  },
  'rolled-back-in-the-soak': () => ({
    plan: { ...LAST_GATE, soak: { minutes: 600 } },
    activities: { cutOver: () => ({ ...switched(), switchedAt: new Date().toISOString() }) },
    async operate(migration) {
      await migration.until('it soaks', ({ steps }) =>
        steps.some(({ name, status }) => name === 'soak' && status === 'running'),
      );
      await migration.update('rollback', ASK);
    },
    ends: 'rolled-back',
  }),
  'rolled-back-from-by-hand': () => ({
    plan: { ...LAST_GATE, cutover: { traffic: [{ type: 'manual' }] } },
    async operate(migration) {
      await migration.until('it is asked for', ({ switching }) => switching !== undefined);
      await migration.update('rollback', ASK);
    },
    ends: 'rolled-back',
  }),
  'rollback-approved': () => ({
    plan: { ...LAST_GATE, gates: { ...LAST_GATE.gates, rollback: { approval: true, approvers: 2 } } },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.untilGate('rollback');
      await migration.update('approve', { gate: 'rollback', by: 'anna' });
      await migration.update('approve', { gate: 'rollback', by: 'bob' });
    },
    ends: 'rolled-back',
  }),
  'rollback-rejected': () => ({
    plan: { ...LAST_GATE, gates: { ...LAST_GATE.gates, rollback: { approval: true } } },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.untilGate('rollback');
      await migration.update('reject', { gate: 'rollback', by: 'ben', comment: 'it is fast now' });
      await migration.approve('decommission');
    },
  }),
  'rollback-rejected-then-asked-for-again': () => ({
    plan: { ...LAST_GATE, gates: { ...LAST_GATE.gates, rollback: { approval: true } } },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.untilGate('rollback');
      await migration.signal('reject', { gate: 'rollback', by: 'ben', comment: 'it is fast now' });
      await fromTheLastGate(migration);
      await migration.approve('rollback');
    },
    ends: 'rolled-back',
  }),
  'rollback-board-red': () => ({
    plan: LAST_GATE,
    activities: {
      readRollbackBoard: (_, call) => ({
        lag: LAG,
        fence: { roles: ['app'], unlockable: [], databases: [] },
        others: [],
        red: call === 1 ? ['the subscription in database shop of app-db does not receive'] : [],
        findings: [],
      }),
    },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.approve('rollback');
    },
    ends: 'rolled-back',
  }),
  'rollback-pause-given-up': () => ({
    plan: LAST_GATE,
    activities: {
      cutOver: (_, call) =>
        call === 2 ? { switched: false, reason: 'the budget ended', pauseMs: 30_000 } : switched(),
    },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.approve('rollback');
    },
    ends: 'rolled-back',
  }),
  'rollback-pause-failed': () => ({
    plan: LAST_GATE,
    activities: {
      cutOver: (_, call) => {
        if (call === 2) throw finalFailure('ResourceGone', 'the old source is gone');
        return switched();
      },
    },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
      await migration.approve('rollback');
    },
    ends: 'rolled-back',
  }),
  'rollback-pause-failed-behind-the-switch': () => ({
    plan: LAST_GATE,
    activities: {
      cutOver: (_, call) => {
        if (call === 2) throw finalFailure('AccessDenied', 'may not');
        return switched();
      },
      lowerFence: async (_, call) => {
        if (call === 1) throw finalFailure('AlreadySwitched', 'Traffic is on the source already');
      },
    },
    async operate(migration) {
      await fromTheLastGate(migration);
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
    },
    ends: 'rolled-back',
  }),
};

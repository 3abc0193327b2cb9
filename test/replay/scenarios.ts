import { finalFailure } from '../../plan/failures';
import { switched, type Overrides } from '../support/scripted-activities';
import type { ScriptedMigration } from '../support/workflow-lab';

/** One course of a migration: what its activities answer, and what the operator does. */
export interface Scenario {
  readonly activities: Overrides;
  operate(migration: ScriptedMigration): Promise<void>;
}

/** The courses of which a history is kept, by the names of their files. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'happy-path': {
    activities: {},
    operate: (migration) => migration.approve('reboot-source', 'cutover', 'decommission'),
  },
  'aborted-at-the-cutover-gate': {
    activities: { restoreParameters: () => ({ rebootNeeded: true, slots: [] }) },
    async operate(migration) {
      await migration.approve('reboot-source');
      await migration.untilGate('cutover');
      await migration.signal('approve', { gate: 'decommission', by: 'anna' });
      await migration.update('abort', { by: 'anna', reason: 'not today' });
      await migration.approve('undo-reboot');
    },
  },
  'parked-and-retried': {
    activities: {
      createSlots: (_, call) => {
        if (call === 1) throw finalFailure('NotOurs', 'somebody reads from the slot');
        return [{ database: 'shop', slot: 'keyshift_m_shop', consistentPoint: '0/1000000' }];
      },
    },
    async operate(migration) {
      await migration.approve('reboot-source');
      await migration.untilParked();
      await migration.signal('retry', { by: 'anna' });
      await migration.approve('cutover', 'decommission');
    },
  },
  'pause-given-up': {
    activities: {
      cutOver: (_, call) =>
        call === 1 ? { switched: false, reason: 'the budget of 30000 ms ended', pauseMs: 30_012 } : switched(),
    },
    async operate(migration) {
      await migration.approve('reboot-source', 'cutover');
      await migration.untilNotice(/pause given up/);
      await migration.approve('cutover', 'decommission');
    },
  },
  'rolled-back': {
    activities: {},
    async operate(migration) {
      await migration.approve('reboot-source', 'cutover');
      await migration.untilGate('decommission');
      await migration.update('rollback', { by: 'anna', reason: 'the new one is slow' });
    },
  },
};

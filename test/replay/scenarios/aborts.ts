import type { Activities } from '../../../activities';
import { finalFailure } from '../../../plan/failures';
import { Door, type Overrides, untilCancelled } from '../../support/scripted-activities';
import type { PlanInput } from '../../../plan/plan';
import { BRIEF, type Scenario, UNATTENDED } from './scenario';

const ABORT = { by: 'anna', reason: 'not today' };
const WAITS: Overrides = { restoreParameters: () => ({ rebootNeeded: true, slots: [] }) };

/** It stays in one activity until it is aborted. */
function abortedIn(name: keyof Activities, activities: Overrides = {}, plan: PlanInput = UNATTENDED): Scenario {
  return () => {
    const begun = new Door();
    const stuck = () => {
      begun.open();
      return untilCancelled();
    };
    return {
      plan,
      activities: { ...activities, [name]: stuck },
      async operate(migration) {
        await begun.opened;
        await migration.update('abort', ABORT);
      },
      ends: 'aborted',
    };
  };
}

/** Aborts, wherever the migration is; one for each phase at least. */
export const ABORTS: Readonly<Record<string, Scenario>> = {
  'aborted-while-the-target-serves': () => {
    let isUsed = true;
    const begun = new Door();
    return {
      plan: UNATTENDED,
      activities: {
        verifyContents: () => {
          begun.open();
          return untilCancelled();
        },
        lookAtUse: () => ({ evidence: isUsed ? [{ kind: 'record', text: 'a cutover is recorded' }] : [] }),
      },
      async operate(migration) {
        await begun.opened;
        await migration.update('abort', ABORT);
        await migration.until('nothing is undone', ({ parked }) => parked?.type === 'InUse');
        isUsed = false;
        await migration.update('retry', { by: 'anna' });
      },
      ends: 'aborted',
    };
  },
  'aborted-in-inspect': abortedIn('runPreflight'),
  'aborted-in-prepare': abortedIn('createAccess'),
  'aborted-in-the-reboot': abortedIn('rebootSource'),
  'aborted-in-capture': abortedIn('createSlots', {}, { ...UNATTENDED, replicaIdentity: 'set' }),
  'aborted-in-clone': abortedIn('restoreTarget'),
  'aborted-in-attach': abortedIn('applySettings'),
  'aborted-in-follow': abortedIn('verifyContents'),
  'aborted-in-cutover': abortedIn('preparePause'),
  'aborted-at-the-reboot-gate': () => ({
    async operate(migration) {
      await migration.untilGate('reboot-source');
      await migration.signal('abort', ABORT);
    },
    ends: 'aborted',
  }),
  'aborted-at-the-cutover-gate': () => ({
    activities: WAITS,
    async operate(migration) {
      await migration.approve('reboot-source');
      await migration.untilGate('cutover');
      await migration.signal('approve', { gate: 'decommission', by: 'anna' });
      await migration.update('abort', ABORT);
      await migration.approve('undo-reboot');
    },
    ends: 'aborted',
  }),
  'aborted-while-parked': () => ({
    plan: UNATTENDED,
    activities: {
      createSnapshot: () => {
        throw finalFailure('QuotaExceeded', 'no more snapshots');
      },
    },
    async operate(migration) {
      await migration.untilParked();
      await migration.update('abort', ABORT);
    },
    ends: 'aborted',
  }),
  'aborted-reboot-rejected': () => ({
    plan: BRIEF,
    activities: WAITS,
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.update('abort', ABORT);
      await migration.untilGate('undo-reboot');
      await migration.update('reject', { gate: 'undo-reboot', by: 'anna' });
    },
    ends: 'aborted',
  }),
  'aborted-reboot-by-plan': () => ({
    plan: { ...BRIEF, gates: { ...BRIEF.gates, 'undo-reboot': { approval: false } } },
    activities: WAITS,
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.update('abort', ABORT);
    },
    ends: 'aborted',
  }),
  'aborted-with-slots-of-others': () => ({
    plan: BRIEF,
    activities: { restoreParameters: () => ({ rebootNeeded: true, slots: ['warehouse'] }) },
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.update('abort', ABORT);
    },
    ends: 'aborted',
  }),
  'undo-failed': () => ({
    plan: BRIEF,
    activities: {
      dropPublications: () => {
        throw finalFailure('AccessDenied', 'may not drop');
      },
    },
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.update('abort', ABORT);
    },
    ends: 'aborted',
  }),
  'aborted-report-not-written': () => ({
    plan: { ...BRIEF, report: { file: 'reports' } },
    activities: {
      writeReport: () => {
        throw finalFailure('ReportNotWritten', 'the disk is full');
      },
    },
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.update('abort', ABORT);
    },
    ends: 'aborted',
  }),
  cancelled: () => ({
    plan: BRIEF,
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.handle.cancel();
    },
    ends: 'aborted',
  }),
};

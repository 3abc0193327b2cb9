import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../../plan/failures';
import { COMPARISON, Door, switched, untilCancelled } from '../../support/scripted-activities';
import { LAST_GATE, type Scenario, UNATTENDED } from './scenario';

const PROVEN = { ...COMPARISON, method: 'snapshot', changedSince: 0, goneSince: 0 } as const;
/** The worker's own queue: the process of the pause is there. */
const heldHere = () => switched(Context.current().info.taskQueue);

/** What can happen between the switch and the end. */
export const AFTER_THE_SWITCH: Readonly<Record<string, Scenario>> = {
  'proven-by-the-holder': () => ({
    plan: UNATTENDED,
    activities: { cutOver: heldHere },
    operate: async () => undefined,
  }),
  'snapshot-holder-lost': () => ({
    plan: UNATTENDED,
    activities: { cutOver: () => switched('queue-of-a-worker-that-died') },
    operate: async () => undefined,
  }),
  'snapshots-lost-half-way': () => ({
    plan: LAST_GATE,
    activities: {
      cutOver: heldHere,
      proveContents: (_, call) => {
        if (call > 1) return { ...PROVEN, method: 'row-versions', changedSince: 3, tablesBySnapshot: 1 };
        const resume = { tables: 1, rows: 500, differences: [], undecided: 0, open: {} };
        throw ApplicationFailure.retryable('the session of the snapshot ended', 'SnapshotLost', { resume });
      },
    },
    operate: (migration) => migration.approve('decommission'),
  }),
  'contents-differ-at-the-holder': () => ({
    plan: UNATTENDED,
    activities: {
      cutOver: heldHere,
      proveContents: (_, call) => {
        if (call === 1) throw finalFailure('ContentsDiffer', '3 rows differ');
        return PROVEN;
      },
    },
    async operate(migration) {
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
    },
  }),
  'rows-gone-ask-a-person': () => ({
    plan: UNATTENDED,
    activities: {
      proveContents: () => ({
        ...PROVEN,
        method: 'row-versions',
        changedSince: 5,
        goneSince: 2,
        inventory: { tables: { source: 3, target: 4 } },
        sequencesBehind: ['shop public.orders_id_seq'],
      }),
    },
    operate: (migration) => migration.approve('decommission'),
  }),
  'way-back-failed-and-retried': () => ({
    plan: UNATTENDED,
    activities: {
      startWayBack: async (_, call) => {
        if (call === 1) throw finalFailure('SubscriptionFailed', 'permission denied for table orders');
      },
    },
    async operate(migration) {
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
    },
  }),
  'way-back-lost': () => ({
    plan: LAST_GATE,
    activities: {
      guardSource: (input) => {
        if (input.direction !== 'back') return untilCancelled();
        throw finalFailure('SourceAtRisk', 'app-db-encrypted was about to run out of storage');
      },
    },
    async operate(migration) {
      await migration.untilNotice(/NO WAY BACK ANY MORE/);
      await migration.untilGate('decommission');
      await migration.signal('rollback', { by: 'anna', reason: 'slow' });
      await migration.approve('decommission');
    },
  }),
  'watch-failed-and-retried': () => ({
    plan: UNATTENDED,
    activities: {
      watchTraffic: async (_, call) => {
        if (call === 1) throw finalFailure('AccessDenied', 'may not read pg_stat_activity');
        return { onTarget: 8, stragglers: [] };
      },
    },
    async operate(migration) {
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
    },
  }),
  'source-in-use-at-the-end': () => ({
    plan: LAST_GATE,
    activities: {
      checkSourceUnused: async (_, call) => {
        if (call === 1) throw finalFailure('SourceInUse', 'SSM parameter /db names it');
      },
    },
    async operate(migration) {
      await migration.approve('decommission');
      await migration.untilParked();
      await migration.signal('retry', { by: 'anna' });
    },
  }),
  'source-that-can-not-be-stopped-at-once': () => ({
    plan: { ...LAST_GATE, cutover: { fence: [{ type: 'stop-instance' }] }, soak: { wayBack: 'none' } },
    activities: {
      stopSource: async (_, call) => {
        if (call === 1) throw finalFailure('ResourceFailed', 'app-db is in the state storage-full');
      },
      startSource: async (_, call) => {
        if (call === 1) throw finalFailure('ResourceFailed', 'app-db does not start');
      },
    },
    async operate(migration) {
      await migration.until('parked by the stop', ({ parked }) => parked?.step === 'stop-source');
      await migration.update('retry', { by: 'anna' });
      await migration.approve('decommission');
      await migration.until('parked by the start', ({ parked }) => parked?.step === 'decommission');
      await migration.update('retry', { by: 'anna' });
    },
  }),
  'report-not-written-at-once': () => ({
    plan: { ...UNATTENDED, report: { s3: 's3://audit' } },
    activities: {
      writeReport: async ({ id }, call) => {
        if (call === 1) throw finalFailure('ReportNotWritten', 'the bucket is not there');
        return [{ address: `s3://audit/${id}.json`, bytes: 7, sha256: 'abc' }];
      },
    },
    async operate(migration) {
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
    },
  }),
  'abort-and-cancellation-refused-behind-the-switch': () => {
    const [begun, goOn] = [new Door(), new Door()];
    return {
      plan: UNATTENDED,
      activities: {
        watchTraffic: async () => {
          begun.open();
          await goOn.goThrough();
          return { onTarget: 1, stragglers: [] };
        },
      },
      async operate(migration) {
        await begun.opened;
        await migration.signal('abort', {});
        await migration.untilNotice(/abort refused/);
        await migration.handle.cancel();
        goOn.open();
      },
    };
  },
};

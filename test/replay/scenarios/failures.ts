import { waitFor } from '../../../local/world/wait-for';
import { finalFailure } from '../../../plan/failures';
import type { PlanInput } from '../../../plan/plan';
import { boardWith, Door, LAG, untilCancelled } from '../../support/scripted-activities';
import { alone, BRIEF, type Scenario, UNATTENDED } from './scenario';

const lost = () => finalFailure('SlotLost', 'Replication slot keyshift_m_shop is gone');
const denied = () => finalFailure('AccessDenied', 'The guard may not read the slots of the source');

/** What parks a migration, and what ends it. */
export const FAILURES: Readonly<Record<string, Scenario>> = {
  'parked-and-retried': () => ({
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
  }),
  'told-of-retries': () => {
    const [begun, made] = [new Door(), new Door()];
    const told = { activity: 'createSnapshot', attempt: 9, since: '2026-11-30T10:00:00.000Z', message: 'throttled' };
    return {
      plan: BRIEF,
      activities: {
        createSnapshot: async () => {
          begun.open();
          await made.goThrough();
          return { snapshot: 'keyshift-m-snapshot', sizeGiB: 100 };
        },
      },
      async operate(migration) {
        await begun.opened;
        await migration.update('retrying', told);
        await migration.update('retrying', { activity: told.activity, over: true });
        await migration.update('retrying', told);
        made.open();
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'plan-invalid': () => ({
    plan: { source: { instance: '1' }, target: {} } as unknown as PlanInput,
    operate: alone,
    ends: 'invalid',
  }),
  'preflight-blocked': () => ({
    activities: {
      runPreflight: async () => ({ checks: [{ code: 'key-usable', level: 'block', message: 'disabled' }] }),
    },
    operate: alone,
    ends: 'failed',
  }),
  'slot-lost-at-the-gate': () => {
    const loss = new Door();
    return {
      plan: { ...BRIEF, report: { s3: 's3://audit' } },
      activities: {
        guardSource: async () => {
          await loss.goThrough();
          throw lost();
        },
      },
      async operate(migration) {
        await migration.untilGate('cutover');
        loss.open();
      },
      ends: 'failed',
    };
  },
  'slot-lost-in-a-step': () => ({
    plan: BRIEF,
    activities: {
      waitForCatchUp: () => {
        throw lost();
      },
      restoreParameters: () => ({ rebootNeeded: true, slots: [] }),
    },
    operate: alone,
    ends: 'failed',
  }),
  'source-at-risk': () => {
    const [begun, full] = [new Door(), new Door()];
    return {
      plan: { ...UNATTENDED, gates: { ...UNATTENDED.gates, 'undo-reboot': { approval: false } } },
      activities: {
        warmTarget: () => {
          begun.open();
          return untilCancelled();
        },
        guardSource: async () => {
          await full.goThrough();
          throw finalFailure('SourceAtRisk', 'app-db was about to run out of storage');
        },
        restoreParameters: () => ({ rebootNeeded: true, slots: [] }),
      },
      async operate() {
        await begun.opened;
        full.open();
      },
      ends: 'failed',
    };
  },
  'abort-refused-while-ruined': () => {
    const undoing = new Door();
    return {
      plan: BRIEF,
      activities: {
        waitForCatchUp: () => {
          throw lost();
        },
        deleteTarget: () => undoing.goThrough(),
      },
      async operate(migration) {
        await migration.untilNotice(/SlotLost/);
        await migration.signal('abort', { by: 'anna', reason: 'too late' });
        await migration.untilNotice(/already under way/);
        undoing.open();
      },
      ends: 'failed',
    };
  },
  'alarm-at-the-gate': () => {
    const loss = new Door();
    return {
      plan: BRIEF,
      activities: {
        guardSource: async (_, call) => {
          if (call > 1) return untilCancelled();
          await loss.goThrough();
          throw denied();
        },
      },
      async operate(migration) {
        await migration.untilGate('cutover');
        loss.open();
        await migration.untilParked();
        await migration.update('retry', { by: 'anna' });
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'alarm-in-a-step': () => {
    const [begun, warming] = [new Door(), new Door()];
    return {
      plan: BRIEF,
      activities: {
        warmTarget: async () => {
          begun.open();
          await warming.goThrough();
          return { relations: 1, blocks: 1 };
        },
        guardSource: async (_, call) => {
          if (call > 1) return untilCancelled();
          await begun.goThrough();
          throw denied();
        },
      },
      async operate(migration) {
        await waitFor('the guard has failed', async () => {
          const { events } = await migration.handle.fetchHistory();
          return events?.some((event) => event.activityTaskFailedEventAttributes);
        });
        warming.open();
        await migration.untilParked();
        await migration.update('retry', { by: 'anna' });
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'alarm-and-abort': () => ({
    plan: BRIEF,
    activities: {
      guardSource: () => {
        throw denied();
      },
      restoreParameters: () => ({ rebootNeeded: true, slots: [] }),
    },
    async operate(migration) {
      await migration.untilParked();
      await migration.update('abort', { by: 'anna', reason: 'no permission' });
      await migration.approve('undo-reboot');
    },
    ends: 'aborted',
  }),
  'guard-reports': () => {
    const low = { code: 'free-storage', text: '20 % of the storage of app-db is free' };
    const reports = [[low], [low], []];
    return {
      plan: BRIEF,
      activities: {
        guardSource: async (_, call) => {
          const warnings = reports[call - 1];
          if (!warnings) return untilCancelled();
          return { ...LAG, warnings, history: [{ at: LAG.at, bytes: 5 }] };
        },
      },
      async operate(migration) {
        await migration.untilNotice(/free-storage: over/);
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'parked-in-attach-and-follow': () => {
    const failed = new Set<string>();
    const once = <T>(name: string, answer: T) => {
      if (!failed.has(name)) {
        failed.add(name);
        throw finalFailure('AccessDenied', `${name} may not`);
      }
      return answer;
    };
    return {
      plan: BRIEF,
      activities: {
        createSubscriptions: async () => once('createSubscriptions', undefined),
        prepareWayBack: async () => once('prepareWayBack', undefined),
        createReplicas: async () => once('createReplicas', { instances: [], left: [] }),
        readGoNoGo: async () => once('readGoNoGo', boardWith()),
      },
      async operate(migration) {
        for (const name of ['createSubscriptions', 'prepareWayBack', 'createReplicas', 'readGoNoGo']) {
          await migration.until(`parked by ${name}`, ({ parked }) => parked?.message === `${name} may not`);
          await migration.update('retry', { by: 'anna' });
        }
        await migration.approve('cutover', 'decommission');
      },
    };
  },
};

import { waitFor } from '../../../local/world/wait-for';
import { finalFailure } from '../../../plan/failures';
import { Door, switched } from '../../support/scripted-activities';
import { BRIEF, LAST_GATE, type Scenario, UNATTENDED } from './scenario';

const GIVEN_UP = { switched: false, reason: 'the budget of 30000 ms ended', pauseMs: 30_012 } as const;
const denied = () => finalFailure('AccessDenied', 'the role may not alter the database');
const onTarget = () => finalFailure('AlreadySwitched', 'Traffic is on the target already');

/** Pauses that do not come to their end, or not at once. */
export const PAUSES: Readonly<Record<string, Scenario>> = {
  'pause-given-up': () => ({
    activities: { cutOver: (_, call) => (call === 1 ? GIVEN_UP : switched()) },
    async operate(migration) {
      await migration.approve('reboot-source', 'cutover');
      await migration.untilNotice(/pause given up/);
      await migration.approve('cutover', 'decommission');
    },
  }),
  'pause-given-up-three-times': () => ({
    plan: BRIEF,
    activities: { cutOver: (_, call) => (call <= 3 ? GIVEN_UP : switched()) },
    async operate(migration) {
      for (let round = 1; round <= 3; round += 1) {
        await migration.approve('cutover');
        await migration.until(
          `given up ${round} times`,
          ({ notices, gate }) =>
            notices.filter(({ text }) => /pause given up/.test(text)).length === round && gate?.name === 'cutover',
        );
      }
      await migration.approve('cutover', 'decommission');
    },
  }),
  /** Behind the third one a person is asked, though the plan wants nobody. Takes 4 minutes. */
  'pause-given-up-three-times-unattended': () => ({
    plan: LAST_GATE,
    activities: { cutOver: (_, call) => (call <= 3 ? GIVEN_UP : switched()) },
    async operate(migration) {
      await waitFor(
        'a person is asked',
        async () => ((await migration.progress()).gate?.name === 'cutover' ? true : undefined),
        { timeoutMs: 1_200_000, everyMs: 500 },
      );
      await migration.approve('cutover', 'decommission');
    },
  }),
  'pause-given-up-without-way-back': () => ({
    plan: { ...BRIEF, soak: { wayBack: 'none' } },
    activities: { cutOver: (_, call) => (call === 1 ? GIVEN_UP : switched()) },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilNotice(/pause given up/);
      await migration.approve('cutover', 'decommission');
    },
  }),
  'pause-given-up-with-slots-of-others': () => ({
    plan: { ...BRIEF, soak: { wayBack: 'none' }, carry: { slots: 'recreate' } },
    activities: { cutOver: (_, call) => (call === 1 ? GIVEN_UP : switched()) },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilNotice(/pause given up/);
      await migration.approve('cutover', 'decommission');
    },
  }),
  'pause-failed-and-retried': () => ({
    plan: BRIEF,
    activities: {
      cutOver: (_, call) => {
        if (call === 1) throw denied();
        return switched();
      },
    },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
      await migration.approve('cutover', 'decommission');
    },
  }),
  'preparation-failed-and-retried': () => ({
    plan: BRIEF,
    activities: {
      preparePause: async (_, call) => {
        if (call === 1) throw denied();
      },
    },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
      await migration.approve('cutover', 'decommission');
    },
  }),
  'pause-failed-behind-the-switch': () => ({
    plan: BRIEF,
    activities: {
      cutOver: (_, call) => {
        if (call === 1) throw denied();
        return switched();
      },
      lowerFence: () => {
        throw onTarget();
      },
    },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
      await migration.approve('decommission');
    },
  }),
  'fence-in-doubt-and-retried': () => ({
    plan: BRIEF,
    activities: {
      cutOver: (_, call) => {
        if (call === 1) throw denied();
        return switched();
      },
      lowerFence: async (_, call) => {
        if (call === 1) throw denied();
      },
    },
    async operate(migration) {
      await migration.approve('cutover');
      await migration.untilNotice(/MAY STILL BE UP/);
      await migration.untilParked();
      await migration.update('retry', { by: 'anna' });
      await migration.approve('cutover', 'decommission');
    },
  }),
  'fence-that-can-not-be-lowered': () => {
    let fixed = false;
    return {
      plan: UNATTENDED,
      activities: {
        cutOver: () => {
          throw denied();
        },
        lowerFence: async () => {
          if (!fixed) throw denied();
        },
      },
      async operate(migration) {
        await migration.untilParked();
        await migration.update('abort', { by: 'anna', reason: 'enough' });
        await migration.until('the undo is parked', ({ parked }) => parked?.type === 'UndoFailed');
        fixed = true;
        await migration.update('retry', { by: 'anna' });
      },
      ends: 'aborted',
    };
  },
  'aborted-in-the-pause': () => {
    const [paused, end] = [new Door(), new Door()];
    return {
      plan: UNATTENDED,
      activities: {
        cutOver: async () => {
          paused.open();
          await end.opened;
          return GIVEN_UP;
        },
      },
      async operate(migration) {
        await paused.opened;
        await migration.update('abort', { by: 'anna', reason: 'not today' });
        end.open();
      },
      ends: 'aborted',
    };
  },
  'aborted-too-late': () => {
    const [paused, end] = [new Door(), new Door()];
    return {
      plan: UNATTENDED,
      activities: {
        cutOver: async () => {
          paused.open();
          await end.opened;
          return switched();
        },
      },
      async operate(migration) {
        await paused.opened;
        await migration.signal('abort', { by: 'anna', reason: 'not today' });
        await migration.untilNotice(/abort requested/);
        end.open();
      },
    };
  },
};

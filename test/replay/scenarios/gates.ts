import { waitFor } from '../../../local/world/wait-for';
import type { PlanInput } from '../../../plan/plan';
import { SMALLEST_PLAN } from '../../support/plan';
import { boardWith, Door, untilCancelled } from '../../support/scripted-activities';
import { alone, BRIEF, type Scenario, UNATTENDED } from './scenario';

const CLOSED = { open: false, opensAt: '2999-01-01T03:00:00.000Z', closesAt: '2999-01-01T04:00:00.000Z' };
const OPEN = { open: true, closesAt: '2999-01-01T04:00:00.000Z' };

const inWindow = (more: object): PlanInput => ({
  ...BRIEF,
  gates: {
    'reboot-source': { approval: false },
    decommission: { approval: false },
    cutover: { window: { cron: '0 3 * * 6' }, ...more },
  },
});

/** A window that is closed until the workflow waits for it, and a person has `opens` opened. */
function windowThatOpens(opens: Door) {
  let window: typeof OPEN | typeof CLOSED = CLOSED;
  return {
    readGoNoGo: () => ({ ...boardWith(), window }),
    watchBoard: async ({ untilWindow }: { readonly untilWindow?: object }) => {
      if (!untilWindow) return untilCancelled();
      await opens.goThrough();
      window = OPEN;
      return { ...boardWith(), window };
    },
  };
}

/** Who may approve what, when. */
export const GATES: Readonly<Record<string, Scenario>> = {
  'answers-that-do-not-fit': () => ({
    async operate(migration) {
      await migration.untilGate('reboot-source');
      await migration.signal('approve', { gate: 'cutover', by: 'anna' });
      await migration.signal('approve', undefined);
      await migration.signal('retry', { by: 'anna' });
      await migration.signal('rollback', { by: 'anna' });
      await migration.signal('waive', { code: 'lag', by: 'anna', reason: 'x' });
      await migration.signal('switched', { by: 'anna' });
      await migration.signal('go-no-go');
      await migration.signal('no-such-signal');
      await migration.update('reject', { gate: 'reboot-source', by: 'anna', comment: 'not now' });
      await migration.untilNotice(/no-such-signal/);
      await migration.approve('reboot-source', 'cutover', 'decommission');
    },
  }),
  'two-approvers-and-a-rejection': () => ({
    plan: { ...BRIEF, gates: { 'reboot-source': { approvers: 2 }, cutover: { approvers: 2 } } },
    async operate(migration) {
      for (const gate of ['reboot-source', 'cutover'] as const) {
        await migration.untilGate(gate);
        await migration.update('approve', { gate, by: 'anna' });
        await migration.update('reject', { gate, by: 'carl' });
        await migration.update('approve', { gate, by: 'bob' });
        await migration.signal('approve', { gate, by: 'anna' });
      }
      await migration.approve('decommission');
    },
  }),
  'approval-expired': () => ({
    plan: {
      ...BRIEF,
      gates: { 'reboot-source': { approval: false }, cutover: { approvers: 2, expiresAfterMinutes: 1 } },
    },
    async operate(migration) {
      await migration.untilGate('cutover');
      await migration.update('approve', { gate: 'cutover', by: 'anna' });
      await waitFor(
        'it has expired',
        async () =>
          (await migration.progress()).notices.some(({ text }) => /has to come anew/.test(text)) ? true : undefined,
        { timeoutMs: 900_000, everyMs: 500 },
      );
      await migration.update('approve', { gate: 'cutover', by: 'anna' });
      await migration.update('approve', { gate: 'cutover', by: 'bob' });
      await migration.approve('decommission');
    },
  }),
  'approval-expired-before-the-window': () => {
    const opens = new Door();
    return {
      plan: inWindow({ expiresAfterMinutes: 1 }),
      activities: windowThatOpens(opens),
      async operate(migration) {
        await migration.approve('cutover');
        await migration.untilNotice(/the pause begins when the window opens/);
        await waitFor(
          'it has expired',
          async () =>
            (await migration.progress()).notices.some(({ text }) => /has to come anew/.test(text)) ? true : undefined,
          { timeoutMs: 900_000, everyMs: 500 },
        );
        await migration.approve('cutover');
        opens.open();
      },
    };
  },
  'approved-before-the-window': () => {
    const opens = new Door();
    return {
      plan: inWindow({}),
      activities: windowThatOpens(opens),
      async operate(migration) {
        await migration.approve('cutover');
        await migration.untilNotice(/the pause begins when the window opens/);
        opens.open();
      },
    };
  },
  'approved-inside-the-window': () => ({
    plan: inWindow({}),
    activities: { readGoNoGo: () => ({ ...boardWith(), window: OPEN }) },
    operate: (migration) => migration.approve('cutover'),
  }),
  'window-closed-before-the-pause': () => {
    const opens = new Door();
    let window: typeof OPEN | typeof CLOSED = OPEN;
    let prepared = 0;
    return {
      plan: inWindow({}),
      activities: {
        readGoNoGo: () => {
          if (window.open && prepared === 0)
            window = { open: true, closesAt: new Date(Date.now() + 1_000).toISOString() };
          return { ...boardWith(), window };
        },
        preparePause: async () => {
          prepared += 1;
          if (prepared > 1) return;
          await waitFor('the window has ended', () => Date.now() > Date.parse(window.closesAt));
          window = CLOSED;
        },
        watchBoard: async ({ untilWindow }) => {
          if (!untilWindow) return untilCancelled();
          await opens.goThrough();
          window = OPEN;
          return { ...boardWith(), window };
        },
      },
      async operate(migration) {
        await migration.approve('cutover');
        await migration.untilNotice(/^the window closed before the pause began/);
        await migration.untilGate('cutover');
        opens.open();
      },
    };
  },
  'unattended-in-the-window': () => {
    const opens = new Door();
    opens.open();
    return {
      plan: {
        ...UNATTENDED,
        gates: { ...UNATTENDED.gates, cutover: { approval: false, window: { cron: '0 3 * * 6' } } },
      },
      activities: windowThatOpens(opens),
      operate: alone,
    };
  },
  'by-itself-in-the-window': () => ({
    plan: inWindow({ auto: true }),
    activities: { readGoNoGo: () => ({ ...boardWith(), window: OPEN }) },
    operate: alone,
  }),
  'by-itself-when-the-window-opens': () => {
    const opens = new Door();
    opens.open();
    return { plan: inWindow({ auto: true }), activities: windowThatOpens(opens), operate: alone };
  },
  'rejected-at-every-gate': () => ({
    plan: SMALLEST_PLAN,
    async operate(migration) {
      for (const gate of ['reboot-source', 'cutover', 'decommission'] as const) {
        await migration.untilGate(gate);
        await migration.signal('reject', { gate, by: 'carl', comment: 'wait for me' });
        await migration.approve(gate);
      }
    },
  }),
};

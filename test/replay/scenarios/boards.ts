import { red } from '../../../plan/board';
import { boardWith, Door, LAG, untilCancelled } from '../../support/scripted-activities';
import { BRIEF, type Scenario, UNATTENDED } from './scenario';

const LONG = red('long-transactions', 'a transaction of report has been open for 01:00:00');
const isClosed = ({ blocked }: { blocked?: unknown }) => blocked !== undefined;

/** The board turns red and green, is waived, and is asked for. */
export const BOARDS: Readonly<Record<string, Scenario>> = {
  'board-closes-and-opens': () => {
    const [turnsRed, turnsGreen] = [new Door(), new Door()];
    return {
      plan: BRIEF,
      activities: {
        watchBoard: async (_, call) => {
          if (call > 2) return untilCancelled();
          await (call === 1 ? turnsRed : turnsGreen).goThrough();
          return call === 1 ? boardWith(...LONG) : boardWith();
        },
      },
      async operate(migration) {
        await migration.untilGate('cutover');
        turnsRed.open();
        await migration.until('it is closed', isClosed);
        turnsGreen.open();
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'red-behind-the-approval': () => {
    const looks = [boardWith(), boardWith(...LONG)];
    return {
      plan: BRIEF,
      activities: { readGoNoGo: (_, call) => looks[call - 1] ?? boardWith() },
      async operate(migration) {
        await migration.approve('cutover');
        await migration.untilNotice(/cutover not begun/);
        await migration.until('it is closed', isClosed);
        await migration.update('retry', { by: 'anna' });
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  waived: () => ({
    plan: BRIEF,
    activities: { readGoNoGo: () => boardWith(...LONG) },
    async operate(migration) {
      await migration.until('it is closed', isClosed);
      await migration.update('waive', { code: 'long-transactions', by: 'anna', reason: 'a report; it may end' });
      await migration.approve('cutover', 'decommission');
    },
  }),
  'waived-by-signal-and-over-again': () => {
    const looks = [boardWith(...LONG), boardWith(), boardWith(...LONG), boardWith()];
    return {
      plan: BRIEF,
      activities: { readGoNoGo: (_, call) => looks[call - 1] ?? boardWith() },
      async operate(migration) {
        await migration.until('it is closed', isClosed);
        await migration.signal('waive', { code: 'long-transactions', by: 'anna', reason: 'a report; it may end' });
        await migration.untilNotice(/its waiver is over/);
        await migration.approve('cutover');
        await migration.until('it is closed again', isClosed);
        await migration.update('retry', { by: 'anna' });
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'waived-with-an-early-approval': () => ({
    plan: BRIEF,
    activities: { readGoNoGo: () => boardWith(...LONG) },
    async operate(migration) {
      await migration.until('it is closed', isClosed);
      const waive = ['long-transactions'];
      await migration.update('approve', { gate: 'cutover', by: 'anna', comment: 'it may end', waive });
      await migration.approve('decommission');
    },
  }),
  'early-approval-dropped-by-red': () => {
    const looks = [boardWith(...LONG), boardWith(...red('drift', 'the schema has changed'))];
    return {
      plan: BRIEF,
      activities: { readGoNoGo: (_, call) => looks[call - 1] ?? boardWith() },
      async operate(migration) {
        await migration.until('it is closed', isClosed);
        const waive = ['long-transactions'];
        await migration.update('approve', { gate: 'cutover', by: 'anna', comment: 'it may end', waive });
        await migration.untilNotice(/counts no more/);
        await migration.update('retry', { by: 'anna' });
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'waived-unattended': () => ({
    plan: UNATTENDED,
    activities: { readGoNoGo: () => boardWith(...LONG) },
    async operate(migration) {
      await migration.until('it is closed', isClosed);
      await migration.update('waive', { code: 'long-transactions', by: 'anna', reason: 'a report; it may end' });
    },
  }),
  'board-asked-for': () => {
    const [caughtUp, watched] = [new Door(), new Door()];
    return {
      plan: BRIEF,
      activities: {
        waitForCatchUp: async () => {
          await caughtUp.goThrough();
          return LAG;
        },
        readGoNoGo: (_, call) => boardWith(...(call < 3 ? LONG : [])),
        watchBoard: async (_, call) => {
          if (call > 1) return untilCancelled();
          await watched.goThrough();
          return boardWith();
        },
      },
      async operate(migration) {
        await migration.until('it catches up', ({ steps }) =>
          steps.some(({ name, status }) => name === 'catch-up' && status === 'running'),
        );
        await migration.handle.executeUpdate<string, []>('go-no-go');
        await migration.signal('go-no-go');
        caughtUp.open();
        await migration.until('it is closed', isClosed);
        await migration.handle.executeUpdate<string, []>('go-no-go');
        watched.open();
        await migration.approve('cutover', 'decommission');
      },
    };
  },
  'board-that-can-not-be-read': () => {
    const warming = new Door();
    return {
      plan: BRIEF,
      activities: {
        readGoNoGo: ({ onlyLook }) => {
          if (onlyLook) throw new Error('connection refused');
          return boardWith();
        },
        warmTarget: async () => {
          await warming.goThrough();
          return { relations: 1, blocks: 1 };
        },
      },
      async operate(migration) {
        await migration.until('it warms up', ({ steps }) =>
          steps.some(({ name, status }) => name === 'warm-up' && status === 'running'),
        );
        await migration.handle.executeUpdate<string, []>('go-no-go');
        warming.open();
        await migration.approve('cutover', 'decommission');
      },
    };
  },
};

import { type ScriptedMigration, WorkflowLab } from '../../../support/workflow-lab';
import { boardWith, Door } from '../../../support/scripted-activities';
import { red } from '../../../../plan/board';
import { SMALLEST_PLAN } from '../../../support/plan';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterEach(() => lab.endMigrations());
afterAll(() => lab?.close());

const anna = (gate: string) => ({ gate, by: 'anna' });
const texts = async (migration: ScriptedMigration) => (await migration.progress()).notices.map(({ text }) => text);

describe('a gate', () => {
  it('shows what was found and the command that approves, until it is approved', async () => {
    const migration = await lab.migrate();
    const { gate, status } = await migration.untilGate('reboot-source');
    expect(status).toBe('waiting');
    expect(gate?.findings[0]).toContain('app-db has to be rebooted once');
    expect(gate?.command).toContain(`--workflow-id ${migration.id}`);
    expect(gate?.command).toContain(`--input '{"gate":"reboot-source","by":"<you>","opening":1}'`);
    expect(migration.script.count('rebootSource')).toBe(0);

    await migration.signal('approve', { ...anna('reboot-source'), comment: 'night shift knows' });
    const { approvals } = await migration.untilGate('cutover');
    expect(approvals).toEqual([
      {
        gate: 'reboot-source',
        by: 'anna',
        comment: 'night shift knows',
        decision: 'approved',
        at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      },
    ]);
    expect(migration.script.count('rebootSource')).toBe(1);
  });

  it('shows as a timer with a summary, and as a search attribute, while it is open', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    const { searchAttributes } = await migration.handle.describe();
    expect(searchAttributes).toMatchObject({
      KeyshiftGate: ['reboot-source'],
      KeyshiftPhase: ['prepare'],
      KeyshiftSource: ['app-db'],
      KeyshiftTarget: ['app-db-encrypted'],
    });
    const { events } = await migration.handle.fetchHistory();
    const timer = events?.find(({ timerStartedEventAttributes }) => timerStartedEventAttributes);
    expect(Buffer.from(timer?.userMetadata?.summary?.data ?? []).toString()).toContain(
      'waiting for approval: reboot-source',
    );
  });

  it('that the plan leaves without approval passes by itself, and says so', async () => {
    const open = { approval: false };
    const gates = { 'reboot-source': open, cutover: open, decommission: open };
    const migration = await lab.migrate({}, { ...SMALLEST_PLAN, gates });
    const { progress } = await migration.result();
    expect(progress.approvals.map(({ gate, by }) => [gate, by])).toEqual([
      ['reboot-source', 'plan'],
      ['cutover', 'plan'],
      ['decommission', 'plan'],
    ]);
  });

  it('does not take an answer for an earlier opening: what it answered has changed since', async () => {
    const looks = [boardWith(), boardWith(...red('long-transactions', 'a long transaction'))];
    const migration = await lab.migrate({ readGoNoGo: (_, call) => looks[call - 1] ?? boardWith() });
    await migration.approve('reboot-source');
    const { gate } = await migration.untilGate('cutover');
    await migration.update('approve', { ...anna('cutover'), opening: gate?.opening });
    const again = await migration.until('the gate is open again', (progress) => progress.gate?.opening === 3);
    expect(gate?.opening).toBe(2);
    await expect(migration.update('approve', { ...anna('cutover'), opening: 2 })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('it is for opening 2, and this is opening 3') as string },
    });
    expect(migration.script.count('cutOver')).toBe(0);
    await migration.update('approve', { ...anna('cutover'), opening: again.gate?.opening });
    await migration.approve('decommission');
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
  });

  it('stays open when it is rejected, and says who rejected it and why', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    await expect(migration.update('reject', { ...anna('reboot-source'), comment: 'not today' })).resolves.toBe(
      'reboot-source: rejected by anna',
    );
    const { gate, approvals, status } = await migration.untilNotice(/rejected by anna: not today; the gate stays open/);
    expect(gate?.name).toBe('reboot-source');
    expect(status).toBe('waiting');
    expect(approvals).toMatchObject([{ decision: 'rejected', by: 'anna' }]);
    await migration.approve('reboot-source');
    await migration.untilGate('cutover');
  });

  it('keeps the first answer when two come at once', async () => {
    const door = new Door();
    const migration = await lab.migrate({
      prepareParameters: async () => {
        await door.goThrough();
        return { previousGroup: 'default.postgres16', rebootNeeded: true };
      },
    });
    door.open();
    await migration.untilGate('reboot-source');
    const answers = await Promise.allSettled([
      migration.update('approve', anna('reboot-source')),
      migration.update('approve', { gate: 'reboot-source', by: 'bob' }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('an answer that does not fit', () => {
  it('changes nothing, and leaves a notice, when it is a signal', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    for (const input of [
      anna('cutover'),
      { gate: 'reboot-source' },
      { gate: 'reboot-source', by: ' ' },
      anna('all'),
      'yes',
      undefined,
    ]) {
      await migration.signal('approve', input);
    }
    await migration.signal('retry', { by: 'anna' });
    const { gate, approvals, notices } = await migration.until(
      'all are refused',
      (progress) => progress.notices.length === 7,
    );
    expect(gate?.name).toBe('reboot-source');
    expect(approvals).toEqual([]);
    expect(notices.map(({ text }) => text)).toEqual([
      'answer for cutover by anna refused: the open gate is reboot-source',
      'answer for reboot-source refused: "by" has to say who answers',
      'answer for reboot-source refused: "by" has to say who answers',
      expect.stringContaining('give {"gate":"<gate>","by":"<you>"}'),
      expect.stringContaining('give {"gate":"<gate>","by":"<you>"}'),
      expect.stringContaining('give {"gate":"<gate>","by":"<you>"}'),
      'retry refused: nothing is parked (status waiting)',
    ]);
    expect(migration.script.count('rebootSource')).toBe(0);
  });

  it('is refused with the reason when it is an update, and is not in the history', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    const refused = (reason: string) => ({ cause: { type: 'Refused', message: reason } });
    for (const [input, reason] of [
      [anna('cutover'), 'answer for cutover by anna refused: the open gate is reboot-source'],
      [{ gate: 'reboot-source', by: '' }, 'answer for reboot-source refused: "by" has to say who answers'],
      [undefined, 'answer refused: give {"gate":"<gate>","by":"<you>"}; the open gate is reboot-source'],
    ] as const) {
      for (const name of ['approve', 'reject']) {
        await expect(migration.update(name, input)).rejects.toMatchObject(refused(reason));
      }
    }
    await expect(migration.update('retry', {})).rejects.toMatchObject(
      refused('retry refused: nothing is parked (status waiting)'),
    );
    expect(await texts(migration)).toEqual([]);
    const { events } = await migration.handle.fetchHistory();
    expect(events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toEqual([]);
  });

  it('cannot open a gate beforehand', async () => {
    const door = new Door();
    const migration = await lab.migrate({
      prepareParameters: async () => {
        await door.goThrough();
        return { previousGroup: 'default.postgres16', rebootNeeded: true };
      },
    });
    await migration.signal('approve', anna('reboot-source'));
    await migration.untilNotice('answer for reboot-source by anna refused: no gate is open');
    door.open();
    await migration.untilGate('reboot-source');
    expect(migration.script.count('rebootSource')).toBe(0);
  });

  it('does not flood the progress: the oldest notices go', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    for (let n = 1; n <= 60; n++) await migration.signal('approve', { gate: 'cutover', by: `person ${n}` });
    const { notices } = await migration.untilNotice(/by person 60 /);
    expect(notices).toHaveLength(50);
    expect(notices[0]?.text).toContain('by person 11 ');
  });
});

describe('the cutover gate', () => {
  it('shows what is red, and does not cut over on facts that have changed since it opened', async () => {
    let lines = boardWith().lines;
    const migration = await lab.migrate({
      prepareParameters: () => ({ previousGroup: 'default.postgres16', rebootNeeded: false }),
      readGoNoGo: () => ({ ...boardWith(), lines }),
    });
    await migration.untilGate('cutover');
    lines = red('lag', 'lag is 99 bytes');
    await migration.approve('cutover');
    await migration.untilNotice('cutover not begun: lag: lag is 99 bytes');
    const { gate } = await migration.untilGate('cutover');
    expect(gate?.findings).toContain('RED: lag: lag is 99 bytes');
    expect(migration.script.count('cutOver')).toBe(0);

    lines = [];
    await migration.approve('cutover');
    await migration.untilGate('decommission');
    expect(migration.script.count('cutOver')).toBe(1);
  });

  it('opens again, with the reason, after a pause that was given up', async () => {
    const migration = await lab.migrate({
      prepareParameters: () => ({ previousGroup: 'default.postgres16', rebootNeeded: false }),
      cutOver: (_, call) => {
        if (call > 1) throw new Error('not a second time in this test');
        return { switched: false, reason: 'the budget of 30000 ms ended', pauseMs: 30_012 };
      },
    });
    await migration.approve('cutover');
    const given = 'pause given up after 30 s, nothing lost, writes go on: the budget of 30000 ms ended';
    await migration.untilNotice(given);
    const { steps, status } = await migration.untilGate('cutover');
    expect(status).toBe('waiting');
    expect(steps.find(({ name }) => name === 'pause')?.note).toBe('given up: the budget of 30000 ms ended');
    expect(migration.script.count('guardSource')).toBe(2);
    await expect(migration.update('abort', { by: 'anna', reason: 'enough' })).resolves.toContain('aborting');
    expect((await migration.result()).progress.undone.filter(({ name }) => name === 'fence')).toHaveLength(1);
  });
});

import { waitFor } from '../../../../local/world/wait-for';
import { type ScriptedMigration, WorkflowLab } from '../../../support/workflow-lab';
import { boardWith, Door, LAG, untilCancelled } from '../../../support/scripted-activities';
import { red } from '../../../../plan/board';
import type { Progress } from '../../../../plan/progress';
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
    await migration.untilNotice('cutover not begun: long-transactions: a long transaction');
    await migration.until('the gate is closed', (progress) => progress.blocked !== undefined);
    await migration.update('retry', { by: 'anna' });
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
    const { gate, blocked } = await migration.until('the gate is closed', (progress) => progress.blocked !== undefined);
    expect(gate).toBeUndefined();
    expect(blocked).toEqual({ lines });
    expect(migration.script.count('cutOver')).toBe(0);

    lines = [];
    await migration.update('retry', { by: 'anna' });
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

  const noReboot = { prepareParameters: () => ({ previousGroup: 'default.postgres16', rebootNeeded: false }) };
  const LONG = red('long-transactions', 'a transaction of report has been open for 01:00:00');
  const isBlocked = (progress: Progress) => progress.blocked !== undefined;

  it('closes with a notice when a line turns red while it is open, and opens again when it is green', async () => {
    const [turnsRed, turnsGreen] = [new Door(), new Door()];
    const migration = await lab.migrate({
      ...noReboot,
      watchBoard: async (_, call) => {
        if (call > 2) return untilCancelled();
        await (call === 1 ? turnsRed : turnsGreen).goThrough();
        return call === 1 ? boardWith(...LONG) : boardWith();
      },
    });
    const { gate } = await migration.untilGate('cutover');
    turnsRed.open();
    const { notices, blocked } = await migration.until('it is closed', isBlocked);
    expect(notices.map(({ text }) => text)).toContainEqual(expect.stringMatching(/^the gate cutover closes: long-/));
    expect(blocked?.command).toContain('--name waive');
    await expect(migration.update('approve', anna('cutover'))).rejects.toMatchObject({
      cause: { message: 'answer for cutover by anna refused: no gate is open' },
    });
    turnsGreen.open();
    const again = await migration.untilGate('cutover');
    expect(again.gate?.opening).toBe((gate?.opening ?? 0) + 1);
    const [first, second] = migration.script.inputsOf('watchBoard');
    expect([first?.blocking, second?.blocking]).toEqual([[], ['long-transactions']]);
  });

  it('opens when what is red is waived by code, with the reason in the report; what is final can not be', async () => {
    const migration = await lab.migrate({
      ...noReboot,
      readGoNoGo: () => boardWith(...LONG, ...red('lag', 'too far')),
    });
    await migration.until('it is closed', isBlocked);
    const waive = (input: unknown) => migration.update('waive', input);
    const refused = (message: RegExp) => ({ cause: { message: expect.stringMatching(message) as string } });
    const by = 'anna';
    await expect(waive({ code: 'lag', by, reason: 'x' })).rejects.toMatchObject(
      refused(/nobody can waive it.*too far/),
    );
    await expect(waive({ code: 'drift', by, reason: 'x' })).rejects.toMatchObject(
      refused(/nothing is red by that code/),
    );
    await expect(waive({ code: 'long-transactions', by })).rejects.toMatchObject(refused(/"reason" has to say why/));
    await expect(waive({ code: 'long-transactions', reason: 'x' })).rejects.toMatchObject(refused(/"by" has to say/));
    await expect(waive(undefined)).rejects.toMatchObject(refused(/waive refused: give/));
    await waive({ code: 'long-transactions', by, reason: 'a report; it may end' });
    const { blocked } = await migration.until('one is left', ({ blocked: now }) => now?.lines.length === 1);
    expect(blocked?.lines[0]?.code).toBe('lag');
    const { waivers } = await migration.report();
    expect(waivers).toMatchObject([
      { code: 'long-transactions', by: 'anna', reason: 'a report; it may end', text: LONG[0]?.text },
    ]);
  });

  it('takes an approval that waives all that is red before it is open', async () => {
    const migration = await lab.migrate({ ...noReboot, readGoNoGo: () => boardWith(...LONG) });
    await migration.until('it is closed', isBlocked);
    const answer = { ...anna('cutover'), waive: ['long-transactions'] };
    await expect(migration.update('approve', answer)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('says why in "comment"') as string },
    });
    await migration.update('approve', { ...answer, comment: 'it may end' });
    await migration.approve('decommission');
    const { progress, waivers } = await migration.result();
    expect(waivers).toMatchObject([{ code: 'long-transactions', reason: 'it may end' }]);
    expect(progress.approvals[0]).toMatchObject({ gate: 'cutover', by: 'anna', waive: ['long-transactions'] });
    expect(migration.script.count('cutOver')).toBe(1);
  });

  it('ends a waiver when the line is green again', async () => {
    const looks = [boardWith(...LONG), boardWith(), boardWith(...LONG)];
    const migration = await lab.migrate({
      ...noReboot,
      readGoNoGo: (_, call) => looks[call - 1] ?? boardWith(...LONG),
    });
    await migration.until('it is closed', isBlocked);
    await migration.update('waive', { code: 'long-transactions', by: 'anna', reason: 'it may end' });
    await migration.untilNotice('long-transactions is green again: its waiver is over');
    await migration.approve('cutover');
    await migration.until('it is closed again', isBlocked);
    expect(migration.script.count('cutOver')).toBe(0);
  });

  it('needs as many different people as the plan says, and a rejection empties what has come', async () => {
    const plan = { ...SMALLEST_PLAN, gates: { cutover: { approvers: 2 } } };
    const migration = await lab.migrate(noReboot, plan);
    await migration.untilGate('cutover');
    const approve = (by: string) => migration.update('approve', { gate: 'cutover', by });
    await expect(approve('anna')).resolves.toBe('cutover: approved by anna; 1 more needed');
    await expect(approve(' ANNA ')).rejects.toMatchObject({
      cause: { message: expect.stringContaining('1 more needed, each by another person') as string },
    });
    expect((await migration.progress()).gate?.approvals).toEqual({ needed: 2, by: ['anna'] });
    await migration.update('reject', { gate: 'cutover', by: 'carl' });
    expect((await migration.progress()).gate?.approvals).toEqual({ needed: 2, by: [] });
    await approve('bob');
    expect(migration.script.count('cutOver')).toBe(0);
    await approve('anna');
    await migration.untilGate('decommission');
    expect(migration.script.count('cutOver')).toBe(1);
  });

  const CLOSED = { open: false, opensAt: '2999-01-01T03:00:00.000Z', closesAt: '2999-01-01T04:00:00.000Z' };
  const OPEN = { open: true, closesAt: '2999-01-01T04:00:00.000Z' };
  const inWindow = (more: object) => ({
    ...SMALLEST_PLAN,
    gates: { decommission: { approval: false }, cutover: { window: { cron: '0 3 * * 6' }, ...more } },
  });

  it('takes the approval before the window, and begins inside it', async () => {
    const opens = new Door();
    let window: typeof OPEN | typeof CLOSED = CLOSED;
    const migration = await lab.migrate(
      {
        ...noReboot,
        readGoNoGo: () => ({ ...boardWith(), window }),
        watchBoard: async ({ untilWindow }) => {
          if (!untilWindow) return untilCancelled();
          await opens.goThrough();
          return { ...boardWith(), window };
        },
      },
      inWindow({}),
    );
    await migration.approve('cutover');
    await migration.untilNotice(/cutover approved; the pause begins when the window opens, at 2999/);
    expect(migration.script.count('preparePause')).toBe(0);
    window = OPEN;
    opens.open();
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
    expect(migration.script.inputsOf('watchBoard').at(-1)?.untilWindow).toEqual({ opensAt: CLOSED.opensAt });
  });

  it('closes again when the window ends while the pause is prepared: nothing is paused, and what was approved stays so', async () => {
    const opens = new Door();
    let window: typeof OPEN | typeof CLOSED = OPEN;
    const migration = await lab.migrate(
      {
        ...noReboot,
        readGoNoGo: () => {
          if (window.open && migration.script.count('preparePause') === 0)
            window = { open: true, closesAt: new Date(Date.now() + 1_000).toISOString() };
          return { ...boardWith(), window };
        },
        preparePause: async (_, call) => {
          if (call > 1) return;
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
      inWindow({}),
    );
    await migration.approve('cutover');
    await migration.untilNotice(/^the window closed before the pause began/);
    const { gate } = await migration.untilGate('cutover');
    expect(gate?.approvals).toEqual({ needed: 1, by: ['anna'] });
    expect(migration.script.count('cutOver')).toBe(0);
    opens.open();
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
    expect(migration.script.count('cutOver')).toBe(1);
  });

  it('passes by itself inside the window where the plan says auto, but not with a waived line', async () => {
    const auto = await lab.migrate(
      { ...noReboot, readGoNoGo: () => ({ ...boardWith(), window: OPEN }) },
      inWindow({ auto: true }),
    );
    const { progress } = await auto.result();
    expect(progress.approvals[0]).toMatchObject({ gate: 'cutover', by: 'plan/auto' });

    const waived = await lab.migrate(
      { ...noReboot, readGoNoGo: () => ({ ...boardWith(...LONG), window: OPEN }) },
      inWindow({ auto: true }),
    );
    await waived.until('it is closed', isBlocked);
    await waived.update('waive', { code: 'long-transactions', by: 'anna', reason: 'it may end' });
    const { gate } = await waived.untilGate('cutover');
    expect(gate?.findings[0]).toMatch(/^WAIVED: long-transactions/);
  });

  it('shows the board to whoever asks, from catch-up on, and a fresh one only when the last is old', async () => {
    const caughtUp = new Door();
    const migration = await lab.migrate({
      ...noReboot,
      waitForCatchUp: async () => {
        await caughtUp.goThrough();
        return LAG;
      },
      readGoNoGo: () => boardWith(...LONG),
    });
    await migration.until('it catches up', ({ steps }) =>
      steps.some(({ name, status }) => name === 'catch-up' && status === 'running'),
    );
    const ask = () => migration.handle.executeUpdate<string, []>('go-no-go');
    await expect(ask()).resolves.toMatch(/^NO GO: 1 red .*\nRED long-transactions: /);
    await expect(ask()).resolves.toMatch(/^NO GO/);
    expect(migration.script.inputsOf('readGoNoGo').map(({ onlyLook }) => onlyLook)).toEqual([true]);
    expect((await migration.progress()).board?.lines).toHaveLength(2);
    for (let n = 0; n < 18; n += 1) await ask();
    await expect(ask()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('asked for 20 times') as string },
    });
    caughtUp.open();
    await migration.until('it is closed', isBlocked);
  });
});

describe('traffic that is moved by hand', () => {
  it('is waited for after the pause, and nobody else can say that it is done', async () => {
    const cutover = { traffic: [{ type: 'manual' as const }] };
    const migration = await lab.migrate({}, { ...SMALLEST_PLAN, cutover });
    await migration.approve('reboot-source');
    await migration.untilGate('cutover');
    await expect(migration.update('switched', { by: 'anna' })).rejects.toMatchObject({
      cause: { message: 'switched refused: nobody was asked to move traffic by hand' },
    });
    await migration.approve('cutover');
    const { switching } = await migration.until('it is asked for', (progress) => progress.switching !== undefined);
    expect(switching?.command).toContain('--name switched');
    await expect(migration.update('switched', {})).rejects.toMatchObject({
      cause: { message: expect.stringContaining('"by" has to say') as string },
    });
    await expect(migration.update('switched', { by: 'anna' })).resolves.toBe('switched by anna');
    await migration.approve('decommission');
    await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
  });
});

describe('hooks', () => {
  const hook = { url: 'https://hooks.example/cutover', secret: 'hook-key' };
  const withHooks = { ...SMALLEST_PLAN, cutover: { hooks: { before: [hook], after: [hook] } } };

  it('before the pause lead back to the board when one refuses, behind it leave a notice', async () => {
    const migration = await lab.migrate(
      {
        callHooks: ({ when, round }) => {
          if (when === 'after') return ['hooks.example answered 500'];
          return round === 1 ? ['hooks.example answered 409: batch runs'] : [];
        },
      },
      withHooks,
    );
    await migration.approve('reboot-source', 'cutover');
    await migration.untilNotice('cutover not begun, a hook refused: hooks.example answered 409: batch runs');
    expect(migration.script.count('preparePause')).toBe(0);
    await migration.approve('cutover', 'decommission');
    const { progress } = await migration.result();
    expect(progress.notices.map(({ text }) => text)).toContain(
      'a hook could not be told of the cutover: hooks.example answered 500',
    );
    expect(migration.script.inputsOf('callHooks').map(({ when, round }) => [when, round])).toEqual([
      ['before', 1],
      ['before', 2],
      ['after', 2],
    ]);
  });
});

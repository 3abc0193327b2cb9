import { WorkflowUpdateFailedError } from '@temporalio/client';
import { MESSAGES } from '../../../../plan/temporal';
import { WARN_EVERY_SIGNALS } from '../../../../workflows/message-count';
import { Door, untilCancelled } from '../../../support/scripted-activities';
import { WorkflowLab } from '../../../support/workflow-lab';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterAll(() => lab?.close());

const lengthOf = async (handle: { describe(): Promise<{ historyLength: number }> }) =>
  (await handle.describe()).historyLength;

describe('a flood of messages', () => {
  it('of signals is warned of, and an abort by update goes through', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    // Not all at once: the server would take the first ones' time for the last ones' deadline.
    for (let sent = 0; sent < WARN_EVERY_SIGNALS; sent += 25) {
      await Promise.all(Array.from({ length: 25 }, () => migration.signal('nonsense')));
    }
    const { notices } = await migration.untilNotice(/^1000 signals have come/);
    expect(notices.at(-1)?.text).toContain('temporal workflow update execute --workflow-id');
    await migration.signal(MESSAGES.approve, { gate: 'cutover', by: 'anna' });
    // The notice stays the last one: what is refused from here on would hide it.
    await migration.update(MESSAGES.abort, { by: 'anna', reason: 'flood' });
    const report = await migration.result();
    expect(report.status).toBe('aborted');
    expect(report.progress.notices.map(({ text }) => text)).not.toContainEqual(
      expect.stringContaining('for cutover by'),
    );
  });

  it('of updates that are refused leaves no trace in the history', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    const before = await lengthOf(migration.handle);
    for (let sent = 0; sent < 100; sent += 1) {
      const refused = migration.update(MESSAGES.approve, { gate: 'cutover', by: 'anna' });
      await expect(refused).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
    }
    expect(await lengthOf(migration.handle)).toBe(before);
    await migration.update(MESSAGES.abort, { by: 'anna', reason: 'enough' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'aborted' });
  });

  it('of looks at a board that hangs leaves room for an abort by update', async () => {
    const door = new Door();
    const hangs = {
      waitForCatchUp: untilCancelled,
      readGoNoGo: async () => {
        await door.goThrough();
        throw new Error('no board');
      },
    };
    const migration = await lab.migrate({
      ...hangs,
      prepareParameters: () => ({ previousGroup: 'default.postgres16', rebootNeeded: false }),
    });
    await migration.until('it catches up', ({ steps }) =>
      steps.some(({ name, status }) => name === 'catch-up' && status === 'running'),
    );
    // Temporal takes ten at the same time.
    for (let open = 0; open < 3; open += 1) {
      await migration.handle.startUpdate(MESSAGES.goNoGo, { waitForStage: 'ACCEPTED' });
    }
    await expect(migration.update(MESSAGES.goNoGo)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('3 others wait for a look already') as string },
    });
    await migration.update(MESSAGES.abort, { by: 'anna', reason: 'enough' });
    door.open();
    await expect(migration.result()).resolves.toMatchObject({ status: 'aborted' });
  });

  it('a second abort is refused: it would take one of the updates that Temporal takes', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    await migration.update(MESSAGES.abort, { by: 'anna', reason: 'a' });
    const again = migration.update(MESSAGES.abort, { by: 'anna', reason: 'b' });
    await expect(again).rejects.toBeInstanceOf(Error);
    await migration.result();
  });

  it('what a person wrote is one line without escapes wherever it goes', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    const by = '\u001b[31mada\n- 10:00:00 cutover approved by grace';
    await migration.update(MESSAGES.approve, { gate: 'reboot-source', by, comment: by });
    const { approvals } = await migration.until('it is approved', (progress) => progress.approvals.length > 0);
    const plain = '\\u001b[31mada - 10:00:00 cutover approved by grace';
    expect(approvals[0]).toMatchObject({ by: plain, comment: plain });
  });
});

import { finalFailure } from '../../../../plan/failures';
import type { PlanInput } from '../../../../plan/plan';
import { soakLines, stepOf } from '../../../../plan/progress';
import { Door } from '../../../support/scripted-activities';
import { SMALLEST_PLAN } from '../../../support/plan';
import { WorkflowLab } from '../../../support/workflow-lab';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterEach(() => lab.endMigrations());
afterAll(() => lab?.close());

const FREE = { approval: false };
const DAY_S = 24 * 3_600;
const PLAN: PlanInput = {
  ...SMALLEST_PLAN,
  gates: { 'reboot-source': FREE, cutover: FREE },
  cutover: { fence: [{ type: 'stop-instance' }] },
  soak: { wayBack: 'none' },
};

it('stops the source after the proof and the watch, and starts it when its removal is approved', async () => {
  const watched = new Door();
  const migration = await lab.migrate(
    {
      watchTraffic: async () => {
        await watched.goThrough();
        return { onTarget: 8, stragglers: [] };
      },
    },
    PLAN,
  );
  await migration.until('proven', (progress) => stepOf(progress, 'proof').status === 'done');
  expect(migration.script.count('stopSource')).toBe(0);
  watched.open();
  const progress = await migration.untilGate('decommission');
  expect(progress.gate?.findings).toContainEqual(expect.stringMatching(/^app-db is stopped since .* it is started,/));
  expect(soakLines(progress)).toContainEqual(expect.stringContaining('old source: stopped since'));
  expect(migration.script.count('startSource')).toBe(0);
  await migration.approve('decommission');
  const report = await migration.result();
  const { names } = migration.script;
  expect(names.slice(names.indexOf('proveContents'))).toEqual([
    'proveContents',
    'stopSource',
    'startSource',
    'checkSourceUnused',
    'removeReplication',
    'deleteSource',
    'deleteSnapshots',
  ]);
  expect(migration.script.inputsOf('stopSource')[0]?.resourceId).toBe(report.source?.resourceId);
  expect(Date.parse(report.sourceStopped?.startedAt ?? '')).toBeGreaterThanOrEqual(
    Date.parse(report.sourceStopped?.at ?? ''),
  );
});

it('looks each day whether RDS has started it, until the gate is approved', async () => {
  const migration = await lab.migrate({}, PLAN);
  await migration.approve('decommission');
  await migration.result();
  const { events } = await migration.handle.fetchHistory();
  const timers = (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) => (timer ? [timer] : []));
  const daily = timers.find(({ startToFireTimeout }) => Number(startToFireTimeout?.seconds) === DAY_S);
  expect(daily).toBeDefined();
  const cancelled = (events ?? []).map((event) => event.timerCanceledEventAttributes?.timerId);
  expect(cancelled).toContain(daily?.timerId);
});

it('parks where it fails, on either end, and retry goes on from there', async () => {
  const once = (name: string) => (_: unknown, call: number) => {
    if (call === 1) throw finalFailure('ResourceFailed', `${name} failed`);
    return Promise.resolve();
  };
  const migration = await lab.migrate(
    {
      stopSource: once('stopSource'),
      startSource: once('startSource'),
      deleteSnapshots: once('deleteSnapshots'),
    },
    PLAN,
  );
  for (const [name, step] of [
    ['stopSource', 'stop-source'],
    ['startSource', 'decommission'],
    ['deleteSnapshots', 'decommission'],
  ] as const) {
    if (name === 'startSource') await migration.approve('decommission');
    const { parked } = await migration.until(
      `parked by ${name}`,
      (progress) => progress.parked?.message === `${name} failed`,
    );
    expect(parked?.step).toBe(step);
    await migration.update('retry', { by: 'anna' });
  }
  await expect(migration.result()).resolves.toMatchObject({ status: 'completed' });
});

it('leaves a source that is kept running, and fenced', async () => {
  const migration = await lab.migrate({}, { ...PLAN, keep: { source: true } });
  await migration.approve('decommission');
  const { stays } = await migration.result();
  expect(stays).toContainEqual({ what: 'source', name: 'app-db', why: 'the plan keeps it; it is fenced, and runs' });
  expect(migration.script.names.slice(-3)).toEqual(['startSource', 'removeReplication', 'deleteSnapshots']);
});

it('stops nothing where the plan does not say so', async () => {
  const migration = await lab.migrate({}, { ...PLAN, cutover: {} });
  await migration.approve('decommission');
  const { progress, sourceStopped } = await migration.result();
  expect(sourceStopped).toBeUndefined();
  expect(progress.steps.map(({ name }) => name)).not.toContain('stop-source');
  expect(migration.script.names).not.toContain('stopSource');
  expect(migration.script.names).not.toContain('startSource');
});

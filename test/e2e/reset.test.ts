import { SAMPLE } from '../../local/app/names';
import { describeInstance } from '../../local/app/source';
import type { World } from '../../local/world/world';
import type { Progress } from '../../plan/progress';
import {
  application,
  approve,
  gateIsOpen,
  MIGRATION,
  planFile,
  progressOf,
  sample,
  signal,
  start,
  untilProgress,
} from './support/migration';
import { asMaster, awsOf, eventually, inWorld } from './support/worlds';

/** People reset, terminate and start again. Whatever the workflow then believes, the world says that applications are on the target. */

const TARGET = 'app-db-encrypted';

interface Event {
  readonly eventId: string;
  readonly eventType: string;
  readonly activityTaskScheduledEventAttributes?: { readonly activityType?: { readonly name?: string } };
  readonly activityTaskCompletedEventAttributes?: { readonly scheduledEventId?: string };
}

async function eventsOf(world: World): Promise<{ runId: string; events: readonly Event[] }> {
  const { stdout } = await world.temporal(['workflow', 'describe', '--workflow-id', MIGRATION, '--output', 'json']);
  const { workflowExecutionInfo } = JSON.parse(stdout) as { workflowExecutionInfo: { execution: { runId: string } } };
  const { runId } = workflowExecutionInfo.execution;
  const shown = await world.temporal([
    'workflow',
    'show',
    '--workflow-id',
    MIGRATION,
    '--run-id',
    runId,
    '--output',
    'json',
  ]);
  return { runId, events: (JSON.parse(shown.stdout) as { events: Event[] }).events };
}

const scheduled = (events: readonly Event[], activity: string): Event => {
  const found = events.find((one) => one.activityTaskScheduledEventAttributes?.activityType?.name === activity);
  if (!found) throw new Error(`${activity} was never scheduled`);
  return found;
};
const isTaskCompleted = ({ eventType }: Event) => eventType.includes('WORKFLOW_TASK_COMPLETED');

async function reset(world: World, runId: string, event: Event | undefined): Promise<void> {
  const which = ['--workflow-id', MIGRATION, '--run-id', runId, '--event-id', event?.eventId ?? '', '--reason', 'test'];
  await world.temporal(['workflow', 'reset', ...which]);
}

/** What applications stand on: both instances, and who may log in where. */
async function standing(world: World): Promise<object> {
  const aws = awsOf(world);
  const roles = (instance: string) =>
    asMaster(
      world,
      instance,
      'postgres',
      async (client) =>
        (await client.query<object>(`SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1`))
          .rows,
    );
  const setting = (instance: string) =>
    asMaster(
      world,
      instance,
      'postgres',
      async (client) =>
        (await client.query<object>('SELECT setconfig::text FROM pg_db_role_setting ORDER BY setdatabase, setrole'))
          .rows,
    );
  const both = await Promise.all(
    [SAMPLE.instance, TARGET].map(async (instance) => ({
      instance,
      status: (await describeInstance(aws, instance))?.DBInstanceStatus,
      resourceId: (await describeInstance(aws, instance))?.DbiResourceId,
      group: (await describeInstance(aws, instance))?.DBParameterGroups?.[0]?.DBParameterGroupName,
      roles: await roles(instance),
      settings: await setting(instance),
    })),
  );
  return both;
}

const isParkedInUse = ({ parked }: Progress) => parked?.type === 'InUse';

test('a reset to before the switch parks with what it saw; an abort then undoes nothing; a reset to after it goes on', () =>
  inWorld('reset', async (world) => {
    await sample(world);
    await world.startWorker();
    const app = await application(world);
    await start(world, planFile(world, { gates: { 'reboot-source': { approval: false } } }));
    await untilProgress(world, 'the cutover gate is open', gateIsOpen('cutover'));
    await approve(world, 'cutover');
    await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    const before = await standing(world);
    const { runId, events } = await eventsOf(world);

    const verify = Number(scheduled(events, 'verifyContents').eventId);
    await reset(world, runId, events.filter((one) => Number(one.eventId) < verify && isTaskCompleted(one)).at(-1));
    const { parked } = await untilProgress(world, 'it is parked', isParkedInUse);
    expect(parked?.message).toContain(`a cutover to ${TARGET} is recorded there`);
    expect(await standing(world)).toEqual(before);

    await signal(world, 'abort', { by: 'test', reason: 'bad build' });
    const ended = await untilProgress(
      world,
      'the abort is parked',
      (progress) => progress.parked?.message.startsWith('Nothing was undone') ?? false,
    );
    expect(ended.parked?.type).toBe('InUse');
    expect(ended.undone ?? []).toEqual([]);
    await signal(world, 'retry', { by: 'test' });
    await untilProgress(world, 'it is parked again', isParkedInUse);
    expect(await standing(world)).toEqual(before);

    // As docs/operating.md says.
    const cutOver = scheduled(events, 'cutOver').eventId;
    const completed = events.find((one) => one.activityTaskCompletedEventAttributes?.scheduledEventId === cutOver);
    const after = events.find((one) => Number(one.eventId) > Number(completed?.eventId) && isTaskCompleted(one));
    await reset(world, runId, after);
    await untilProgress(world, 'the decommission gate is open again', gateIsOpen('decommission'));
    expect(await standing(world)).toEqual(before);
    const totals = await app.stop();
    expect(totals?.acknowledged).toBeGreaterThan(0);
  }));

test('a workflow that is terminated and started again with the same id touches nothing that serves', () =>
  inWorld('reset-start', async (world) => {
    await sample(world);
    await world.startWorker();
    const file = planFile(world, { gates: { 'reboot-source': { approval: false }, cutover: { approval: false } } });
    await start(world, file);
    await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    const before = await standing(world);
    await world.temporal(['workflow', 'terminate', '--workflow-id', MIGRATION, '--reason', 'test']);
    await start(world, file);
    const isStopped = ({ parked, status }: Progress) => parked !== undefined || status === 'failed';
    const stopped = await eventually(
      'the new run has stopped by itself',
      async () => {
        const progress = await progressOf(world);
        return progress && isStopped(progress) ? progress : undefined;
      },
      { timeoutMs: 300_000, everyMs: 200 },
    );
    expect(await standing(world)).toEqual(before);
    if (stopped.status === 'failed') return;
    await signal(world, 'abort', { by: 'test', reason: 'wrong id' });
    await untilProgress(world, 'the abort is parked', isParkedInUse);
    expect(await standing(world)).toEqual(before);
  }));

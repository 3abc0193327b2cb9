import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { SAMPLE } from '../../local/app/names';
import { describeInstance } from '../../local/app/source';
import type { World } from '../../local/world/world';
import type { Progress } from '../../plan/progress';
import {
  application,
  approve,
  gateIsOpen,
  keyshift,
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

/** A reset to before the switch parks with what it saw, and an abort then undoes nothing; a reset to after it goes on. */
async function resets(world: World, before: object): Promise<void> {
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
}

/** Once traffic is on the target, an abort is refused and says why. */
async function abortIsRefused(world: World): Promise<void> {
  const refused = await keyshift(world, 'abort', MIGRATION, '--reason', 'too late');
  expect(refused).toMatchObject({
    exitCode: 5,
    stderr: expect.stringContaining('traffic is on the target') as string,
  });
  await signal(world, 'abort', { by: 'test' });
  const { status, notices } = await untilProgress(world, 'the notice', (progress) =>
    progress.notices.some(({ text }) => text.includes('abort refused')),
  );
  expect(status).toBe('waiting');
  expect(notices.at(-1)?.text).toContain('traffic is on the target');
}

/** A workflow that is terminated and started again with the same id touches nothing that serves. */
async function startsAgain(world: World, file: string, before: object): Promise<void> {
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
}

/** Somebody goes back by hand: the source is not deleted under them. */
async function goesBackByHand(world: World): Promise<() => Promise<void>> {
  const aws = awsOf(world);
  const { Endpoint } = (await describeInstance(aws, SAMPLE.instance)) ?? {};
  const Name = SAMPLE.endpointParameter;
  const { Parameter } = await aws.ssm.send(new GetParameterCommand({ Name }));
  const put = async (Value: string | undefined): Promise<void> => {
    await aws.ssm.send(new PutParameterCommand({ Name, Value, Overwrite: true }));
  };
  await put(`${Endpoint?.Address}:${Endpoint?.Port}`);
  await approve(world, 'decommission');
  const { parked } = await untilProgress(world, 'the decommission is parked', (progress) => !!progress.parked);
  expect(parked).toMatchObject({ type: 'SourceInUse', step: 'decommission' });
  expect((await describeInstance(aws, SAMPLE.instance))?.DBInstanceStatus).toBe('available');
  return () => put(Parameter?.Value);
}

test('whatever the workflow believes, nothing is undone that applications use', () =>
  inWorld('reset', async (world) => {
    await sample(world);
    await world.startWorker();
    const app = await application(world);
    const file = planFile(world, { gates: { 'reboot-source': { approval: false } } });
    await start(world, file);
    await untilProgress(world, 'the cutover gate is open', gateIsOpen('cutover'));
    await approve(world, 'cutover');
    await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    const before = await standing(world);

    await resets(world, before);
    await abortIsRefused(world);
    const totals = await app.stop();
    expect(totals?.acknowledged).toBeGreaterThan(0);
    const toTarget = await goesBackByHand(world);
    await toTarget();
    await startsAgain(world, file, before);
  }));

import { CreateDBInstanceCommand } from '@aws-sdk/client-rds';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { WorkflowHandle } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { waitFor } from '../../../../local/world/wait-for';
import { pauseQueueOf, TASK_QUEUE } from '../../../../plan/temporal';
import { createWorkers, type Workers } from '../../../../worker/create-worker';
import { ActivityLab, awsEnvironment, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  fenceOf,
  MARK,
  type Steps,
  subscribe,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { ScriptedActivities } from '../../../support/scripted-activities';
import { MASTER } from '../../../support/stand-in';
import { quietBundle, WorkflowLab } from '../../../support/workflow-lab';

const { PENDING_ACTIVITY_STATE_STARTED } = temporal.api.enums.v1.PendingActivityState;
const GUARDS = Number(process.env['KEYSHIFT_TEST_GUARDS'] ?? 40);
const OTHER = 'other-db';
const PARAMETER = '/app/database';
const ref = migrationRef({
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  // The servers of 200 guards run on the same machine: what a step takes here says nothing.
  cutover: { pauseBudgetMs: 300_000, traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
});
const neighbour = migrationRef({
  ...SMALLEST_PLAN,
  source: { ...SMALLEST_PLAN.source, instance: OTHER },
  target: { ...SMALLEST_PLAN.target, instance: 'other-db-encrypted' },
  databases: ['postgres'],
});

let workflows: WorkflowLab;
let lab: ActivityLab;
const environment = { ...process.env };

beforeAll(async () => {
  [workflows, lab] = await Promise.all([WorkflowLab.open(), ActivityLab.open()]);
  // What the worker's own AWS clients read.
  Object.assign(process.env, awsEnvironment(lab.standIn));
});
afterAll(async () => {
  process.env = environment;
  await lab?.close();
  await workflows?.close();
});

describe('the worker', () => {
  let steps: Steps;
  let product: Workers;
  const running: { worker: Worker; ended: Promise<void> }[] = [];
  const started: WorkflowHandle[] = [];

  const run = (worker: Worker) => void running.push({ worker, ended: worker.run() });
  const start = async (type: string, ...args: unknown[]): Promise<WorkflowHandle> => {
    const handle = await workflows.environment.client.workflow.start(type, {
      taskQueue: 'guards-workflow',
      workflowId: type,
      args,
    });
    started.push(handle);
    return handle;
  };

  beforeAll(async () => {
    await createApplication(lab);
    const { Endpoint } = await lab.standIn.instance('app-db');
    const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
    await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value }));
    const [moved] = await Promise.all([captureAndClone(lab, ref), guardedNeighbour()]);
    steps = moved;
    await subscribe(lab, steps);

    const { nativeConnection } = workflows.environment;
    product = await createWorkers(nativeConnection, 'default', {
      rdsCaBundle: lab.dependencies.rdsCaBundle,
      awsRegion: lab.standIn.settings().region,
      releasedSecrets: {},
      healthPort: undefined,
      deployment: undefined,
    });
    product.workers.forEach(run);
    const workflowBundle = await quietBundle(require.resolve('../../../support/guards-workflow'));
    run(await Worker.create({ connection: nativeConnection, taskQueue: 'guards-workflow', workflowBundle }));
  });
  afterAll(async () => {
    for (const handle of started) await handle.terminate('end of the test').catch(() => undefined);
    for (const { worker } of running) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(running.map(({ ended }) => ended));
    await product?.snapshots.releaseAll();
  });

  /** A migration of another server, as far as a guard needs it. */
  async function guardedNeighbour(): Promise<void> {
    await lab.aws().rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: OTHER,
        Engine: 'postgres',
        EngineVersion: '16',
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 100,
        ...MASTER,
      }),
    );
    await lab.standIn.untilInstance(OTHER);
    const input = { ...neighbour, databases: ['postgres'] };
    const { rebootNeeded } = await lab.run('prepareParameters', neighbour);
    if (rebootNeeded) await lab.run('rebootSource', neighbour);
    await lab.run('createAccess', neighbour);
    await lab.run('createPublications', { ...input, mark: MARK });
    await lab.run('createSlots', input);
  }

  const startedGuards = async (handle: WorkflowHandle): Promise<number> => {
    const { raw } = await handle.describe();
    const of = (raw.pendingActivities ?? []).filter(({ state }) => state === PENDING_ACTIVITY_STATE_STARTED);
    return of.length;
  };
  /** Guards whose heartbeat has what their first look found. */
  const lookingGuards = async (handle: WorkflowHandle): Promise<number> => {
    const { raw } = await handle.describe();
    return (raw.pendingActivities ?? []).filter(({ heartbeatDetails }) => heartbeatDetails?.payloads?.length).length;
  };

  it(`makes a pause at once beside ${GUARDS} guards, all of which run`, async () => {
    const fence = await fenceOf(lab, steps);
    const input = { ...neighbour, databases: ['postgres'], reportAfterMs: 3_600_000 };
    const guards = await start('guards', TASK_QUEUE, GUARDS, input);
    await waitFor('every guard has looked', async () => (await lookingGuards(guards)) === GUARDS, {
      timeoutMs: 240_000,
      everyMs: 500,
    });

    expect(await startedGuards(guards)).toBe(GUARDS);
    const pause = await start('pause', pauseQueueOf(TASK_QUEUE), { ...steps.input, fence });
    await expect(pause.result()).resolves.toMatchObject({ switched: true });
    const { events } = await pause.fetchHistory();
    const at = (name: 'activityTaskScheduledEventAttributes' | 'activityTaskStartedEventAttributes'): number => {
      const time = events?.find((event) => event[name])?.eventTime;
      return Number(time?.seconds) * 1_000 + Number(time?.nanos) / 1e6;
    };
    const waitedMs = at('activityTaskStartedEventAttributes') - at('activityTaskScheduledEventAttributes');
    // Not for a slot, of which it has its own: for a process that shares two cores with the servers of all guards.
    expect(waitedMs).toBeLessThan(5_000);
  }, 600_000);
});

describe('the workflow', () => {
  afterEach(() => workflows.endMigrations());

  /** The task queue of each activity, without what stands before it in this test. */
  async function queuesOf(handle: WorkflowHandle): Promise<Map<string, Set<string>>> {
    const { events } = await handle.fetchHistory();
    const found = new Map<string, Set<string>>();
    for (const { activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
      const name = scheduled?.activityType?.name ?? '';
      if (scheduled) found.set(name, (found.get(name) ?? new Set()).add(scheduled.taskQueue?.name ?? ''));
    }
    return found;
  }

  it('sends what runs in the pause and right around it to the queue of the pause, in both directions', async () => {
    const migration = await workflows.migrate(
      {
        cutOver: (_, call) => {
          if (call === 1) return { switched: false, reason: 'the budget ended', pauseMs: 30_000 };
          return new ScriptedActivities().activities.cutOver({} as never);
        },
      },
      {
        ...SMALLEST_PLAN,
        gates: { 'reboot-source': { approval: false } },
        carry: { slots: 'recreate' },
        cutover: { hooks: { before: [{ url: 'https://hooks.example/', secret: 'key' }] } },
      },
    );
    await migration.approve('cutover');
    await migration.untilNotice(/pause given up/);
    await migration.approve('cutover');
    await migration.untilGate('decommission');
    await migration.update('rollback', { by: 'anna', reason: 'slow' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'rolled-back' });
    const queues = await queuesOf(migration.handle);
    const common = [...(queues.get('runPreflight') ?? [])][0] ?? '';
    const ofPause = [...queues].filter(([, names]) => names.has(pauseQueueOf(common))).map(([name]) => name);
    expect(ofPause.sort()).toEqual([
      'callHooks',
      'cutOver',
      'dropIdleSlots',
      'lowerFence',
      'moveSlots',
      'preparePause',
      'resumeNeighbours',
      'startWayBack',
    ]);
    for (const [name, names] of queues) expect([name, names.size]).toEqual([name, 1]);
    expect(migration.script.inputsOf('readGoNoGo')[0]).toMatchObject({ pauseQueue: pauseQueueOf(common) });
    expect(migration.script.inputsOf('readRollbackBoard')[0]).toMatchObject({ pauseQueue: pauseQueueOf(common) });
  });
});

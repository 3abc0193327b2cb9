import { CommandError, EXIT } from '../../../../client/exit-codes';
import { Migrations } from '../../../../client/migrations';
import { MESSAGES, NO_CREDENTIALS, TASK_QUEUE } from '../../../../plan/temporal';
import { Context } from '@temporalio/activity';
import { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { waitFor } from '../../../../local/world/wait-for';
import { SMALLEST_PLAN } from '../../../support/plan';
import { boardWith, COMPARISON, Door, ScriptedActivities } from '../../../support/scripted-activities';
import { WorkflowLab } from '../../../support/workflow-lab';

/** What a command promises: an answer within this, in milliseconds, also when nobody is there. */
const WITHIN_MS = 10_000;

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterAll(() => lab?.close());

/** What it fails with, in time. */
async function failureOf(work: Promise<unknown>): Promise<CommandError> {
  const began = Date.now();
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(Date.now() - began).toBeLessThan(WITHIN_MS);
  expect(error).toBeInstanceOf(CommandError);
  return error as CommandError;
}

describe('when no worker has ever polled', () => {
  const commands: [string, (migrations: Migrations) => Promise<unknown>][] = [
    ['preflight', (migrations) => migrations.preflight('a', SMALLEST_PLAN, () => undefined)],
    ['start', (migrations) => migrations.start('a', SMALLEST_PLAN)],
    ['status', (migrations) => migrations.progress('waits')],
    ['report', (migrations) => migrations.report('waits')],
    ['abort', (migrations) => migrations.abort('waits', { by: 'anna', reason: 'x' })],
    ['go-no-go', (migrations) => migrations.goNoGo('waits')],
  ];

  beforeAll(() =>
    lab.environment.client.workflow.start('migrateDatabase', {
      taskQueue: TASK_QUEUE,
      workflowId: 'waits',
      args: [SMALLEST_PLAN],
    }),
  );

  it.each(commands)('%s says so, with code 7 and what to do', async (_name, ask) => {
    const error = await failureOf(ask(new Migrations(lab.environment.client)));
    expect(error.exitCode).toBe(EXIT.unreachable);
    expect(error.message).toMatch(/^No worker polls task queue keyshift in namespace default\. Start one/);
    expect(error.message).not.toContain('\n');
  });

  it('nothing was started', async () => {
    await expect(lab.environment.client.workflow.getHandle('a').describe()).rejects.toThrow();
    await expect(lab.environment.client.workflow.getHandle('a-preflight').describe()).rejects.toThrow();
  });

  it('a namespace that is not there is named', async () => {
    const client = new Client({ connection: lab.environment.connection, namespace: 'nowhere' });
    for (const [, ask] of commands) {
      const error = await failureOf(ask(new Migrations(client)));
      expect(error.exitCode).toBe(EXIT.unreachable);
      expect(error.message).toMatch(/nowhere.*TEMPORAL_NAMESPACE/);
    }
  });
});

describe('when the worker is gone', () => {
  it('status, abort and preflight say so in time, though Temporal still lists it; what ended is told by its result', async () => {
    const migrations = new Migrations(lab.environment.client);
    const stop = await lab.startWorker(TASK_QUEUE, new ScriptedActivities());
    try {
      await migrations.start('gone', SMALLEST_PLAN);
      await migrations.start('ended', SMALLEST_PLAN);
      await migrations.abort('ended', { by: 'anna', reason: 'x' });
      await lab.environment.client.workflow.getHandle('ended').result();
      await expect(migrations.progress('gone')).resolves.toMatchObject({ migration: 'gone' });
    } finally {
      await stop();
    }
    for (const ask of [
      () => migrations.progress('gone'),
      () => migrations.abort('gone', { by: 'anna', reason: 'x' }),
      () => migrations.preflight('gone', SMALLEST_PLAN, () => undefined),
    ]) {
      const error = await failureOf(ask());
      expect(error.exitCode).toBe(EXIT.unreachable);
      expect(error.message).toMatch(/^No worker (of task queue keyshift (answered|has begun)|polls)/);
      expect(error.message).toContain('Start one');
    }
    await expect(migrations.report('ended')).resolves.toMatchObject({ status: 'aborted' });
    await expect(migrations.progress('ended')).resolves.toMatchObject({ status: 'aborted' });
  });
});

it('go-no-go waits for a board that takes longer than an answer, and says how far it is', async () => {
  const [verifying, looked] = [new Door(), new Door()];
  let isOpen = false;
  void looked.opened.then(() => (isOpen = true));
  const script = new ScriptedActivities({
    verifyContents: async () => {
      await verifying.goThrough();
      return COMPARISON;
    },
    readGoNoGo: async () => {
      while (!isOpen) {
        Context.current().heartbeat({ waitingFor: 'the board: the schema, 3 of 8 databases' });
        await Context.current().sleep(100);
      }
      return boardWith();
    },
  });
  const stop = await lab.startWorker(TASK_QUEUE, script);
  const migrations = new Migrations(lab.environment.client);
  const free = { approval: false };
  try {
    await migrations.start('slow', { ...SMALLEST_PLAN, gates: { 'reboot-source': free } });
    await waitFor('both sides are compared', async () => script.count('verifyContents') > 0);
    const heard: string[] = [];
    const asked = migrations.goNoGo('slow', (text) => heard.push(text));
    await waitFor('it says how far it is', () => heard.some((text) => /still looking.*3 of 8 databases/.test(text)));
    looked.open();
    await expect(asked).resolves.toMatchObject({ board: { lines: boardWith().lines } });
    await migrations.abort('slow', { by: 'anna', reason: 'x' });
    await lab.environment.client.workflow.getHandle('slow').result();
  } finally {
    await stop();
  }
});

it('a worker without AWS credentials is told of by preflight and start, and in what status shows', async () => {
  const script = new ScriptedActivities({
    runPreflight: () => {
      throw ApplicationFailure.retryable('The worker has no valid AWS credentials (x).', NO_CREDENTIALS);
    },
  });
  const stop = await lab.startWorker(TASK_QUEUE, script);
  const migrations = new Migrations(lab.environment.client);
  try {
    const error = await failureOf(migrations.preflight('poor', SMALLEST_PLAN, () => undefined));
    expect(error).toMatchObject({ exitCode: EXIT.unreachable });
    expect(error.message).toContain('The worker has no valid AWS credentials');
    await migrations.start('poor', SMALLEST_PLAN);
    const look = async () => {
      for (;;) await migrations.sayWhatFails('poor', () => undefined);
    };
    expect((await failureOf(look())).exitCode).toBe(EXIT.unreachable);
    expect((await migrations.live('poor')).join()).toContain('The worker has no valid AWS credentials');
    await migrations.abort('poor', { by: 'anna', reason: MESSAGES.abort });
  } finally {
    await stop();
  }
});

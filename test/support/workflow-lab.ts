import { randomUUID } from 'node:crypto';
import { Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, type PayloadCodec, SearchAttributeType } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundle,
} from '@temporalio/worker';
import { silently } from '../../local/tools/report';
import { findTemporalCli } from '../../local/tools/temporal-cli';
import { waitFor } from '../../local/world/wait-for';
import type { GateName } from '../../plan/gates';
import type { PlanInput } from '../../plan/plan';
import type { Progress } from '../../plan/progress';
import type { Report } from '../../plan/report';
import { MESSAGES, pauseQueueOf, PREFLIGHT_WORKFLOW_TYPE, SEARCH_ATTRIBUTES, WORKFLOW_TYPE } from '../../plan/temporal';
import { bundleOfCheckout } from '../../worker/checkout-bundle';
import { WORKFLOW_CODE } from '../../worker/workflow-code';
import { SMALLEST_PLAN } from './plan';
import { type Overrides, ScriptedActivities } from './scripted-activities';

/** Commands of the workflow are quiet; what a test expects to fail needs no log line. */
export const QUIET = new DefaultLogger('ERROR', () => undefined);

/** A bundle of workflow code that says nothing while it is made. */
export const quietBundle = (workflowsPath: string): Promise<WorkflowBundle> =>
  bundleWorkflowCode({ ...WORKFLOW_CODE, workflowsPath, logger: QUIET });

/** How fast a lab is. */
export interface Pace {
  /** A cancellation reaches an activity as fast as that: with its heartbeat. */
  readonly heartbeatMs: number;
  /** How long a progress may take to be as wanted, and how often it is asked for. */
  readonly timeoutMs: number;
  readonly everyMs: number;
}
const FAST: Pace = { heartbeatMs: 20, timeoutMs: 30_000, everyMs: 20 };

/** A Temporal server of a test file's own, and the bundle of the workflow, both made once. */
export class WorkflowLab {
  readonly #migrations: ScriptedMigration[] = [];

  private constructor(
    readonly environment: TestWorkflowEnvironment,
    private readonly bundle: { readonly codePath: string },
    private readonly pace: Pace,
  ) {}

  static async open(pace: Pace = FAST): Promise<WorkflowLab> {
    Runtime.install({ logger: QUIET });
    const [cli, codePath] = await Promise.all([findTemporalCli({ report: silently }), bundleOfCheckout(QUIET)]);
    const environment = await TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: cli.path },
        searchAttributes: Object.values(SEARCH_ATTRIBUTES).map((name) =>
          defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
        ),
      },
    });
    return new WorkflowLab(environment, { codePath }, pace);
  }

  /** Starts a migration on a task queue of its own, with a worker that answers by the script. */
  async migrate(
    overrides: Overrides = {},
    plan: PlanInput = SMALLEST_PLAN,
    workflow: string = WORKFLOW_TYPE,
    options: Partial<WorkerOptions> = {},
  ): Promise<ScriptedMigration> {
    const script = new ScriptedActivities(overrides);
    const taskQueue = `test-${randomUUID()}`;
    const stop = await this.startWorker(taskQueue, script, options);
    const handle = await this.start(taskQueue, plan, workflow);
    const migration = new ScriptedMigration(handle, script, stop, this.pace);
    this.#migrations.push(migration);
    return migration;
  }

  start(taskQueue: string, plan: PlanInput = SMALLEST_PLAN, workflow: string = WORKFLOW_TYPE): Promise<WorkflowHandle> {
    const workflowId = `m-${randomUUID().slice(0, 12)}`;
    const args = workflow === PREFLIGHT_WORKFLOW_TYPE ? [{ id: workflowId, plan }] : [plan];
    return this.environment.client.workflow.start(workflow, { taskQueue, workflowId, args });
  }

  /** Starts a worker that answers by the script; the function that it resolves to stops it. */
  async startWorker(
    taskQueue: string,
    script: ScriptedActivities,
    options: Partial<WorkerOptions> = {},
  ): Promise<() => Promise<void>> {
    const common = {
      connection: this.environment.nativeConnection,
      activities: script.activities,
      // So that a cancellation reaches an activity soon.
      maxHeartbeatThrottleInterval: this.pace.heartbeatMs,
      defaultHeartbeatThrottleInterval: this.pace.heartbeatMs,
      shutdownGraceTime: '1 millisecond',
      ...options,
    } as const;
    const workers = [
      await Worker.create({ workflowBundle: this.bundle, ...common, taskQueue }),
      await Worker.create({ ...common, taskQueue: pauseQueueOf(taskQueue) }),
    ];
    const running = Promise.all(workers.map((one) => one.run()));
    return async () => {
      for (const one of workers) if (one.getState() === 'RUNNING') one.shutdown();
      await running;
    };
  }

  /** Sends a signal by a client that encodes what it sends. */
  async signalThrough(codec: PayloadCodec, workflowId: string, name: string, ...args: unknown[]): Promise<void> {
    const { connection, options } = this.environment.client;
    const client = new Client({
      connection,
      namespace: options.namespace,
      dataConverter: { payloadCodecs: [codec] },
    });
    await client.workflow.getHandle(workflowId).signal(name, ...args);
  }

  /** Ends every migration that a test left, and its worker. */
  async endMigrations(): Promise<void> {
    for (const migration of this.#migrations.splice(0)) await migration.end();
  }

  async close(): Promise<void> {
    await this.endMigrations();
    await this.environment.teardown();
    // Its threads would keep the process of the tests alive.
    await Runtime.instance().shutdown();
  }
}

/** One run of the workflow under test, and the script that it runs against. */
export class ScriptedMigration {
  constructor(
    readonly handle: WorkflowHandle,
    readonly script: ScriptedActivities,
    private readonly stop: () => Promise<void>,
    private readonly pace: Pace = FAST,
  ) {}

  get id(): string {
    return this.handle.workflowId;
  }

  progress(): Promise<Progress> {
    return this.handle.query<Progress>(MESSAGES.progress);
  }

  report(): Promise<Report> {
    return this.handle.query<Report>(MESSAGES.report);
  }

  result(): Promise<Report> {
    return this.handle.result() as Promise<Report>;
  }

  /** Waits until the progress is as wanted, and answers it. */
  until(what: string, wanted: (progress: Progress) => boolean): Promise<Progress> {
    return waitFor(
      what,
      async () => {
        // A query that comes before the first workflow task finds no handler.
        const progress = await this.progress().catch(() => undefined);
        return progress && wanted(progress) ? progress : undefined;
      },
      this.pace,
    );
  }

  untilGate(name: GateName): Promise<Progress> {
    return this.until(`gate ${name} is open`, ({ gate }) => gate?.name === name);
  }

  untilParked(): Promise<Progress> {
    return this.until('it is parked', ({ parked }) => parked !== undefined);
  }

  untilNotice(text: string | RegExp): Promise<Progress> {
    return this.until(`notice ${text}`, ({ notices }) => notices.some((notice) => notice.text.match(text) !== null));
  }

  signal(name: string, ...args: unknown[]): Promise<void> {
    return this.handle.signal(name, ...args);
  }

  update(name: string, ...args: unknown[]): Promise<string> {
    return this.handle.executeUpdate<string, [unknown, ...unknown[]]>(name, { args: [args[0], ...args.slice(1)] });
  }

  /** Approves a gate as soon as it is open. */
  async approve(...gates: GateName[]): Promise<void> {
    for (const gate of gates) {
      await this.untilGate(gate);
      await this.update(MESSAGES.approve, { gate, by: 'anna' });
    }
  }

  /** The type of the failure with which the workflow ended. */
  async failure(): Promise<{ message: string; type?: string | null; details?: unknown[] | null }> {
    return this.handle.result().then(
      () => {
        throw new Error('the workflow did not fail');
      },
      (error: unknown) => {
        if (error instanceof WorkflowFailedError && error.cause) return error.cause;
        throw error;
      },
    );
  }

  async status(): Promise<string> {
    return (await this.handle.describe()).status.name;
  }

  /** Ends the workflow, if it runs, and the worker. */
  async end(): Promise<void> {
    await this.handle.terminate('end of the test').catch(() => undefined);
    await this.stop();
  }
}

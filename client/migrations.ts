import {
  type Client,
  QueryNotRegisteredError,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import type { Preflight } from '../plan/checks';
import type { GateAnswer, WaiveRequest } from '../plan/gates';
import type { PlanInput } from '../plan/plan';
import type { Progress } from '../plan/progress';
import type { Report } from '../plan/report';
import { MESSAGES, migrationWorkflowId, PREFLIGHT_WORKFLOW_TYPE, TASK_QUEUE, WORKFLOW_TYPE } from '../plan/temporal';
import { CommandError, EXIT } from './exit-codes';

/** How long an answer may take when no worker is there to give it, in milliseconds. */
const ANSWER_TIMEOUT_MS = 15_000;

/** A board that is younger than this is shown as it is, in milliseconds. */
const FRESH_MS = 30_000;

/** Starts, watches and answers migrations: what the command line does, as a library. */
export class Migrations {
  constructor(private readonly client: Client) {}

  /** @throws CommandError `refused` when a migration of that id runs already */
  async start(id: string, plan: PlanInput): Promise<void> {
    try {
      await this.client.workflow.start(WORKFLOW_TYPE, {
        taskQueue: TASK_QUEUE,
        workflowId: migrationWorkflowId(id),
        args: [plan],
        staticSummary: `${plan.source.instance} to ${plan.target.instance}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      throw new CommandError(EXIT.refused, `Migration ${id} runs already; look at it with: keyshift status ${id}`);
    }
  }

  /** Runs the checks alone. */
  async preflight(id: string, plan: PlanInput): Promise<Preflight> {
    return await (this.client.workflow.execute(PREFLIGHT_WORKFLOW_TYPE, {
      taskQueue: TASK_QUEUE,
      workflowId: `${migrationWorkflowId(id)}-preflight`,
      args: [{ id, plan }],
      staticSummary: `preflight of ${plan.source.instance}`,
    }) as Promise<Preflight>);
  }

  progress(id: string): Promise<Progress> {
    return this.#query<Progress>(id, MESSAGES.progress);
  }

  report(id: string): Promise<Report> {
    return this.#query<Report>(id, MESSAGES.report);
  }

  /** What the running activities said last: fresher than `progress`, which moves with the workflow's history. */
  async live(id: string): Promise<string[]> {
    const { raw } = await this.#found(id, (handle) => handle.describe());
    return (raw.pendingActivities ?? []).map((activity) => {
      const payload = activity.heartbeatDetails?.payloads?.[0];
      const details: unknown = payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
      const attempt = Number(activity.attempt ?? 1);
      return [
        activity.activityType?.name ?? '',
        ...(attempt > 1
          ? [
              `attempt ${attempt}${activity.lastFailure?.message ? `, last failure: ${activity.lastFailure.message}` : ''}`,
            ]
          : []),
        ...(details === undefined ? [] : [describeDetails(details)]),
      ].join(': ');
    });
  }

  /** The result, when the migration has ended. @throws CommandError `failed` or `blocked` */
  async result(id: string): Promise<Report> {
    try {
      return await this.#found(id, (handle) => handle.result() as Promise<Report>);
    } catch (error) {
      throw asCommandError(error);
    }
  }

  /** True while the workflow runs. */
  async isRunning(id: string): Promise<boolean> {
    const { status } = await this.#found(id, (handle) => handle.describe());
    return status.name === 'RUNNING';
  }

  approve(id: string, answer: GateAnswer): Promise<string> {
    return this.#update(id, MESSAGES.approve, answer);
  }

  reject(id: string, answer: GateAnswer): Promise<string> {
    return this.#update(id, MESSAGES.reject, answer);
  }

  abort(id: string, request: { by?: string; reason?: string }): Promise<string> {
    return this.#update(id, MESSAGES.abort, request);
  }

  rollback(id: string, request: { by?: string; reason?: string }): Promise<string> {
    return this.#update(id, MESSAGES.rollback, request);
  }

  retry(id: string, request: { by?: string }): Promise<string> {
    return this.#update(id, MESSAGES.retry, request);
  }

  /** A fresh board, or the last one where that is fresh: read from the progress, which costs the history nothing. */
  async goNoGo(id: string): Promise<Progress> {
    const before = await this.progress(id);
    const ageMs = before.board ? Date.now() - Date.parse(before.board.at) : Infinity;
    if (ageMs < FRESH_MS) return before;
    await this.#found(id, (handle) => handle.executeUpdate<string, []>(MESSAGES.goNoGo));
    return this.progress(id);
  }

  waive(id: string, request: WaiveRequest): Promise<string> {
    return this.#update(id, MESSAGES.waive, request);
  }

  switched(id: string, request: { by?: string }): Promise<string> {
    return this.#update(id, MESSAGES.switched, request);
  }

  #query<T>(id: string, name: string): Promise<T> {
    return this.#found(id, (handle) => handle.query<T>(name));
  }

  #update(id: string, name: string, input: unknown): Promise<string> {
    return this.#found(id, (handle) => handle.executeUpdate<string, [unknown]>(name, { args: [input] }));
  }

  async #found<T>(id: string, ask: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
    try {
      return await this.client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () =>
        ask(this.client.workflow.getHandle(migrationWorkflowId(id))),
      );
    } catch (error) {
      throw asCommandError(error, id);
    }
  }
}

function describeDetails(details: unknown): string {
  // `resume` is for the next attempt, and long.
  const { waitingFor, resume: _resume, ...rest } = details as { waitingFor?: string; resume?: unknown };
  const others = Object.keys(rest).length > 0 ? JSON.stringify(rest) : '';
  return [waitingFor, others].filter(Boolean).join(' ');
}

/** What the operator is told of an error of Temporal's. */
export function asCommandError(error: unknown, id = ''): unknown {
  if (error instanceof CommandError) return error;
  if (error instanceof WorkflowNotFoundError || error instanceof QueryNotRegisteredError) {
    return new CommandError(
      EXIT.notFound,
      `There is no migration ${id} (or it has ended and this needs a running one).`,
    );
  }
  if (error instanceof WorkflowUpdateFailedError && error.cause)
    return new CommandError(EXIT.refused, error.cause.message);
  if (error instanceof WorkflowFailedError) {
    const { cause } = error;
    const type = cause instanceof ApplicationFailure ? cause.type : undefined;
    const exitCode = type === 'PreflightBlocked' ? EXIT.blocked : type === 'InvalidPlan' ? EXIT.usage : EXIT.failed;
    const details: unknown = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
    return new CommandError(exitCode, cause?.message ?? error.message, details);
  }
  const late = error instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
  if (late || (error instanceof ServiceError && /deadline|timeout/i.test(error.message))) {
    return new CommandError(
      EXIT.unreachable,
      `No answer from migration ${id} within ${ANSWER_TIMEOUT_MS / 1000} s: is a worker running on task queue ${TASK_QUEUE}?${late ? ' What was asked may still take effect when one does.' : ''}`,
    );
  }
  return error;
}

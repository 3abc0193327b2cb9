import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  isGrpcServiceError,
  NamespaceNotFoundError,
  QueryNotRegisteredError,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type WorkflowUpdateHandle,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import type { Preflight } from '../plan/checks';
import { duration } from '../plan/format';
import type { GateAnswer, WaiveRequest } from '../plan/gates';
import type { PlanInput } from '../plan/plan';
import type { Progress } from '../plan/progress';
import type { Report } from '../plan/report';
import {
  BOARD_UNREADABLE,
  MESSAGES,
  migrationWorkflowId,
  NO_CREDENTIALS,
  PREFLIGHT_WORKFLOW_TYPE,
  TASK_QUEUE,
  WORKFLOW_TYPE,
} from '../plan/temporal';
import { CommandError, EXIT } from './exit-codes';
import { requireWorker, START_A_WORKER } from './workers';

/** How long an answer may take when no worker is there to give it, in milliseconds. A command says within 10 s that nobody is. */
const ANSWER_TIMEOUT_MS = 7_000;

/** How long the result of an accepted update may take, in milliseconds. */
const RESULT_TIMEOUT_MS = 5 * 60_000;

/** How often a command that waits for a board says how far it is, in milliseconds. */
const SAY_EVERY_MS = 5_000;

/** The activity that reads the board. */
const BOARD_ACTIVITY = 'readGoNoGo';

/** Events of a workflow that no worker has begun: that it was started, and that its first task waits. */
const UNTOUCHED_EVENTS = 2;

/** How often a command that waits looks what keeps it, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** A board that is younger than this is shown as it is, in milliseconds. */
const FRESH_MS = 30_000;

/** Starts, watches and answers migrations: what the command line does, as a library. */
export class Migrations {
  constructor(private readonly client: Client) {}

  /**
   * Starts a migration, if there is a worker for it.
   * @throws CommandError `refused` when a migration of that id runs already, `unreachable` when no worker polls
   */
  async start(id: string, plan: PlanInput): Promise<void> {
    await this.#asked(() => requireWorker(this.client), id);
    try {
      await this.client.workflow.start(WORKFLOW_TYPE, {
        taskQueue: TASK_QUEUE,
        workflowId: migrationWorkflowId(id),
        args: [plan],
        staticSummary: `${plan.source.instance} to ${plan.target.instance}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw asCommandError(error, id);
      throw new CommandError(EXIT.refused, `Migration ${id} runs already; look at it with: keyshift status ${id}`);
    }
  }

  /**
   * Runs the checks alone. `waiting` hears what an attempt failed with that is made again; `all` has every statement of a remedy.
   * @throws CommandError `unreachable` when no worker polls, or when the worker has no AWS credentials
   */
  async preflight(
    id: string,
    plan: PlanInput,
    waiting: (text: string) => void,
    { all = false } = {},
  ): Promise<Preflight> {
    const workflowId = `${migrationWorkflowId(id)}-preflight`;
    await this.#asked(() => requireWorker(this.client), id);
    try {
      await this.client.workflow.start(PREFLIGHT_WORKFLOW_TYPE, {
        taskQueue: TASK_QUEUE,
        workflowId,
        args: [{ id, plan, ...(all ? { all } : {}) }],
        staticSummary: `preflight of ${plan.source.instance}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw asCommandError(error, id);
      throw new CommandError(
        EXIT.refused,
        `A preflight of ${id} runs already (workflow ${workflowId}): wait for its end`,
      );
    }
    return this.#preflightEnded(workflowId, waiting);
  }

  /** No call may be under way when this throws: the SDK would try it again on a connection that is closed. */
  async #preflightEnded(workflowId: string, waiting: (text: string) => void): Promise<Preflight> {
    const begunAt = Date.now();
    for (;;) {
      const { status } = await this.#found(workflowId, (handle) => handle.describe());
      if (status.name !== 'RUNNING') {
        return this.#found(workflowId, (handle) => handle.result() as Promise<Preflight>);
      }
      await this.#requireBegun(workflowId, begunAt);
      await this.sayWhatFails(workflowId, waiting);
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** Temporal lists a worker for a while that is gone: this one shows by what it doesn't begin. */
  async #requireBegun(workflowId: string, begunAt: number): Promise<void> {
    await this.#asked(() => requireWorker(this.client), workflowId);
    const { historyLength } = await this.#found(workflowId, (handle) => handle.describe());
    if (historyLength > UNTOUCHED_EVENTS || Date.now() - begunAt < ANSWER_TIMEOUT_MS) return;
    throw new CommandError(
      EXIT.unreachable,
      `No worker of task queue ${TASK_QUEUE} has begun workflow ${workflowId} within ${ANSWER_TIMEOUT_MS / 1000} s. ${START_A_WORKER}; it goes on by itself then.`,
    );
  }

  /** Tells `waiting` what running activities failed with. @throws CommandError `unreachable` when the worker has no AWS credentials */
  async sayWhatFails(workflowId: string, waiting: (text: string) => void): Promise<void> {
    const { raw } = await this.#found(workflowId, (handle) => handle.describe());
    for (const { activityType, lastFailure } of raw.pendingActivities ?? []) {
      if (lastFailure?.applicationFailureInfo?.type === NO_CREDENTIALS)
        throw new CommandError(
          EXIT.unreachable,
          `${lastFailure.message} Workflow ${workflowId} goes on by itself when the worker has some.`,
        );
      if (lastFailure?.message) waiting(`${activityType?.name ?? ''} is tried again: ${lastFailure.message}`);
    }
  }

  progress(id: string): Promise<Progress> {
    return this.#told(id, MESSAGES.progress, ({ progress }) => progress);
  }

  report(id: string): Promise<Report> {
    return this.#told(id, MESSAGES.report, (report) => report);
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

  /**
   * A fresh board, or the last one where that is fresh: read from the progress, which costs the history nothing. A look takes as long as it
   * takes, and so does an answer of a worker that is busy: waits for both as long as a worker polls. `waiting` hears how far it is.
   */
  async goNoGo(id: string, waiting: (text: string) => void = () => undefined): Promise<Progress> {
    const patiently = <T>(ask: () => Promise<T>) => this.#patiently(ask, waiting);
    const before = await patiently(() => this.progress(id));
    const ageMs = before.board ? Date.now() - Date.parse(before.board.at) : Infinity;
    if (ageMs < FRESH_MS) return before;
    // One id, so that a second try is the same question.
    const updateId = randomUUID();
    const accepted = await patiently(() => this.#accepted(id, MESSAGES.goNoGo, [], updateId));
    const begunAt = Date.now();
    for (;;) {
      const answer = await this.#resultSoon(accepted, id);
      if (answer?.startsWith(BOARD_UNREADABLE)) throw new CommandError(EXIT.unexpected, answer);
      if (answer !== undefined) return patiently(() => this.progress(id));
      await this.#asked(() => requireWorker(this.client), id);
      const doing = (await patiently(() => this.live(id))).filter((line) => line.startsWith(BOARD_ACTIVITY));
      waiting(`still looking, ${duration(Date.now() - begunAt)}${doing.map((line) => `; ${line}`).join('')}`);
    }
  }

  /** Asks again for as long as nobody has answered, and a worker polls all the same. */
  async #patiently<T>(ask: () => Promise<T>, waiting: (text: string) => void): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        await this.#asked(() => requireWorker(this.client), '');
        waiting('a worker polls, but has not answered yet: still waiting');
      }
    }
  }

  /** The result of an update, if it has one by now or a moment later. */
  async #resultSoon(accepted: WorkflowUpdateHandle<string>, id: string): Promise<string | undefined> {
    try {
      return await this.client.withDeadline(Date.now() + SAY_EVERY_MS, () => accepted.result());
    } catch (error) {
      if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return undefined;
      throw asCommandError(error, id);
    }
  }

  waive(id: string, request: WaiveRequest): Promise<string> {
    return this.#update(id, MESSAGES.waive, request);
  }

  switched(id: string, request: { by?: string }): Promise<string> {
    return this.#update(id, MESSAGES.switched, request);
  }

  /** What the workflow says of itself. One that has completed says it by its result, which needs no worker; one that failed has none. */
  #told<T>(id: string, query: string, ofResult: (report: Report) => T): Promise<T> {
    return this.#found(id, async (handle) => {
      const { status } = await handle.describe();
      if (status.name === 'COMPLETED') return ofResult((await handle.result()) as Report);
      await requireWorker(this.client);
      return handle.query<T>(query);
    });
  }

  /** Sends an update: its validator answers at once, so what takes longer is its effect. */
  async #update(id: string, name: string, ...args: unknown[]): Promise<string> {
    const accepted = await this.#accepted(id, name, args);
    return this.#asked(() => accepted.result(), id, RESULT_TIMEOUT_MS);
  }

  #accepted(id: string, name: string, args: unknown[], updateId?: string): Promise<WorkflowUpdateHandle<string>> {
    return this.#found(id, async (handle) => {
      await requireWorker(this.client);
      const options = { args: args as [unknown], waitForStage: 'ACCEPTED', ...(updateId ? { updateId } : {}) } as const;
      return handle.startUpdate<string, [unknown]>(name, options);
    });
  }

  /** Asks about a migration; all calls of an answer share one deadline. */
  #found<T>(id: string, ask: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
    return this.#asked(() => ask(this.client.workflow.getHandle(migrationWorkflowId(id))), id);
  }

  async #asked<T>(ask: () => Promise<T>, id: string, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
    try {
      return await this.client.withDeadline(Date.now() + timeoutMs, ask);
    } catch (error) {
      throw asCommandError(error, id);
    }
  }
}

function describeDetails(details: unknown): string {
  // `resume` and `failed` are for the next attempt, and long.
  const { waitingFor, resume: _resume, failed: _failed, ...rest } = details as Record<string, unknown>;
  const others = Object.keys(rest).length > 0 ? JSON.stringify(rest) : '';
  return [typeof waitingFor === 'string' ? waitingFor : '', others].filter(Boolean).join(' ');
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
  if (error instanceof NamespaceNotFoundError) {
    return new CommandError(
      EXIT.unreachable,
      `Temporal has no namespace ${error.namespace}: set TEMPORAL_NAMESPACE to the one that the worker uses.`,
    );
  }
  return asUnanswered(error, id);
}

/** Nobody has answered in time. */
class Unanswered extends CommandError {}

/** Codes of gRPC with which Temporal says that nobody answered: CANCELLED, DEADLINE_EXCEEDED, FAILED_PRECONDITION, UNAVAILABLE. */
const NO_ANSWER: ReadonlySet<unknown> = new Set([1, 4, 9, 14]);

/** An error of the connection, with what Temporal said; the SDK's own message says only which call it was. */
function asUnanswered(error: unknown, id: string): unknown {
  const late = error instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
  const cause = error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : error;
  if (!late && !(error instanceof ServiceError) && !isGrpcServiceError(error)) return error;
  const { code, details } = cause as { code?: unknown; details?: string };
  if (!late && code !== undefined && !NO_ANSWER.has(code)) {
    const why = details || (cause as Error).message;
    // What can be missing but a workflow is the namespace.
    const hint = code === 5 ? ' Set TEMPORAL_NAMESPACE to the one that the worker uses.' : '';
    return new CommandError(EXIT.unreachable, `Temporal refused it: ${why}${hint}`);
  }
  const about = id === '' ? '' : ` about migration ${id}`;
  return new Unanswered(
    EXIT.unreachable,
    `No worker of task queue ${TASK_QUEUE} answered${about} within ${ANSWER_TIMEOUT_MS / 1000} s. ${START_A_WORKER}, or look at its log.${late ? ' What was asked may still take effect when one answers.' : ''}`,
  );
}

import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  patched,
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { MigrationRef } from '../activities/dependencies';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { ENDING_FAILURES } from '../plan/failures';
import type { Approval, GateAnswer, GateName } from '../plan/gates';
import { endedReport } from '../plan/ended-report';
import { fitReport } from '../plan/fit-report';
import { renames } from '../plan/instance-names';
import { stopsSource } from '../plan/last-lock';
import type { Plan } from '../plan/plan';
import { oneLine } from '../plan/printable';
import { newProgress, type Parked, type Progress, stepOf } from '../plan/progress';
import type { Report, RollbackFacts } from '../plan/report';
import { type Phase, type StepName, STEPS } from '../plan/steps';
import { MESSAGES, SEARCH_ATTRIBUTES } from '../plan/temporal';
import { act, usePauseQueue } from './act';
import { ByHand } from './by-hand';
import { Desk } from './desk';
import { renderDetails, updateCommand } from './details';
import { type GateHost, Gates } from './gate';
import { LastLock } from './last-lock';
import { type Answerable, listen, taking } from './listen';
import { listenAtDesk } from './listen-board';
import { MessageCount } from './message-count';
import type { Request } from './messages';
import { Retrying } from './retrying';
import { UndoList, type UndoFailure } from './undo';

const MAX_NOTICES = 50;
/** An open gate shows in the Web UI as a timer; nothing happens when it fires but that it is started anew. */
const GATE_TIMER = '365 days';
/** Who approved a gate that the plan leaves without approval. */
export const BY_PLAN = 'plan';

const attribute = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

/**
 * State of one migration and what its steps need: progress, gates, undo list, parking. The steps themselves, and their
 * order, are in strategies/ and steps/.
 */
export class Migration implements Answerable, GateHost {
  /** Task queue of the pauses; absent in a migration that began before they had one. */
  readonly pauseQueue = usePauseQueue();
  readonly undo = new UndoList();
  readonly gates = new Gates(this);
  readonly desk = new Desk(this);
  readonly byHand = new ByHand(this);
  readonly lastLock = new LastLock(this);
  readonly messageCount: MessageCount;
  readonly report: Report;
  readonly progress: Progress;
  /** Slots of a migration that runs at an upgrade keep their names; this is asked before the first activity. */
  readonly #naming = patched('unambiguous-slot-names-20261130') ? ({ naming: 2 } as const) : {};
  readonly #scope = new CancellationScope();
  #gateShown: GateName | undefined;
  #retryRequested = false;
  #abortRequested = false;
  #pastSwitch = false;
  /** A rollback that was asked for and is not over. */
  #rollback: RollbackFacts | undefined;
  /** What a rollback interrupts. */
  #soak: CancellationScope | undefined;
  /** The gate behind which there is no way back was passed. */
  #decommissioning = false;
  #rolledBack = false;
  /** The traffic switch `rds-rename` is made: source and target have other names than in the plan. */
  #renamed = false;
  #inPause = false;
  /** Undoing: what anything beside the steps still finds is of no matter any more. */
  #ending = false;
  #alarm: Error | undefined;
  /** What ends the migration, though nobody said `abort`. */
  #ruin: ApplicationFailure | undefined;

  constructor(
    readonly id: string,
    readonly plan: Plan,
  ) {
    this.progress = newProgress(id, { stopsSource: stopsSource(plan) });
    this.report = {
      migration: id,
      status: 'running',
      plan,
      progress: this.progress,
      checks: [],
      overridden: [],
      stays: [],
    };
    this.messageCount = new MessageCount(id, (text) => this.notice(text));
    listen(this);
    new Retrying(this).listen(taking(this.messageCount));
    listenAtDesk(this.desk, this.byHand, taking(this.messageCount), (text) => this.notice(text));
    upsertSearchAttributes([
      { key: attribute(SEARCH_ATTRIBUTES.source), value: plan.source.instance },
      { key: attribute(SEARCH_ATTRIBUTES.target), value: plan.target.instance },
      { key: attribute(SEARCH_ATTRIBUTES.phase), value: this.progress.phase },
    ]);
    this.show();
  }

  /** The part of every activity's input that says which migration it is for. */
  get ref(): MigrationRef {
    const { id, plan, report } = this;
    const [recordsIn] = report.source?.databases ?? [];
    const named = { id, ...this.#naming, plan };
    return {
      ...named,
      ...(report.source ? { sourceResourceId: report.source.resourceId } : {}),
      ...(report.target ? { targetResourceId: report.target.resourceId } : {}),
      ...(recordsIn === undefined ? {} : { recordsIn }),
      ...(this.#renamed ? { renamed: 'both' as const } : {}),
    };
  }

  /** Traffic is on `side`: after the switch `rds-rename` the instances have other names there, and their own again after a rollback. */
  trafficIsOn(side: 'source' | 'target'): void {
    this.#renamed = side === 'target' && renames(this.plan);
  }

  /** The migration ends because it can't succeed any more; nobody is there who could be asked. */
  get ruined(): boolean {
    return this.#ruin !== undefined;
  }

  /** After the switch the migration only goes forward. */
  get pastSwitch(): boolean {
    return this.#pastSwitch;
  }

  /**
   * Runs the strategy to its end, or, when an operator aborts before the switch, undoes everything, newest first.
   * A cancellation by Temporal (`temporal workflow cancel`) does the same, and so does a failure of ENDING_FAILURES, with
   * which the workflow then fails.
   */
  async run(strategy: () => Promise<void>): Promise<Report> {
    try {
      await this.#scope.run(strategy);
      // One that was completed has done so as a step of its own.
      if (this.#rolledBack) await this.#keepReport('rolled-back');
      this.#end(this.#rolledBack ? 'rolled-back' : 'completed');
    } catch (error) {
      // Beside what ruins it, only the preflight ends a migration by an error: before anything is touched.
      if (!isCancellation(error) && !this.#ruin) {
        this.#end('failed');
        throw error;
      }
      this.#ending = true;
      this.progress.status = 'aborting';
      delete this.progress.parked;
      // What it warned of is given up; it must not close the gate that the undo may open.
      this.#alarm = undefined;
      this.gates.close();
      await this.#undoAll();
      const status = this.#ruin ? 'failed' : 'aborted';
      await this.#keepReport(status);
      this.#end(status);
      if (this.#ruin) throw this.#ruin;
      if (!this.#abortRequested) throw error;
    }
    // A cancellation that came after the switch had no effect, and has none here.
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    return fitReport(this.report);
  }

  /** Nothing is undone while applications may be on the target: a workflow that was reset knows of no switch. */
  async #undoAll(): Promise<void> {
    if (!this.undo.isEmpty && patched('undo-asks-who-is-in-use-20261130')) await this.#untilUnused();
    await this.undo.runAll(this.progress, (name, message, type) => this.#parkUndo(name, message, type));
  }

  /** Waits until the world says that nobody is on the target. */
  async #untilUnused(): Promise<void> {
    const input = { ...this.ref, lowersFence: this.undo.has('fence') };
    await CancellationScope.nonCancellable(async () => {
      for (;;) {
        const evidence = await seen(input);
        if (evidence.length === 0) return;
        const { instance } = this.plan.target;
        const message = `Nothing was undone: applications may be on ${instance}. Seen: ${evidence.map(({ text }) => text).join('; ')}. If they are, leave this migration parked, and end it by hand (docs/operating.md, "When applications are on the other side"). If they are not, correct what was seen, then send retry.`;
        await this.#parkEnding({ type: 'InUse', message, details: evidence }, 'parked: nothing was undone; retry');
      }
    });
  }

  /** Keeps the report where the plan says; an end that is no success must not fail for it. */
  async #keepReport(status: 'aborted' | 'failed' | 'rolled-back'): Promise<void> {
    if (!this.plan.report) return;
    try {
      const report = endedReport(this.report, status, now());
      const kept = await CancellationScope.nonCancellable(() => act('writeReport', { ...this.ref, report }));
      for (const { address, sha256 } of kept) {
        this.report.stays.push({ what: 'report', name: address, why: `the plan keeps it; sha256 ${sha256}` });
      }
    } catch (error) {
      this.notice(`the report is not where the plan wants it: ${(failureOf(error) as Error).message}`);
    }
  }

  /** An undo without which nothing older may be undone: waits until an operator has corrected what it stumbles over. */
  async #parkUndo(name: string, message: string, type: UndoFailure): Promise<void> {
    const parked = { type, message: `undo of ${name}: ${message}` };
    await this.#parkEnding(parked, `parked: the undo of ${name} failed; retry`);
  }

  /** While everything is undone, there is nothing but `retry`. */
  async #parkEnding(parked: Omit<Parked, 'step'>, summary: string): Promise<void> {
    this.progress.parked = { step: this.#lastStep, ...parked };
    this.progress.status = 'parked';
    this.#retryRequested = false;
    this.show();
    await this.timerWhile(() => this.#retryRequested, summary);
    delete this.progress.parked;
    this.progress.status = 'aborting';
  }

  /** The step that began last: where the migration was when it ended. */
  get #lastStep(): StepName {
    return this.progress.steps.findLast(({ startedAt }) => startedAt !== undefined)?.name ?? 'preflight';
  }

  #end(status: 'completed' | 'aborted' | 'failed' | 'rolled-back'): void {
    this.progress.status = status;
    this.report.status = status;
    this.show();
  }

  /**
   * Runs the pause: nothing from outside may cut it off, since only its own end says on which side the traffic is. When it
   * fails, `undo` runs before anybody sees the failure.
   */
  async uninterrupted<T>(work: () => Promise<T>, undo: () => Promise<unknown>): Promise<T> {
    this.#inPause = true;
    try {
      return await CancellationScope.nonCancellable(async () => {
        try {
          return await work();
        } catch (error) {
          await undo().catch((failed: unknown) => this.#fenceInDoubt(failed));
          throw error;
        }
      });
    } finally {
      this.#inPause = false;
    }
  }

  /** Either traffic turned out to be on the target, and there is only forward, or nobody could look. */
  #fenceInDoubt(error: unknown): void {
    const failure = failureOf(error);
    if (failure instanceof ApplicationFailure && failure.type === 'AlreadySwitched') this.#pastSwitch = true;
    else this.notice(`THE FENCE ON THE SOURCE MAY STILL BE UP: ${(failure as Error).message}`);
  }

  /** From here on neither abort nor cancel has an effect. */
  async forwardOnly<T>(work: () => Promise<T>): Promise<T> {
    this.#pastSwitch = true;
    if (this.#abortRequested) this.notice('the abort came too late: traffic had been switched to the target');
    return CancellationScope.nonCancellable(work);
  }

  /** Applications are on the target, and what they write goes back: a rollback loses nothing. */
  openWayBack(): void {
    const command = updateCommand(this.id, MESSAGES.rollback, JSON.stringify({ by: '<you>', reason: '<why>' }));
    this.progress.wayBack = { state: 'replicating', since: now(), command };
    this.show();
  }

  /** The way back is gone; the migration itself is none the worse for it. */
  loseWayBack(error: unknown): void {
    const { wayBack } = this.progress;
    if (!wayBack || wayBack.state === 'lost') return;
    wayBack.state = 'lost';
    wayBack.why = (failureOf(error) as Error).message;
    this.notice(`NO WAY BACK ANY MORE: ${wayBack.why}`);
  }

  /** From here on a rollback is refused. */
  closeWayBack(): void {
    this.#decommissioning = true;
    delete this.progress.wayBack;
    delete this.progress.soak;
  }

  /**
   * Runs what follows the switch until somebody asks for a rollback, which interrupts it wherever it is: at a gate, parked, or in the
   * midst of the proof.
   * @returns the request, or undefined when the work came to its end
   */
  async unlessRollback(work: () => Promise<void>): Promise<RollbackFacts | undefined> {
    const scope = new CancellationScope();
    this.#soak = scope;
    try {
      if (!this.#rollback) await scope.run(work);
    } catch (error) {
      if (!isCancellation(error) || !this.#rollback) throw error;
    } finally {
      this.#soak = undefined;
    }
    if (this.progress.parked) delete this.progress.parked;
    if (this.#rollback) this.progress.status = 'running';
    return this.#rollback;
  }

  /** The rollback is not made after all; the migration goes on where it was. */
  giveUpRollback(why: string): void {
    this.notice(`rollback given up: ${why}`);
    this.#rollback = undefined;
    delete this.report.rollback;
  }

  /** Applications are on the old source again: undoes everything but what somebody will want to look into. */
  async undoAfterRollback(): Promise<void> {
    this.#rolledBack = true;
    delete this.progress.wayBack;
    delete this.progress.soak;
    await this.undo.runAll(this.progress, (name, message, type) => this.#parkUndo(name, message, type), {
      afterRollback: true,
    });
    this.progress.status = 'running';
  }

  /**
   * Runs one step of the runbook. A final failure parks the migration here, visible, until an operator has fixed what
   * was wrong and says `retry`, or says `abort`.
   */
  async step<T>(name: StepName, work: (note: (text: string) => void) => Promise<T>): Promise<T> {
    const step = stepOf(this.progress, name);
    this.#enter(STEPS[name].phase);
    step.startedAt ??= now();
    for (;;) {
      step.status = 'running';
      this.show();
      try {
        this.#throwAlarm();
        const result = await work((text) => (step.note = text));
        step.status = 'done';
        step.endedAt = now();
        this.show();
        return result;
      } catch (error) {
        step.status = 'failed';
        if (isCancellation(error)) {
          step.note = this.#rollback ? 'left for the rollback' : 'aborted';
          throw error;
        }
        await this.#park(name, error);
      }
    }
  }

  /** Marks a step as not needed. */
  skip(name: StepName, note: string): void {
    const step = stepOf(this.progress, name);
    step.status = 'skipped';
    step.note = note;
    this.show();
  }

  /** A failure found beside the steps (the guard's): the next step to begin, or an open gate, parks with it. */
  raiseAlarm(error: unknown): void {
    if (this.#ending || this.#pastSwitch) return;
    if (this.#ruinedBy(error)) return;
    this.#alarm = error instanceof Error ? error : new Error(String(error));
  }

  /** Ends the migration if the failure is one that nothing fixes. */
  #ruinedBy(error: unknown): boolean {
    const failure = failureOf(error);
    if (!(failure instanceof ApplicationFailure) || !ENDING_FAILURES.has(failure.type ?? '')) return false;
    if (this.#pastSwitch || this.#ending) return false;
    this.#ruin = failure;
    this.notice(
      `${failure.type}: ${failure.message} Everything is undone, unless applications turn out to be on the target.`,
    );
    this.#scope.cancel();
    return true;
  }

  #throwAlarm(): void {
    if (this.#alarm) throw this.#alarm;
  }

  async #park(step: StepName, error: unknown): Promise<void> {
    if (this.#ruinedBy(error)) throw error;
    const failure = failureOf(error);
    // Not one of ours: a mistake in the workflow's own code. Temporal retries the task until a fixed worker comes.
    if (!(failure instanceof ApplicationFailure) && !(error instanceof ActivityFailure)) throw error;
    const known = failure instanceof ApplicationFailure ? failure : undefined;
    this.progress.parked = {
      step,
      type: known?.type ?? 'Unexpected',
      message: (failure as Error).message,
      ...(known?.details?.[0] === undefined ? {} : { details: known.details[0] }),
    };
    this.progress.status = 'parked';
    this.#retryRequested = false;
    this.show();
    await this.timerWhile(
      () => this.#retryRequested,
      `parked at ${step}: ${this.progress.parked.type}; retry or abort`,
    );
    delete this.progress.parked;
    this.#alarm = undefined;
    this.progress.status = 'running';
  }

  /** What `raiseAlarm` said and no operator has answered yet. */
  get alarm(): Error | undefined {
    return this.#alarm;
  }

  /**
   * Opens a gate and waits for its answer. A gate that the plan leaves without approval passes by itself. `rejectable`
   * gates end with either answer; at the others a rejection is noted and the gate stays open. `always`: a person is asked
   * whatever the plan says.
   */
  async gate(
    name: GateName,
    findings: readonly string[],
    options: { rejectable?: boolean; always?: boolean } = {},
  ): Promise<Approval> {
    this.#throwAlarm();
    if (!this.plan.gates[name].approval && !options.always) return this.passBy(name, BY_PLAN, 'no approval needed');
    this.gates.open(name, findings, options.rejectable);
    try {
      await this.timerWhile(
        () => this.gates.decided !== undefined || this.#alarm !== undefined,
        `waiting for approval: ${name}`,
      );
      this.#throwAlarm();
      return this.gates.decided as Approval;
    } finally {
      this.gates.close();
    }
  }

  /** The plan lets a gate pass by itself. */
  passBy(gate: GateName, by: string, comment: string): Approval {
    const approval: Approval = { gate, by, comment, at: now(), decision: 'approved' };
    if (!this.progress.approvals.some((one) => one.gate === gate && one.by === by)) {
      this.progress.approvals.push(approval);
    }
    return approval;
  }

  gateChanged(name: GateName | undefined): void {
    if (name !== this.#gateShown)
      upsertSearchAttributes([{ key: attribute(SEARCH_ATTRIBUTES.gate), value: name ?? null }]);
    this.#gateShown = name;
    this.show();
  }

  /** Waits for something that a person does; a timer with a summary makes the waiting visible on the timeline. */
  async timerWhile(done: () => boolean, summary: string): Promise<void> {
    while (!done()) {
      const timer = new CancellationScope();
      const timedOut = timer
        .run(() => sleep(GATE_TIMER, { summary }))
        .catch((error: unknown) => {
          if (!isCancellation(error) || !done()) throw error;
        });
      await Promise.race([condition(done), timedOut]);
      timer.cancel();
      await timedOut.catch(() => undefined);
    }
  }

  notice(text: string): void {
    this.progress.notices.push({ at: now(), text });
    this.progress.notices.splice(0, Math.max(0, this.progress.notices.length - MAX_NOTICES));
    this.show();
  }

  /** Refreshes what the Web UI shows. */
  show(): void {
    setCurrentDetails(renderDetails(this.progress));
  }

  #enter(phase: Phase): void {
    if (this.progress.phase === phase) return;
    this.progress.phase = phase;
    upsertSearchAttributes([{ key: attribute(SEARCH_ATTRIBUTES.phase), value: phase }]);
  }

  answer(decision: Approval['decision'], input: GateAnswer): string {
    const { gate, comment, waive = [] } = input;
    const [by, why] = [words(input.by), comment ? words(comment) : undefined];
    if (decision === 'approved') for (const code of waive) this.desk.waive({ code, by, reason: why ?? '' });
    const waived = waive.length > 0 ? { waive: [...waive] } : {};
    const approval = { gate, by, ...(why ? { comment: why } : {}), ...waived, at: now(), decision };
    if (this.progress.gate?.name === gate) return this.gates.answer(approval);
    this.gates.approveEarly(approval);
    return `${gate}: approved by ${by}; it opens when the board is looked at and nothing else is red`;
  }

  abort(input?: Request): string {
    this.#abortRequested = true;
    this.notice(`abort requested by ${words(input?.by)}: ${words(input?.reason)}`);
    this.#scope.cancel();
    return this.#inPause
      ? 'the pause is under way: if it has not switched traffic when it ends, everything is undone; else the migration goes on'
      : 'aborting: everything that was made is undone, newest first';
  }

  retry(input?: Request): string {
    this.notice(`retry requested by ${words(input?.by)}`);
    if (!this.progress.parked) {
      this.desk.nudge();
      return 'looking at the board again';
    }
    this.#retryRequested = true;
    return `retrying ${this.progress.parked?.step ?? ''}`;
  }

  rollback(input?: Request): string {
    const { by, reason } = { by: words(input?.by), reason: words(input?.reason) };
    this.#rollback = { by, reason, requestedAt: now() };
    this.report.rollback = this.#rollback;
    this.notice(`rollback requested by ${by}: ${reason}`);
    this.#soak?.cancel();
    return this.plan.gates.rollback.approval
      ? 'rollback: waits for the approval of its gate'
      : 'rolling back: writes stop for a moment, then applications are on the old source again';
  }

  refuseRollback(input?: Request): string | undefined {
    if (!this.#pastSwitch) {
      return 'rollback refused: traffic is still on the source; send abort';
    }
    if (this.#rolledBack) return 'rollback refused: it is over already';
    if (this.#rollback) return `rollback refused: already under way, requested by ${this.#rollback.by}`;
    if (this.#decommissioning) return 'rollback refused: the decommission has begun, and the way back is gone';
    if (this.plan.soak.wayBack === 'none') return 'rollback refused: the plan has no way back (soak.wayBack)';
    const { wayBack } = this.progress;
    if (wayBack?.state === 'lost') return `rollback refused: the way back is lost: ${wayBack.why}`;
    if (typeof input?.by !== 'string' || input.by.trim() === '') {
      return 'rollback refused: "by" has to say who asks, and "reason" should say why';
    }
    return undefined;
  }

  refuseRetry(): string | undefined {
    return (this.progress.parked ?? this.progress.blocked)
      ? undefined
      : `retry refused: nothing is parked (status ${this.progress.status})`;
  }

  refuseAnswer(input: GateAnswer | undefined, decision: Approval['decision'] = 'approved'): string | undefined {
    const wrong = this.gates.refuse(input, decision);
    const waive = input?.gate === 'cutover' && decision === 'approved' ? input.waive : undefined;
    if (!input || waive === undefined) return wrong;
    // With the waivers that it lacks, an approval may come before the gate is open.
    const early = this.progress.blocked !== undefined && input.opening === undefined && input.by?.trim();
    if (wrong !== undefined && !early) return wrong;
    const refused = this.desk.refuseWaivers(input);
    if (refused !== undefined || this.desk.opensWith(waive)) return refused;
    return `answer for cutover by ${input.by} refused: other lines are red, too; waive them all, or fix them`;
  }

  refuseAbort(): string | undefined {
    if (this.#ruin) return `abort: already under way, because of ${this.#ruin.type}`;
    if (this.#pastSwitch)
      return 'abort refused: traffic is on the target already; writes there would be lost. To go back, send rollback';
    if (this.#ending || this.#abortRequested) return 'abort: already under way';
    return undefined;
  }
}

/** What speaks against undoing; that nobody could look does, too. */
async function seen(input: Parameters<typeof act<'lookAtUse'>>[1]): Promise<readonly { readonly text: string }[]> {
  try {
    return (await act('lookAtUse', input)).evidence;
  } catch (error) {
    return [{ text: `nobody could look: ${(failureOf(error) as Error).message}` }];
  }
}

/** What an activity threw; anything else as it is. */
const failureOf = (error: unknown): unknown => (error instanceof ActivityFailure && error.cause ? error.cause : error);

/** What a person wrote, whatever a client made of it. */
const words = (value: unknown): string =>
  typeof value === 'string' && value !== '' ? oneLine(value.slice(0, 500)) : '(not said)';

/** Workflow time, which replays. */
const now = (): string => new Date().toISOString();

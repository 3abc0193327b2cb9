import { ApplicationFailure, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import { fitProgress, fitReport } from '../plan/fit-report';
import type { Approval, GateAnswer } from '../plan/gates';
import { oneLine } from '../plan/printable';
import type { Progress } from '../plan/progress';
import type { Report } from '../plan/report';
import type { MessageCount } from './message-count';
import * as messages from './messages';

/** What an operator can ask of a migration. Each question has a `why` (not now?) and, when that is undefined, an effect. */
export interface Answerable {
  readonly progress: Progress;
  readonly report: Report;
  readonly messageCount: MessageCount;
  refuseAnswer(input: GateAnswer | undefined, decision: Approval['decision']): string | undefined;
  answer(decision: Approval['decision'], input: GateAnswer): string;
  refuseAbort(): string | undefined;
  abort(input?: messages.Request): string;
  refuseRetry(): string | undefined;
  retry(input?: messages.Request): string;
  refuseRollback(input?: messages.Request): string | undefined;
  rollback(input?: messages.Request): string;
  notice(text: string): void;
}

/** How messages are taken: a signal and the update of its name do the same. */
export interface Taking {
  /** Takes a signal: its effect, or a notice that says why not. */
  signal(refused: string | undefined, effect: () => unknown): void;
  /** Takes an update that its validator let pass. */
  update<T>(effect: () => T): T;
  /** The validator of an update. What it refuses is in no history. @param last kept for it are the last updates that Temporal takes */
  validate(name: string, refused: string | undefined, last?: boolean): void;
}

export const taking = (count: MessageCount): Taking => ({
  signal(refused, effect) {
    count.signal();
    if (refused === undefined) effect();
    else count.refusedSignal(oneLine(refused));
  },
  update(effect) {
    count.update();
    return effect();
  },
  // The SDK does not await validators: they are synchronous.
  validate(name, refused, last = false) {
    const why = refused ?? (last ? undefined : count.refuseUpdate(name));
    if (why !== undefined) throw ApplicationFailure.nonRetryable(oneLine(why), 'Refused');
  },
});

/**
 * Sets the handlers of all messages. An update answers; a signal that is refused leaves a notice that the Web UI shows.
 */
export function listen(migration: Answerable): void {
  const take = taking(migration.messageCount);
  setHandler(messages.approveSignal, (input) =>
    take.signal(migration.refuseAnswer(input, 'approved'), () => migration.answer('approved', input)),
  );
  setHandler(messages.rejectSignal, (input) =>
    take.signal(migration.refuseAnswer(input, 'rejected'), () => migration.answer('rejected', input)),
  );
  setHandler(messages.abortSignal, (input) => take.signal(migration.refuseAbort(), () => migration.abort(input)));
  setHandler(messages.retrySignal, (input) => take.signal(migration.refuseRetry(), () => migration.retry(input)));
  setHandler(messages.rollbackSignal, (input) =>
    take.signal(migration.refuseRollback(input), () => migration.rollback(input)),
  );
  setHandler(messages.approveUpdate, (input) => take.update(() => migration.answer('approved', input)), {
    validator: (input: GateAnswer | undefined) => take.validate('approve', migration.refuseAnswer(input, 'approved')),
  });
  setHandler(messages.rejectUpdate, (input) => take.update(() => migration.answer('rejected', input)), {
    validator: (input: GateAnswer | undefined) => take.validate('reject', migration.refuseAnswer(input, 'rejected')),
  });
  setHandler(messages.abortUpdate, (input?: messages.Request) => take.update(() => migration.abort(input)), {
    validator: (_input?: messages.Request) => take.validate('abort', migration.refuseAbort(), true),
  });
  setHandler(messages.retryUpdate, (input?: messages.Request) => take.update(() => migration.retry(input)), {
    validator: (_input?: messages.Request) => take.validate('retry', migration.refuseRetry()),
  });
  setHandler(messages.rollbackUpdate, (input?: messages.Request) => take.update(() => migration.rollback(input)), {
    validator: (input?: messages.Request) => take.validate('rollback', migration.refuseRollback(input), true),
  });
  setDefaultSignalHandler((name) =>
    take.signal(
      `signal ${name} is not known: approve, reject, abort, retry, rollback, go-no-go, waive, switched`,
      () => undefined,
    ),
  );
  setHandler(messages.progressQuery, () => fitProgress(migration.progress));
  setHandler(messages.reportQuery, () => fitReport(migration.report));
}

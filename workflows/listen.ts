import { ApplicationFailure, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import { fitReport } from '../plan/fit-report';
import type { Approval, GateAnswer } from '../plan/gates';
import type { Progress } from '../plan/progress';
import type { Report } from '../plan/report';
import * as messages from './messages';

/** What an operator can ask of a migration. Each question has a `why` (not now?) and, when that is undefined, an effect. */
export interface Answerable {
  readonly progress: Progress;
  readonly report: Report;
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

/**
 * Sets the handlers of all messages. A signal and the update of its name do the same; an update answers, a signal that is
 * refused leaves a notice that the Web UI shows.
 */
export function listen(migration: Answerable): void {
  const bySignal = (refused: string | undefined, effect: () => string): void => {
    if (refused === undefined) effect();
    else migration.notice(refused);
  };
  // The SDK does not await validators: they are synchronous.
  const refusing = (refused: string | undefined): void => {
    if (refused !== undefined) throw ApplicationFailure.nonRetryable(refused, 'Refused');
  };
  setHandler(messages.approveSignal, (input) =>
    bySignal(migration.refuseAnswer(input, 'approved'), () => migration.answer('approved', input)),
  );
  setHandler(messages.rejectSignal, (input) =>
    bySignal(migration.refuseAnswer(input, 'rejected'), () => migration.answer('rejected', input)),
  );
  setHandler(messages.abortSignal, (input) => bySignal(migration.refuseAbort(), () => migration.abort(input)));
  setHandler(messages.retrySignal, (input) => bySignal(migration.refuseRetry(), () => migration.retry(input)));
  setHandler(messages.rollbackSignal, (input) =>
    bySignal(migration.refuseRollback(input), () => migration.rollback(input)),
  );
  setHandler(messages.approveUpdate, (input) => migration.answer('approved', input), {
    validator: (input: GateAnswer | undefined) => refusing(migration.refuseAnswer(input, 'approved')),
  });
  setHandler(messages.rejectUpdate, (input) => migration.answer('rejected', input), {
    validator: (input: GateAnswer | undefined) => refusing(migration.refuseAnswer(input, 'rejected')),
  });
  setHandler(messages.abortUpdate, (input?: messages.Request) => migration.abort(input), {
    validator: (_input?: messages.Request) => refusing(migration.refuseAbort()),
  });
  setHandler(messages.retryUpdate, (input?: messages.Request) => migration.retry(input), {
    validator: (_input?: messages.Request) => refusing(migration.refuseRetry()),
  });
  setHandler(messages.rollbackUpdate, (input?: messages.Request) => migration.rollback(input), {
    validator: (input?: messages.Request) => refusing(migration.refuseRollback(input)),
  });
  setDefaultSignalHandler((name) =>
    migration.notice(`signal ${name} is not known: approve, reject, abort, retry, rollback, go-no-go, waive, switched`),
  );
  setHandler(messages.progressQuery, () => migration.progress);
  setHandler(messages.reportQuery, () => fitReport(migration.report));
}

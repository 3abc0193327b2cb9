import { ApplicationFailure } from '@temporalio/common';

/**
 * Types of the final failures: what no retry can fix. Each has a paragraph in docs/failures.md that says what to do.
 * Before the switch, a final failure parks the migration; an operator answers it with `retry` or `abort`.
 */
export const FAILURE_TYPES = {
  InvalidPlan: 'the plan has mistakes; correct them and start again',
  PreflightBlocked: 'a check of the preflight blocks the migration; nothing was touched',
  NotOurs: 'something of the name that we need exists and is not of this migration',
  AccessDenied: 'AWS or PostgreSQL refuses the credentials or a permission',
  StatementRefused: 'PostgreSQL refuses a statement again and again in the same way',
  ResourceGone: 'something that the migration needs does not exist any more',
  ResourceFailed: 'an AWS resource ended in a state from which it does not recover',
  QuotaExceeded: 'a quota of the AWS account is exhausted',
  InvalidRequest: 'AWS refuses a request for good',
  SettingsDiffer: 'settings of the target are not those of the source',
  SlotLost: 'a replication slot is lost, gone or recreated: changes of the source are missing',
  SourceAtRisk: 'the source was about to run out of storage, so our slots were given up',
  PositionDisputed: 'the sources of the position disagree, or there is only one',
  ProvenanceFailed: 'the clone does not carry the mark that was made on the source',
  TargetCannotReachSource: 'the target has no connection to the source',
  SchemaDrifted: 'the schema of the source was changed since the snapshot, and the target does not have the change',
  SubscriptionFailed: 'the subscription stopped with an error',
  ContentsDiffer: 'rows of source and target differ',
  ProofIncomplete: 'the proof did not compare every table that the catalog counts',
  ResultTooBig: 'what an activity found is more than Temporal takes',
  TrafficRefused: 'the traffic switch cannot be made as planned',
  ReportNotWritten: 'the report could not be kept where the plan says',
  InUse: 'applications may be on the other side, so nothing was changed there',
  SourceInUse: 'the source is in use again, so it is not deleted',
  AlreadySwitched: 'traffic is on the target: the migration only goes forward',
} as const;
export type FailureType = keyof typeof FAILURE_TYPES;

/**
 * Failures behind which no `retry` can lead anywhere, since changes of the source are gone for good, and with which
 * waiting for a person would only harm the source: everything is undone, and the workflow fails.
 */
export const ENDING_FAILURES: ReadonlySet<string> = new Set<FailureType>(['SlotLost', 'SourceAtRisk']);

/**
 * A failure that no retry fixes.
 * @param message what is wrong, where, and what to do next; no secrets
 */
export function finalFailure(type: FailureType, message: string, details?: unknown): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type, ...(details === undefined ? [] : [details]));
}

import type { Contents } from './contents';
import { longestGapMs } from './pause';

/** What the demo ends with; written to `.keyshift/demo/verdict.json`. */
export interface Verdict {
  readonly strategy: string;
  readonly passed: boolean;
  /** From the start of the workflow to its end. */
  readonly durationSeconds: number;
  readonly source: { readonly encrypted: boolean };
  readonly target: { readonly encrypted: boolean; readonly kmsKeyId: string | null };
  /** `acknowledged` and `failed` count transactions, the others rows. */
  readonly writes: {
    readonly acknowledged: number;
    readonly missing: number;
    readonly duplicated: number;
    readonly stale: number;
    readonly failed: number;
  };
  /** Calls of the worker that docs/iam-policy.json doesn't allow. */
  readonly refusedCalls: readonly string[];
  readonly writePauseMs: number;
  /** Whether the application had a pooler before it. */
  readonly pooled: boolean;
  /** What the application saw from the approval of the cutover on: transactions failed or unknown, connections refused or lost. */
  readonly clientErrors: number;
  /** The same from the beginning on; the reboot of the source, where one is needed, fails transactions, too. */
  readonly clientErrorsInAll: number;
  /** The side that traffic is on at the end, and that is judged. */
  readonly judgedOn: 'target' | 'source';
  /** A pause that was made to overrun its budget on purpose; `null`: there was none. */
  readonly abortedPause: AbortedPause | null;
  /** What the migration itself has proven, and when: seconds after the switch. `null`: it has no proof. */
  readonly proof: ProofSummary | null;
  readonly tables: number;
  readonly rowsCompared: number;
  readonly mismatches: number;
  readonly sequencesBehind: number;
  readonly historyEvents: number;
  readonly historyBytes: number;
  readonly pauseTimeline: PauseTimeline;
  /** Of the pause in the other direction; `null`: nobody went back. */
  readonly rollbackTimeline: PauseTimeline | null;
}

export type PauseTimeline = readonly { readonly step: string; readonly ms: number }[];

/** What came of a pause that could not end. */
export interface AbortedPause {
  readonly budgetMs: number;
  /** The longest time without an acknowledged write around it. */
  readonly writePauseMs: number;
  /** What the gate said when it was open again; `null`: it was not. */
  readonly reason: string | null;
}

export interface ProofSummary {
  readonly rows: number;
  readonly tables: number;
  readonly seconds: number;
  /** Tables that differ. */
  readonly differences: number;
}

export interface VerdictInput {
  readonly strategy: string;
  readonly contents: Contents;
  readonly durationSeconds: number;
  readonly source: { readonly encrypted: boolean };
  readonly target: { readonly encrypted: boolean; readonly kmsKeyId: string | null };
  /** ARN of the key that the plan asks for. */
  readonly wantedKeyArn: string;
  /** When the cutover was approved and when traffic was switched (the last time), in milliseconds since the epoch. */
  readonly approvedAt: number;
  readonly switchedAt: number;
  /** From when on errors of the application count, if not from `approvedAt` on. */
  readonly errorsSince?: number;
  readonly workflowCompleted: boolean;
  /** What AWS refused the worker. */
  readonly refused: readonly string[];
  /** Behind a pooler nobody may see an error, and nobody may wait for long. */
  readonly pooled?: boolean;
  /** Traffic went back in the end; the pause in which it did. */
  readonly rollbackTimeline?: PauseTimeline;
  readonly abortedPause?: AbortedPause;
  /** Of the migration's report. */
  readonly proof:
    | {
        readonly rows: number;
        readonly tables: number;
        readonly differences: readonly unknown[] | null;
        readonly provenAt?: string;
      }
    | undefined;
  readonly historyEvents: number;
  readonly historyBytes: number;
  readonly pauseTimeline: PauseTimeline;
}

/** Writes that come later than this after the switch don't count for the pause. */
const SETTLE_MS = 10_000;
/** What people wait for a page without wondering. */
export const POOLED_PAUSE_MS = 1_000;
/** The budget is looked at between steps, and the fence has to come down. */
const OVER_BUDGET_MS = 1_000;

/** Puts together what was found; `passed` only if nothing at all is wrong. */
export function verdictOf(input: VerdictInput): Verdict {
  const { contents, source, target, wantedKeyArn, workflowCompleted } = input;
  const { missing, duplicated, stale, mismatches, tables, rowsCompared, behind, notes } = contents;
  const faults = missing + duplicated + stale + mismatches + behind.length;
  const encrypted = !source.encrypted && target.encrypted && target.kmsKeyId === wantedKeyArn;
  const proof = summaryOf(input);
  const proven = proof !== null && proof.rows > 0 && proof.differences === 0;
  const whole = faults === 0 && rowsCompared > 0 && notes.acknowledged > 0;
  const writePauseMs = longestGapMs(notes.acknowledgedAt, input.approvedAt, untilOf(input));
  const clientErrors = notes.errorsAt.filter((at) => at >= (input.errorsSince ?? input.approvedAt)).length;
  const unnoticed = !input.pooled || (clientErrors === 0 && writePauseMs < POOLED_PAUSE_MS);
  const bounded = isBounded(input.abortedPause);
  const permitted = input.refused.length === 0;
  return {
    strategy: input.strategy,
    passed: whole && encrypted && proven && workflowCompleted && unnoticed && bounded && permitted,
    durationSeconds: Math.round(input.durationSeconds * 10) / 10,
    source,
    target,
    writes: { acknowledged: notes.acknowledged, missing, duplicated, stale, failed: notes.failed },
    proof,
    refusedCalls: input.refused,
    writePauseMs,
    pooled: input.pooled ?? false,
    clientErrors,
    clientErrorsInAll: notes.errorsAt.length,
    judgedOn: input.rollbackTimeline ? 'source' : 'target',
    abortedPause: input.abortedPause ?? null,
    tables,
    rowsCompared,
    mismatches,
    sequencesBehind: behind.length,
    historyEvents: input.historyEvents,
    historyBytes: input.historyBytes,
    pauseTimeline: input.pauseTimeline,
    rollbackTimeline: input.rollbackTimeline ?? null,
  };
}

/** Whether writers were back in time, and the operator was told why. */
export function isBounded(aborted: AbortedPause | undefined): boolean {
  return !aborted || (aborted.reason !== null && aborted.writePauseMs <= aborted.budgetMs + OVER_BUDGET_MS);
}

function summaryOf({ proof, switchedAt }: VerdictInput): ProofSummary | null {
  if (!proof) return null;
  const seconds = (Date.parse(proof.provenAt ?? '') - switchedAt) / 1000;
  return {
    rows: proof.rows,
    tables: proof.tables,
    seconds: Math.round(seconds * 10) / 10,
    // The Temporal CLI prints an empty list as null.
    differences: proof.differences?.length ?? 0,
  };
}

/** The proof in one line. */
export function proofLine({ rows, tables, seconds, differences }: ProofSummary): string {
  const found = differences === 0 ? 'identical' : `${differences} tables DIFFER`;
  return `${rows} rows in ${tables} tables, ${found}, proven in ${seconds} s after the cutover`;
}

/** The application is stopped on purpose soon after the switch: the time after its last write is no pause. */
function untilOf({ contents, switchedAt }: VerdictInput): number {
  const last = contents.notes.acknowledgedAt.at(-1) ?? 0;
  return last > switchedAt ? Math.min(switchedAt + SETTLE_MS, last) : switchedAt + SETTLE_MS;
}

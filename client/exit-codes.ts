/** Exit codes of `keyshift`; documented in docs/operating.md. Scripts may rely on them. */
export const EXIT = {
  ok: 0,
  /** Something that we did not foresee; the message says what. */
  unexpected: 1,
  /** Wrong arguments, a plan that can't be read or has mistakes. Nothing was touched. */
  usage: 2,
  /** A check of the preflight blocks. Nothing was touched. */
  blocked: 3,
  /** There is no such migration, or it answers nothing. */
  notFound: 4,
  /** Refused as things stand: a gate that isn't open, a migration that runs already. Nothing was changed. */
  refused: 5,
  /** The migration is parked: it needs an operator. */
  parked: 6,
  /** No connection to Temporal. */
  unreachable: 7,
  /** The migration ended without success. */
  failed: 8,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error for the operator: a message without a stack trace, and the exit code that goes with it. */
export class CommandError extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    /** What `--json` prints besides the message. */
    readonly details?: unknown,
  ) {
    super(message);
  }
}

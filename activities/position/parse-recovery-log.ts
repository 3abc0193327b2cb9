import type { Lsn } from '../../plan/lsn';

/** What a server's log says of its first recovery. */
export interface RecoveryLog {
  /** Start of the last record that was replayed (`redo done at`). */
  readonly redoDoneAt?: Lsn;
  /** Start of the first record that could not be read: the end of what was replayed (`invalid record length at`). */
  readonly endOfWal?: Lsn;
  /** Nothing followed the last checkpoint. */
  readonly redoNotRequired: boolean;
  /** The log lines that say so, for the evidence. */
  readonly lines: readonly string[];
}

const RECOVERY_BEGINS = /database system was (?:interrupted|not properly shut down)/;
const READY = /database system is ready to accept (?:read-only )?connections/;
const REDO_DONE = /redo done at ([0-9A-F]+\/[0-9A-F]+)/;
const REDO_NOT_REQUIRED = /redo is not required/;
// Up to 15: "invalid record length at X: wanted 24, got 0"; from 16: "... expected at least 24, got 0".
const INVALID_RECORD = /invalid record length at ([0-9A-F]+\/[0-9A-F]+): (?:wanted|expected at least) \d+, got \d+/;

/**
 * Reads the first recovery of a log: the one that followed the restore. Every later unclean start prints another such
 * pair with a later LSN, which is wrong. Lines such as `unexpected pageaddr` or `invalid magic number` carry addresses of
 * pages, not of the end of WAL, and are not used.
 * @returns undefined when the log has no recovery that came to an end
 */
export function parseRecoveryLog(log: string): RecoveryLog | undefined {
  const lines = log.split('\n');
  const begin = lines.findIndex((line) => RECOVERY_BEGINS.test(line));
  if (begin === -1) return undefined;
  const length = lines.slice(begin).findIndex((line) => READY.test(line));
  if (length === -1) return undefined;
  const starts = lines.slice(begin, begin + length);
  // A server that was killed between the end of redo and "ready" goes through WAL of its own at the next start.
  const end = starts.findIndex((line) => REDO_DONE.test(line) || REDO_NOT_REQUIRED.test(line));
  const recovery = end === -1 ? starts : starts.slice(0, end + 1);

  const last = (pattern: RegExp) => recovery.flatMap((line) => pattern.exec(line)?.[1] ?? []).at(-1);
  const redoDoneAt = last(REDO_DONE);
  const endOfWal = last(INVALID_RECORD);
  return {
    ...(redoDoneAt ? { redoDoneAt } : {}),
    ...(endOfWal ? { endOfWal } : {}),
    redoNotRequired: recovery.some((line) => REDO_NOT_REQUIRED.test(line)),
    lines: recovery
      .filter((line) => [REDO_DONE, INVALID_RECORD, REDO_NOT_REQUIRED].some((pattern) => pattern.test(line)))
      .map((line) => line.trim()),
  };
}

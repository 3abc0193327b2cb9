import { compareLsn, type Lsn } from '../../plan/lsn';

/** What a server's log says of one recovery. */
export interface RecoveryLog {
  /** Start of the last record that was replayed (`redo done at`). */
  readonly redoDoneAt?: Lsn;
  /** Start of the first record that could not be read: the end of what was replayed (`invalid record length at`). */
  readonly endOfWal?: Lsn;
  /** Where the checkpoint lies from which the recovery began (`redo starts at`). */
  readonly redoStartsAt?: Lsn;
  /** Nothing followed the last checkpoint. */
  readonly redoNotRequired: boolean;
  /** When the recovery began, by the prefix of its first line; to the second. */
  readonly begunAt?: Date;
  /** When the control file from which it began was written (`last known up at`); to the second. */
  readonly controlFileAt?: Date;
  /** The log lines that say so, for the evidence. */
  readonly lines: readonly string[];
}

const RECOVERY_BEGINS = /database system was (?:interrupted|not properly shut down)/;
const READY = /database system is ready to accept (?:read-only )?connections/;
const REDO_STARTS = /redo starts at ([0-9A-F]+\/[0-9A-F]+)/;
const REDO_DONE = /redo done at ([0-9A-F]+\/[0-9A-F]+)/;
const REDO_NOT_REQUIRED = /redo is not required/;
// Up to 15: "invalid record length at X: wanted 24, got 0"; from 16: "... expected at least 24, got 0".
const INVALID_RECORD = /invalid record length at ([0-9A-F]+\/[0-9A-F]+): (?:wanted|expected at least) \d+, got \d+/;
// RDS logs in UTC; abbreviations of other zones mean several zones each.
const TIME = String.raw`(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? (?:UTC|GMT)`;
const LINE_TIME = new RegExp(`^${TIME}`);
const LAST_KNOWN_UP = new RegExp(`database system was interrupted; last known up at ${TIME}`);

const OF_RECOVERIES = [RECOVERY_BEGINS, READY, REDO_STARTS, REDO_DONE, REDO_NOT_REQUIRED, INVALID_RECORD];

/** Whether `parseRecoveries` makes anything of a line. */
export const isAboutRecovery = (line: string): boolean => OF_RECOVERIES.some((pattern) => pattern.test(line));

/**
 * Reads the recoveries of a log, in its order. Of a recovery that was broken off and begun again, only what was logged up to
 * the first end of redo counts: a server that was killed between that and "ready" goes through WAL of its own at the next
 * start. Lines such as `unexpected pageaddr` or `invalid magic number` carry addresses of pages, not of the end of WAL, and
 * are not used.
 * @returns the recoveries that came to an end
 */
export function parseRecoveries(log: string): RecoveryLog[] {
  const recoveries: RecoveryLog[] = [];
  let rest = log.split('\n');
  for (;;) {
    const begin = rest.findIndex((line) => RECOVERY_BEGINS.test(line));
    if (begin === -1) return recoveries;
    const length = rest.slice(begin).findIndex((line) => READY.test(line));
    if (length === -1) return recoveries;
    recoveries.push(readRecovery(rest.slice(begin, begin + length)));
    rest = rest.slice(begin + length);
  }
}

function readRecovery(starts: readonly string[]): RecoveryLog {
  const end = starts.findIndex((line) => REDO_DONE.test(line) || REDO_NOT_REQUIRED.test(line));
  const recovery = end === -1 ? starts : starts.slice(0, end + 1);
  const last = (pattern: RegExp) => recovery.flatMap((line) => pattern.exec(line)?.[1] ?? []).at(-1);
  const redoDoneAt = last(REDO_DONE);
  const endOfWal = last(INVALID_RECORD);
  const redoStartsAt = last(REDO_STARTS);
  const begunAt = timeIn(LINE_TIME, recovery[0]);
  const controlFileAt = timeIn(LAST_KNOWN_UP, recovery[0]);
  return {
    ...(redoDoneAt ? { redoDoneAt } : {}),
    ...(endOfWal ? { endOfWal } : {}),
    ...(redoStartsAt ? { redoStartsAt } : {}),
    ...(begunAt ? { begunAt } : {}),
    ...(controlFileAt ? { controlFileAt } : {}),
    redoNotRequired: recovery.some((line) => REDO_NOT_REQUIRED.test(line)),
    lines: recovery
      .filter((line) => [REDO_DONE, INVALID_RECORD, REDO_NOT_REQUIRED].some((pattern) => pattern.test(line)))
      .map((line) => line.trim()),
  };
}

function timeIn(pattern: RegExp, line: string | undefined): Date | undefined {
  const [, day, time] = pattern.exec(line ?? '') ?? [];
  return day && time ? new Date(`${day}T${time}Z`) : undefined;
}

/** What tells the first recovery after a restore from others in the same log. */
export interface Restore {
  /** Later than the image, earlier than the first start on it: when the copy of the snapshot was begun that was restored. */
  readonly imageBefore: Date | undefined;
  /** The latest consistent point of our slots: WAL that the clone wrote itself lies beyond it. */
  readonly notBefore: Lsn;
}

/** Times in a log are whole seconds. */
const SECOND_MS = 1000;

/**
 * The first recovery after the restore. Every later unclean start prints another such pair with a later LSN, and a log that
 * came along with the image may hold recoveries of the source: both are wrong. The right one began from a control file that
 * the source wrote, after the image was taken. In doubt there is none.
 */
export function firstAfterRestore(
  recoveries: readonly RecoveryLog[],
  { imageBefore, notBefore }: Restore,
): { readonly recovery: RecoveryLog } | { readonly why: string } {
  if (recoveries.length === 0) return { why: 'no recovery' };
  if (imageBefore === undefined) return { why: 'nothing tells when the snapshot was taken' };
  const isBefore = (at: Date): boolean => at.getTime() + SECOND_MS <= imageBefore.getTime();
  const first = recoveries.find(({ begunAt }) => begunAt === undefined || !isBefore(begunAt));
  if (!first) return { why: 'only recoveries from before the snapshot' };
  const { begunAt, controlFileAt, redoStartsAt, lines } = first;
  const found = lines.join(' | ') || 'without an LSN';
  if (begunAt === undefined) return { why: `the lines of the first recovery (${found}) have no time in UTC` };
  if (redoStartsAt !== undefined && compareLsn(redoStartsAt, notBefore) < 0) return { recovery: first };
  if (controlFileAt !== undefined && isBefore(controlFileAt)) return { recovery: first };
  return {
    why: `the first recovery that is still there (${found}) may be a later one: it began with a control file of ${controlFileAt?.toISOString() ?? 'unknown time'}, and the snapshot was taken before ${imageBefore.toISOString()}`,
  };
}

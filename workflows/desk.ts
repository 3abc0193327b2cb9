import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { blockingLines, type BoardLine, type BoardCode, lineText, redLines } from '../plan/board';
import type { GateAnswer, WaiveRequest } from '../plan/gates';
import { duration } from '../plan/format';
import { oneLine } from '../plan/printable';
import { stepOf } from '../plan/progress';
import { equalRowsText } from '../plan/report';
import { MESSAGES } from '../plan/temporal';
import { act } from './act';
import { updateCommand } from './details';
import type { Migration } from './migration';

export type GoNoGo = Awaited<ReturnType<Activities['readGoNoGo']>>;

/** A board that is younger than this is answered as it is. */
const FRESH_MS = 30_000;
/** So many looks may be asked for as fast as that; then each doubles the distance, so that a script can't fill the history. */
const FREE_LOOKS = 20;
/** Temporal takes ten updates of a workflow at the same time, `abort` and `approve` among them. */
const MOST_OPEN = 3;
const LONGEST_DISTANCE_MS = 24 * 3_600_000;
/** The first changes of the board come at once; each one behind them waits four times as long. A month has room for nine. */
const FREE_CHANGES = 2;
const CHANGE_GROWTH = 4;
const LONGEST_WAIT_MS = 10 * 24 * 3_600_000;
const LOOK_EVERY_MS = 30_000;

/** Where the board is looked at: on the way to the cutover, and by whoever asks. Knows what is waived. */
export class Desk {
  readonly #waived = new Set<string>();
  #looking: Promise<unknown> = Promise.resolve();
  #underWay = false;
  #lookedAt: number | undefined;
  #asked = 0;
  /** How many wait for the answer now. */
  #open = 0;
  #changes = 0;
  #nudged = false;
  #said = '';
  givenUp: string[] = [];

  constructor(private readonly migration: Migration) {}

  /** Reads the board, and shows it. @param onlyLook nothing follows from it: somebody asked */
  async look({ onlyLook = false } = {}): Promise<GoNoGo> {
    const limits = { retry: { maximumAttempts: 3 }, scheduleToCloseTimeout: '15 minutes' } as const;
    const board = onlyLook
      ? await act('readGoNoGo', { ...this.#input(), onlyLook }, { ...limits, summary: 'read the board: somebody asks' })
      : await act('readGoNoGo', this.#input());
    this.#take(board);
    return board;
  }

  /** What keeps the gate closed. */
  blocking({ lines }: Pick<GoNoGo, 'lines'>): BoardLine[] {
    return blockingLines(lines, this.#waived);
  }

  /** The gate is closed: shows why and how it opens, until the board has changed or somebody wants it looked at. */
  async blocked(board: GoNoGo, blocking: readonly BoardLine[]): Promise<GoNoGo> {
    const { migration } = this;
    const text = blocking.map(lineText).join('; ');
    const codes = codesOf(blocking).join();
    if (codes !== this.#said) migration.notice(`the gate cutover is closed: ${text}`);
    this.#said = codes;
    const waivable = blocking.find(({ final }) => !final);
    // Broken so that it fits the column of the Web UI.
    const input = `{"code":"${waivable?.code ?? ''}",\n    "by":"<you>","reason":"<why>"}`;
    migration.progress.blocked = {
      lines: blocking,
      ...(waivable ? { command: updateCommand(migration.id, MESSAGES.waive, input) } : {}),
    };
    migration.progress.status = 'waiting';
    migration.show();
    try {
      return (await this.watch(board, 'the gate cutover is closed: watching the board')) ?? (await this.look());
    } finally {
      delete migration.progress.blocked;
      if (migration.progress.status === 'waiting') migration.progress.status = 'running';
    }
  }

  /**
   * Watches the board until it has changed, the window opens (`untilWindow`), or there is something else to do.
   * @returns the changed board; undefined: something else
   */
  async watch(
    board: GoNoGo,
    summary: string,
    { untilWindow = false, wake = () => false }: { untilWindow?: boolean; wake?: () => boolean } = {},
  ): Promise<GoNoGo | undefined> {
    const { migration } = this;
    const blocking = codesOf(this.blocking(board));
    const scope = new CancellationScope();
    let next: GoNoGo | undefined;
    let ended = false;
    const input = {
      ...this.#input(),
      waived: [...this.#waived],
      blocking,
      lookEveryMs: LOOK_EVERY_MS,
      notBeforeMs: this.#notBeforeMs(),
      ...(untilWindow ? { untilWindow: board.window?.opensAt ? { opensAt: board.window.opensAt } : {} } : {}),
    };
    const work = scope
      .run(() => act('watchBoard', input, { summary }))
      .then((found) => void (next = found))
      .catch((error: unknown) => {
        // One that was told to stop and lost its worker ends as a timeout, not as a cancellation.
        if (!isCancellation(error) && !scope.consideredCancelled) throw error;
      })
      .finally(() => (ended = true));
    try {
      await Promise.race([condition(() => wake() || this.#nudged || migration.alarm !== undefined), work]);
    } finally {
      this.#nudged = false;
      // A look writes a mark on the source: none of it may be under way in the pause.
      if (!ended) scope.cancel();
      await work;
    }
    if (migration.alarm) throw migration.alarm;
    if (!next) return undefined;
    this.#take(next);
    if (codesOf(this.blocking(next)).join() !== blocking.join()) this.#changes += 1;
    return next;
  }

  /** Waits for a look that somebody asked for: before the pause. */
  async idle(): Promise<void> {
    await this.#looking;
  }

  /** Somebody has done something: what is waited for is looked at again, and soon when it changes. */
  nudge(): void {
    this.#nudged = true;
    this.#changes = 0;
  }

  refuseLook(): string | undefined {
    const { progress, pastSwitch } = this.migration;
    const begun = stepOf(progress, 'catch-up').status !== 'pending';
    if (!begun) return 'go-no-go refused: there is no board before the step catch-up';
    const over = pastSwitch || stepOf(progress, 'pause').status === 'running';
    if (over || !['running', 'waiting', 'parked'].includes(progress.status)) {
      return 'go-no-go refused: nothing is left to be decided';
    }
    if (this.#open >= MOST_OPEN)
      return `go-no-go refused: ${this.#open} others wait for a look already; the query progress has its answer when it ends`;
    const doubled = Math.max(0, this.#asked - FREE_LOOKS + 1);
    const distanceMs = Math.min(LONGEST_DISTANCE_MS, FRESH_MS * 2 ** Math.min(20, doubled));
    const ageMs = this.#ageMs();
    if (doubled === 0 || ageMs === undefined || ageMs >= distanceMs) return undefined;
    return `go-no-go refused: it was asked for ${this.#asked} times; the query progress has the board of ${duration(ageMs)} ago, a fresh one comes in ${duration(distanceMs - ageMs)}`;
  }

  /** The answer of the update: a fresh board, or the one that is still fresh, with its age. */
  async ask(): Promise<string> {
    this.#asked += 1;
    this.#open += 1;
    try {
      return await this.answer();
    } finally {
      this.#open -= 1;
    }
  }

  private async answer(): Promise<string> {
    const before = this.#ageMs();
    if (!this.#underWay && (before === undefined || before >= FRESH_MS)) {
      this.#underWay = true;
      const look = this.look({ onlyLook: true }).finally(() => (this.#underWay = false));
      this.#looking = look.catch(() => undefined);
      await look;
      this.#nudgeIfChanged();
    } else {
      await this.#looking;
    }
    const { board } = this.migration.progress;
    const red = redLines(board?.lines ?? []);
    const go = red.length === 0 ? 'GO' : `NO GO: ${red.length} red`;
    const lines = (board?.lines ?? []).map((line) => `${line.red ? 'RED ' : '    '}${lineText(line)}`);
    return [`${go} (looked at ${duration(this.#ageMs() ?? 0)} ago)`, ...lines].join('\n');
  }

  refuseWaive(input: WaiveRequest | undefined): string | undefined {
    if (typeof input !== 'object' || input === null || typeof input.code !== 'string') {
      return 'waive refused: give {"code":"<code of a red line>","by":"<you>","reason":"<why>"}';
    }
    const { code, by, reason } = input;
    const said = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';
    if (!said(by)) return `waive ${code} refused: "by" has to say who waives it`;
    if (!said(reason)) return `waive ${code} refused: "reason" has to say why; it goes into the evidence`;
    if (this.migration.pastSwitch) return `waive ${code} refused: traffic is on the target already`;
    const lines = redLines(this.migration.progress.board?.lines ?? []).filter((line) => line.code === code);
    const [line] = lines;
    if (!line) return `waive ${code} refused: nothing is red by that code; the query progress has the board`;
    if (lines.some(({ final }) => final)) {
      return `waive ${code} refused: nobody can waive it, it has to be fixed (docs/board.md): ${line.text}`;
    }
    return undefined;
  }

  waive({ code, by, reason }: WaiveRequest): string {
    const { migration } = this;
    const lines = redLines(migration.progress.board?.lines ?? []).filter((line) => line.code === code);
    const text = lines.map((line) => line.text).join('; ');
    const at = new Date().toISOString();
    const [who, why] = [oneLine(by.trim()), oneLine(reason.trim().slice(0, 500))];
    const waiver = { code: code as BoardCode, text, by: who, reason: why, at };
    migration.report.waivers = [...(migration.report.waivers ?? []), waiver];
    this.#waived.add(code);
    migration.notice(`${code} waived by ${waiver.by}: ${waiver.reason}`);
    this.nudge();
    return `waived ${code} by ${waiver.by}; it holds until the line is green again`;
  }

  /** Why the waivers of an approval are not taken. */
  refuseWaivers({ waive, by, comment }: GateAnswer): string | undefined {
    if (!Array.isArray(waive)) return 'answer refused: "waive" has to be a list of codes';
    if (!comment?.trim()) return `answer by ${by} refused: who waives a red line says why in "comment"`;
    for (const code of waive as string[]) {
      const refused = this.refuseWaive({ code, by, reason: comment });
      if (refused) return refused;
    }
    return undefined;
  }

  /** Whether the gate opens when these codes are waived. */
  opensWith(waive: readonly string[]): boolean {
    const { lines } = this.migration.progress.board ?? { lines: [] };
    return blockingLines(lines, new Set([...this.#waived, ...waive])).length === 0;
  }

  #input() {
    const { ref, report, progress, pauseQueue } = this.migration;
    const [warmUp, verify] = [stepOf(progress, 'warm-up'), stepOf(progress, 'verify')];
    // Whoever acknowledges the check has decided.
    const isDecided = ref.plan.acknowledge.includes('full-identity-equality');
    const equal = report.verify && !isDecided ? equalRowsText(report.verify) : undefined;
    const known = {
      ...(warmUp.status === 'done' ? { warmUp: warmUp.note ?? 'done' } : {}),
      ...(report.verify && verify.endedAt
        ? { verify: { at: verify.endedAt, what: verify.note ?? 'done', ...(equal === undefined ? {} : { equal }) } }
        : {}),
      givenUp: this.givenUp,
    };
    const queue = pauseQueue === undefined ? {} : { pauseQueue };
    return { ...ref, ...queue, databases: report.source?.databases ?? [], known };
  }

  /** Shows a board; a waiver is over when its line is green. */
  #take({ at, lag, lines, forecast, window }: GoNoGo): void {
    const { migration } = this;
    this.#lookedAt = Date.now();
    migration.progress.lag = lag;
    migration.progress.board = { at, lines, ...(forecast ? { forecast } : {}), ...(window ? { window } : {}) };
    const red = new Set<string>(redLines(lines).map(({ code }) => code));
    for (const code of this.#waived) {
      if (red.has(code)) continue;
      this.#waived.delete(code);
      migration.notice(`${code} is green again: its waiver is over`);
    }
    migration.show();
  }

  #nudgeIfChanged(): void {
    const { blocked, gate, board } = this.migration.progress;
    const closed = this.blocking(board ?? { lines: [] }).length > 0;
    if ((blocked && !closed) || (gate?.name === 'cutover' && closed)) this.nudge();
  }

  #ageMs(): number | undefined {
    return this.#lookedAt === undefined ? undefined : Date.now() - this.#lookedAt;
  }

  #notBeforeMs(): number {
    const waits = this.#changes - FREE_CHANGES;
    return waits < 0 ? 0 : Math.min(LONGEST_WAIT_MS, LOOK_EVERY_MS * CHANGE_GROWTH ** (waits + 1));
  }
}

const codesOf = (lines: readonly BoardLine[]): string[] => [...new Set<string>(lines.map(({ code }) => code))].sort();

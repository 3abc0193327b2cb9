import { Context } from '@temporalio/activity';
import { blockingLines, lineText } from '../../plan/board';
import type { Dependencies } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { type GoNoGo, type GoNoGoInput, readGoNoGo } from './go-no-go';

/** A look costs both servers some catalog queries: after a while it comes less often. */
const GROWTH = 1.5;
const LONGEST_MS = 600_000;

export interface WatchBoardInput extends GoNoGoInput {
  /** Codes of red lines that somebody has waived. */
  readonly waived: readonly string[];
  /** Codes of the other red lines, sorted, as the workflow knows them. */
  readonly blocking: readonly string[];
  /** Time to the first look, in milliseconds. */
  readonly lookEveryMs: number;
  /** A change is reported no sooner than this, in milliseconds; grows from call to call, so that the history stays small. */
  readonly notBeforeMs: number;
  /** Also come back when the window of the plan is open; `opensAt` of the last look, where it was not. */
  readonly untilWindow?: { readonly opensAt?: string };
}

/**
 * Looks at the board again and again, and comes back when another set of lines is red, or when the window opens. What it saw last is in its
 * heartbeat, where `keyshift watch` and the Web UI find it.
 * @throws ApplicationFailure SchemaDrifted, as the board itself
 */
export async function watchBoard(deps: Dependencies, input: WatchBoardInput): Promise<GoNoGo> {
  const context = Context.current();
  const startedAt = context.info.scheduledTimestampMs;
  let opensAt = input.untilWindow?.opensAt;
  for (let everyMs = input.lookEveryMs; ; everyMs = Math.min(LONGEST_MS, everyMs * GROWTH)) {
    const opensInMs = input.untilWindow && opensAt ? Math.max(0, Date.parse(opensAt) - Date.now()) : everyMs;
    await context.sleep(Math.min(everyMs, opensInMs));
    const board = await readGoNoGo(deps, input);
    const blocking = blockingLines(board.lines, new Set(input.waived));
    reportProgress(() => ({ board: board.at, red: blocking.slice(0, 5).map(lineText), lag: board.lag }));
    if (input.untilWindow && board.window?.open !== false) return board;
    opensAt = board.window?.opensAt;
    const changed = codesOf(blocking).join() !== input.blocking.join();
    if (changed && Date.now() - startedAt >= input.notBeforeMs) return board;
  }
}

const codesOf = (lines: readonly { readonly code: string }[]): string[] =>
  [...new Set(lines.map(({ code }) => code))].sort();

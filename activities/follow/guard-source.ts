import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { withLag } from '../../plan/lag-history';
import type { GuardReport } from '../../plan/progress';
import type { LagPoint } from '../../plan/report';
import { type Dependencies, instanceOf } from '../dependencies';
import { giveUpSlots, reasonToGiveUp } from '../guard/give-up';
import { SourceWatch } from '../guard/source-watch';
import { reportProgress } from '../heartbeat';
import { accessTo } from '../postgres/session';
import type { LagInput } from './read-lag';

/** Time between looks; a slot that keeps too much WAL grows far slower than this. */
const LOOK_EVERY_MS = 5_000;
/** So many of its looks a report has. */
const LOOKS_REPORTED = 40;
/** Reports come at growing distances, but never further apart than this: an activity may last 30 days. */
const LONGEST_REPORT_MS = 10 * 24 * 3_600_000;
/**
 * A new warning is reported after this share of the time to the next report: soon, and yet not so often that one which comes and
 * goes fills the history.
 */
const EARLY_SHARE = 1 / 256;

export interface GuardInput extends LagInput {
  /** When to come back with the figures, in milliseconds. Grows from call to call, so that the history stays small. */
  readonly reportAfterMs: number;
}

/**
 * Watches the source for a while: our slots against the ceiling, free storage, lag, old transactions, spill, changes of the
 * schema. The newest figures are in its heartbeat, where `keyshift status` and the Web UI find them at any time. Gives an idle
 * database a heartbeat, so that its slot moves, and a replica identity to a table that came without one, since our publication makes
 * UPDATE and DELETE on it fail. Comes back early when there is something new to warn of. When the storage runs out it gives up our
 * slots rather than the source.
 * @throws ApplicationFailure SlotLost, SourceAtRisk
 */
export async function guardSource(deps: Dependencies, input: GuardInput): Promise<GuardReport> {
  const context = Context.current();
  const startedAt = Date.now();
  const reportAfterMs = Math.min(input.reportAfterMs, LONGEST_REPORT_MS);
  const access = await accessTo(deps, input, 'source');
  const watch = new SourceWatch(deps, input, access);
  let history: readonly LagPoint[] = [];
  let known: ReadonlySet<string> | undefined;
  for (;;) {
    const { report, health, slots } = await watch.look();
    const { warnings = [], source: _source, ...lag } = report;
    history = withLag(history, [lag], LOOKS_REPORTED);
    reportProgress(() => ({ lag, source: health, warnings, slots }));
    const reason = reasonToGiveUp(input.plan.guard, instanceOf(input, 'source'), health);
    if (reason) return giveUpSlots(deps, access, input, reason);
    // What the first look found was there at the end of the call before, which said so.
    known ??= new Set(warnings.map(({ code }) => code));
    const before = known;
    const news = warnings.some(({ code }) => !before.has(code));
    const elapsedMs = Date.now() - startedAt;
    if (elapsedMs >= reportAfterMs || (news && elapsedMs >= reportAfterMs * EARLY_SHARE)) return { ...report, history };
    await watch.write(new Date());
    try {
      await context.sleep(Math.min(LOOK_EVERY_MS, reportAfterMs - elapsedMs));
    } catch (error) {
      // Told to stop, for the pause: what it saw belongs into the evidence all the same.
      if (error instanceof CancelledFailure) return { ...report, history };
      throw error;
    }
  }
}

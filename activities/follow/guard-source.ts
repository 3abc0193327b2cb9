import { Context } from '@temporalio/activity';
import type { GuardReport, Lag } from '../../plan/progress';
import type { Dependencies } from '../dependencies';
import { writeMark } from '../postgres/fence-table';
import { reportProgress } from '../heartbeat';
import { accessTo, inEachDatabase, withSession } from '../postgres/session';
import { largest, type LagInput, readSlots, trendOf } from './read-lag';

/** Time between looks; a slot that keeps too much WAL grows far slower than this. */
const LOOK_EVERY_MS = 5_000;

export interface GuardInput extends LagInput {
  /** When to come back with the figures, in milliseconds. Grows from call to call, so that the history stays small. */
  readonly reportAfterMs: number;
}

/**
 * Watches our slots on the source for a while. The newest figures are in its heartbeat, where `keyshift status` and the
 * Web UI find them at any time. Gives an idle database a heartbeat, so that its slot moves.
 * @throws ApplicationFailure SlotLost
 */
export async function guardSource(deps: Dependencies, input: GuardInput): Promise<GuardReport> {
  const context = Context.current();
  const startedAt = Date.now();
  const access = await accessTo(deps, input, 'source');
  let before: number | undefined;
  for (;;) {
    const slots = await withSession(access, { step: 'guard', database: 'postgres', readOnly: true }, (session) =>
      readSlots(session, input.id, input.databases),
    );
    const bytes = largest(slots);
    const lag: Lag = { bytes, trend: trendOf(before ?? bytes, bytes), at: new Date().toISOString() };
    before = bytes;
    reportProgress(() => ({ lag, slots }));
    const elapsedMs = Date.now() - startedAt;
    if (elapsedMs >= input.reportAfterMs) return lag;
    await inEachDatabase(access, input.databases, { step: 'guard' }, (session) =>
      writeMark(session, input.id, 'guard', lag.at),
    );
    await context.sleep(Math.min(LOOK_EVERY_MS, input.reportAfterMs - elapsedMs));
  }
}

import { CancellationScope } from '@temporalio/workflow';
import type { SourceFacts } from '../../plan/checks';
import type { CutoverFacts } from '../../plan/report';
import { act } from '../act';
import { bytes, duration } from '../../plan/format';
import type { Guard } from '../guard';
import type { Migration } from '../migration';
import type { Activities } from '../../activities';

type Board = Awaited<ReturnType<Activities['readGoNoGo']>>;

/** The board, the approval, the pause. A pause that is given up leads back to the board, with the reason. */
export async function cutover(migration: Migration, source: SourceFacts, guard: Guard): Promise<CutoverFacts> {
  for (;;) {
    const board = await migration.step('go-no-go', () => approvedBoard(migration, source));
    const facts = await migration.step('pause', async (note) => {
      const input = { ...migration.ref, databases: source.databases, fence: board.fence };
      await act('preparePause', input);
      await guard.stop();
      migration.undo.register('fence', () => act('lowerFence', input), { critical: true });
      // Not to be cancelled from outside: only its own end says on which side the traffic is.
      const result = await CancellationScope.nonCancellable(() => act('cutOver', input));
      if (!result.switched) {
        guard.start();
        migration.notice(
          `pause given up after ${duration(result.pauseMs)}, nothing lost, writes go on: ${result.reason}`,
        );
        note(`given up: ${result.reason}`);
        return undefined;
      }
      note(`writes stopped for ${duration(result.pauseMs)}`);
      return result;
    });
    if (facts) {
      migration.report.cutover = facts;
      return facts;
    }
  }
}

/** Waits until nothing on the board is red, and then for the approval; looks once more when that has come. */
async function approvedBoard(migration: Migration, { databases }: SourceFacts): Promise<Board> {
  const look = () => act('readGoNoGo', { ...migration.ref, databases });
  for (;;) {
    const before = await look();
    migration.progress.lag = before.lag;
    await migration.gate('cutover', [
      ...before.red.map((reason) => `RED: ${reason}`),
      `lag ${bytes(before.lag.bytes)}, ${before.lag.trend}`,
      ...before.findings,
      `writes stop for about a second, ${duration(migration.plan.cutover.pauseBudgetMs)} at most`,
    ]);
    // The facts may have changed since the gate opened, hours ago perhaps.
    const board = await look();
    if (board.red.length === 0) return board;
    migration.notice(`cutover not begun: ${board.red.join('; ')}`);
  }
}

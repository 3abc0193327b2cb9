import { sleep } from '@temporalio/workflow';
import type { SourceFacts } from '../../plan/checks';
import type { CutoverFacts } from '../../plan/report';
import { act } from '../act';
import { bytes, duration } from '../../plan/format';
import type { Guard } from '../guard';
import { BY_PLAN, type Migration } from '../migration';
import type { Activities } from '../../activities';

const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 3_600_000;

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
      const result = await migration.uninterrupted(
        () => act('cutOver', input),
        () => act('lowerFence', input),
      );
      if (!result.switched) {
        guard.start();
        migration.notice(
          `pause given up after ${duration(result.pauseMs)}, nothing lost, writes go on: ${result.reason}`,
        );
        note(`given up: ${result.reason}`);
        if (!migration.plan.gates.cutover.approval) await sleep(FIRST_WAIT_MS, { summary: 'the pause was given up' });
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

/**
 * Opens the gate with what is on the board, and looks once more when the approval has come: the facts may have changed
 * since. Without an approval to wait for, a red board is looked at again at growing distances.
 */
async function approvedBoard(migration: Migration, { databases }: SourceFacts): Promise<Board> {
  const look = () => act('readGoNoGo', { ...migration.ref, databases });
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    const before = await look();
    migration.progress.lag = before.lag;
    const { by } = await migration.gate('cutover', [
      ...before.red.map((reason) => `RED: ${reason}`),
      `lag ${bytes(before.lag.bytes)}, ${before.lag.trend}`,
      ...before.findings,
      `writes stop for about a second, ${duration(migration.plan.cutover.pauseBudgetMs)} at most`,
    ]);
    const board = by === BY_PLAN ? before : await look();
    if (board.red.length === 0) return board;
    migration.notice(`cutover not begun: ${board.red.join('; ')}`);
    if (by === BY_PLAN) await sleep(waitMs, { summary: `the board is red: ${board.red[0]}` });
  }
}

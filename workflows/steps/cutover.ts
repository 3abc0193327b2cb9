import { sleep } from '@temporalio/workflow';
import type { SourceFacts } from '../../plan/checks';
import type { CutoverFacts } from '../../plan/report';
import { act } from '../act';
import { lineText, redLines } from '../../plan/board';
import { duration } from '../../plan/format';
import { stepOf } from '../../plan/progress';
import type { Guard } from '../guard';
import { BY_PLAN, type Migration } from '../migration';
import type { Activities } from '../../activities';
import type { FenceSet } from '../../activities/cutover/fence-set';

const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 3_600_000;
/** After so many pauses that were given up a person is asked, whatever the plan says: each was an outage for nothing. */
const MAX_GIVEN_UP = 3;

const fencesOf = ({ fence, others }: Board): FenceSet => ({ fence, ...(others ? { others } : {}) });

type Board = Awaited<ReturnType<Activities['readGoNoGo']>>;

/** What the cutover came to, and the fences that it left on the source. */
export interface CutOver {
  readonly facts: CutoverFacts;
  readonly fences: FenceSet;
}

/** The board, the approval, the pause. A pause that is given up leads back to the board, with the reason. */
export async function cutover(migration: Migration, source: SourceFacts, guard: Guard): Promise<CutOver> {
  for (let givenUp = 0; ; givenUp += 1) {
    const board = await migration.step('go-no-go', () => approvedBoard(migration, source, givenUp));
    const facts = await pauseOnce(migration, source, guard, board);
    if (typeof facts === 'object') {
      migration.report.cutover = facts;
      return { facts, fences: fencesOf(board) };
    }
    if (facts === 'given up' && !migration.plan.gates.cutover.approval) {
      await sleep(FIRST_WAIT_MS * 2 ** givenUp, { summary: 'the pause was given up' });
    }
  }
}

/**
 * One pause: its facts, or why there are none. `failed`: it parked, and an operator said `retry`. Either way traffic is
 * still on the source, and the board has to be looked at again before the next one.
 */
async function pauseOnce(
  migration: Migration,
  source: SourceFacts,
  guard: Guard,
  board: Board,
): Promise<CutoverFacts | 'given up' | 'failed'> {
  const input = {
    ...migration.ref,
    databases: source.databases,
    ...fencesOf(board),
  };
  const unfence = () => act('lowerFence', input);
  let failed = false;
  return migration.step('pause', async (note) => {
    if (failed && !migration.pastSwitch) {
      await unfence();
      note('failed; back to the board');
      return 'failed';
    }
    try {
      if (!failed) await act('preparePause', input);
      await guard.stop();
      if (migration.alarm) throw migration.alarm;
      migration.undo.register('fence', unfence, { critical: true });
      const result = await migration.uninterrupted(() => act('cutOver', input), unfence);
      if (result.switched) {
        note(`writes stopped for ${duration(result.pauseMs)}`);
        return result;
      }
      migration.notice(
        `pause given up after ${duration(result.pauseMs)}, nothing lost, writes go on: ${result.reason}`,
      );
      note(`given up: ${result.reason}`);
      // They keep WAL on the target, and the next pause makes them anew.
      if (migration.plan.soak.wayBack === 'replicate') await act('dropIdleSlots', input);
    } catch (error) {
      failed = true;
      if (!migration.pastSwitch) guard.start();
      throw error;
    }
    guard.start();
    return 'given up';
  });
}

function knownFacts({ progress, report }: Migration, givenUp: number) {
  const [warmUp, verify] = [stepOf(progress, 'warm-up'), stepOf(progress, 'verify')];
  return {
    ...(warmUp.status === 'done' ? { warmUp: warmUp.note ?? 'done' } : {}),
    ...(report.verify && verify.endedAt ? { verify: { at: verify.endedAt, what: verify.note ?? 'done' } } : {}),
    givenUp: Array.from({ length: givenUp }, () => 'given up'),
  };
}

/**
 * Opens the gate with what is on the board, and looks once more when the approval has come: the facts may have changed
 * since. Without an approval to wait for, a red board is looked at again at growing distances.
 */
async function approvedBoard(migration: Migration, { databases }: SourceFacts, givenUp: number): Promise<Board> {
  const look = () => act('readGoNoGo', { ...migration.ref, databases, known: knownFacts(migration, givenUp) });
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    const before = await look();
    migration.progress.lag = before.lag;
    const { by } = await migration.gate(
      'cutover',
      [
        ...redLines(before.lines).map((line) => `RED: ${lineText(line)}`),
        ...before.lines.filter(({ red }) => !red).map(({ text }) => text),
      ],
      { always: givenUp >= MAX_GIVEN_UP },
    );
    const board = by === BY_PLAN ? before : await look();
    const red = redLines(board.lines).map(lineText);
    if (red.length === 0) return board;
    migration.notice(`cutover not begun: ${red.join('; ')}`);
    if (by === BY_PLAN) await sleep(waitMs, { summary: `the board is red: ${red[0]}` });
  }
}

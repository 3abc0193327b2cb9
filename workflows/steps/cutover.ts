import { sleep } from '@temporalio/workflow';
import type { SourceFacts } from '../../plan/checks';
import type { CutoverFacts } from '../../plan/report';
import { act, pauseOptions } from '../act';
import { duration } from '../../plan/format';
import type { Guard } from '../guard';
import type { FenceSet } from '../../activities/cutover/fence-set';
import type { GoNoGo } from '../desk';
import type { Migration } from '../migration';
import { approvedBoard } from './approved-board';

const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 3_600_000;
/** After so many pauses that were given up a person is asked, whatever the plan says: each was an outage for nothing. */
const MAX_GIVEN_UP = 3;

/** What an operator reads where the worker ended in the midst of the switch. */
export const FINISHED_BY_WATCHDOG =
  'the worker ended inside the pause, after the first traffic switch; its watchdog moved the rest of the traffic and let clients go on';

const fencesOf = ({ fence, others }: GoNoGo): FenceSet => ({ fence, ...(others ? { others } : {}) });

/** What the cutover came to, and the fences that it left on the source. */
export interface CutOver {
  readonly facts: CutoverFacts;
  readonly fences: FenceSet;
}

/** The board, the approval, the pause. A pause that is given up leads back to the board, with the reason. */
export async function cutover(migration: Migration, source: SourceFacts, guard: Guard): Promise<CutOver> {
  const { desk, plan } = migration;
  const { approval, auto } = plan.gates.cutover;
  for (let rounds = 1; ; rounds += 1) {
    const always = desk.givenUp.length >= MAX_GIVEN_UP;
    const board = await migration.step('go-no-go', () => approvedBoard(migration, always));
    const facts = await pauseOnce(migration, source, guard, board, rounds);
    // An approval is for one opening, unless only the time has passed.
    if (facts !== 'too late') migration.gates.dropEarly();
    if (typeof facts === 'object') {
      migration.trafficIsOn('target');
      migration.report.cutover = facts;
      await tellHooks(migration, rounds, facts);
      migration.byHand.ask();
      return { facts, fences: fencesOf(board) };
    }
    if ((facts === 'given up' || facts === 'refused') && (!approval || auto)) {
      const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (rounds - 1));
      await sleep(waitMs, { summary: `the pause was ${facts}` });
    }
  }
}

/**
 * One pause: its facts, or why there are none. `failed`: it parked, and an operator said `retry`. Either way traffic is
 * still on the source, and the board has to be looked at again before the next one. `too late`: the window closed before it began.
 * `refused`: a hook of the user did not agree.
 */
async function pauseOnce(
  migration: Migration,
  source: SourceFacts,
  guard: Guard,
  board: GoNoGo,
  round: number,
): Promise<CutoverFacts | 'given up' | 'failed' | 'too late' | 'refused'> {
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
      const against = failed ? [] : await askHooks(migration, round);
      if (against.length > 0) {
        migration.notice(`cutover not begun, a hook refused: ${against.join('; ')}`);
        note(`a hook refused: ${against.join('; ')}`);
        return 'refused';
      }
      if (!failed) await act('preparePause', input);
      if (board.window && Date.now() >= Date.parse(board.window.closesAt)) {
        migration.notice('the window closed before the pause began; what was approved stays approved for the next one');
        note('the window closed before it began');
        return 'too late';
      }
      await migration.desk.idle();
      await guard.stop();
      if (migration.alarm) throw migration.alarm;
      migration.undo.register('fence', unfence, { critical: true });
      const result = await migration.uninterrupted(() => act('cutOver', input, pauseOptions(migration.plan)), unfence);
      if (result.switched) {
        note(`writes stopped for ${duration(result.pauseMs)}`);
        if (result.finishedBy) migration.notice(FINISHED_BY_WATCHDOG);
        return result;
      }
      migration.notice(
        `pause given up after ${duration(result.pauseMs)}, nothing lost, writes go on: ${result.reason}`,
      );
      migration.desk.givenUp.push(result.reason);
      note(`given up: ${result.reason}`);
      // They keep WAL on the target, and the next pause makes them anew.
      const { soak, carry } = migration.plan;
      if (soak.wayBack === 'replicate' || carry.slots === 'recreate') await act('dropIdleSlots', input);
    } catch (error) {
      failed = true;
      if (!migration.pastSwitch) guard.start();
      throw error;
    }
    guard.start();
    return 'given up';
  });
}

/** Each hook before the pause has to agree. @returns why one doesn't */
function askHooks({ plan, ref }: Migration, round: number): Promise<string[]> {
  if (plan.cutover.hooks.before.length === 0) return Promise.resolve([]);
  return act('callHooks', { ...ref, when: 'before', round });
}

/** Traffic is on the target: whoever can't be told of it is in the notices. */
async function tellHooks(migration: Migration, round: number, { pauseMs, switchedAt }: CutoverFacts): Promise<void> {
  if (migration.plan.cutover.hooks.after.length === 0) return;
  const input = { ...migration.ref, when: 'after', round, facts: { pauseMs, switchedAt } } as const;
  await migration.forwardOnly(async () => {
    const failed = await act('callHooks', input).catch((error: Error) => [error.message]);
    for (const text of failed) migration.notice(`a hook could not be told of the cutover: ${text}`);
  });
}

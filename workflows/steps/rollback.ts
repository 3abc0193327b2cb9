import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import type { Activities } from '../../activities';
import type { FenceSet } from '../../activities/cutover/fence-set';
import type { SourceFacts } from '../../plan/checks';
import { bytes, duration } from '../../plan/format';
import { type CutoverFacts, proofLine, type RollbackFacts } from '../../plan/report';
import { act, pauseOptions } from '../act';
import type { Guard } from '../guard';
import type { Migration } from '../migration';
import { FINISHED_BY_WATCHDOG } from './cutover';
import { surprises } from './surprises';
import { prove, snapshotsOf } from './proof';

type Board = Awaited<ReturnType<Activities['readRollbackBoard']>>;

/**
 * The same cutover in the other direction, with the same fences and the same proof; then everything is undone but the target, which
 * stays, fenced, to be looked into.
 * @returns false when somebody decided against it at its gate: the migration goes on where it was
 */
export async function rollBack(
  migration: Migration,
  source: SourceFacts,
  fencesOfSource: FenceSet,
  guard: Guard,
  request: RollbackFacts,
): Promise<boolean> {
  const input = { ...migration.ref, databases: source.databases, direction: 'back' } as const;
  let facts: CutoverFacts | undefined;
  for (let givenUp = 0; facts === undefined; givenUp += 1) {
    const board = await migration.step('rollback-board', () => approvedBoard(migration, source, givenUp));
    if (!board) {
      migration.giveUpRollback('it was rejected at its gate');
      return false;
    }
    facts = await pauseOnce(migration, guard, {
      ...input,
      fence: board.fence,
      others: board.others,
      fenceThere: fencesOfSource,
    });
  }
  request.cutover = facts;
  migration.trafficIsOn('source');
  const behind = { ...migration.ref, databases: source.databases, direction: 'back' } as const;

  await migration.step('rollback-proof', async (note) => {
    const { neighbours, holder, switchedAt } = facts;
    await act('resumeNeighbours', { ...behind, ...(neighbours ? { neighbours } : {}) });
    const proof = await prove(migration, { ...behind, ...snapshotsOf(facts) }, holder);
    request.proof = proof;
    for (const text of surprises(proof)) migration.notice(text);
    note(proofLine(proof, switchedAt));
  });

  await migration.step('rollback-undo', async (note) => {
    await migration.undoAfterRollback();
    await dropMovedSlots(migration, source.databases);
    await act('removeReplication', { ...migration.ref, databases: source.databases, serving: 'source' });
    const { instance } = migration.plan.target;
    migration.report.stays.push({
      what: 'target',
      name: instance,
      why: `fenced, to be looked into; delete it when nobody needs it any more: aws rds delete-db-instance --db-instance-identifier ${instance} --final-db-snapshot-identifier ${instance}-final`,
    });
    note(`applications are on ${source.instance}; ${instance} stays, fenced`);
  });
  return true;
}

/** Asks where the plan wants that, where something is red, and where a pause was given up before. Undefined: rejected. */
async function approvedBoard(
  migration: Migration,
  { databases }: SourceFacts,
  givenUp: number,
): Promise<Board | undefined> {
  for (;;) {
    const { ref, pauseQueue } = migration;
    const board = await act('readRollbackBoard', { ...ref, ...(pauseQueue ? { pauseQueue } : {}), databases });
    migration.progress.lag = board.lag;
    const { decision } = await migration.gate(
      'rollback',
      [
        ...board.red.map((reason) => `RED: ${reason}`),
        `the old source is ${bytes(board.lag.bytes)} behind`,
        ...board.findings,
        ...(givenUp > 0 ? [`${givenUp} pauses were given up before this`] : []),
        'approve: go back now (a board that is red is looked at again); reject: stay on the target',
      ],
      { rejectable: true, always: board.red.length > 0 || givenUp > 0 },
    );
    if (decision === 'rejected') return undefined;
    if (board.red.length === 0) return board;
    migration.notice(`rollback not begun: ${board.red.join('; ')}`);
  }
}

/** One pause in the other direction: its facts, or undefined where it was given up or failed, and applications are still on the target. */
async function pauseOnce(
  migration: Migration,
  guard: Guard,
  input: Parameters<Activities['cutOver']>[0],
): Promise<CutoverFacts | undefined> {
  let lowered = false;
  return migration.step('rollback-pause', async (note) => {
    // It failed before, its fence is down, and an operator has fixed what was wrong: back to the board.
    if (lowered) return undefined;
    try {
      await act('preparePause', input);
      await guard.stop();
      const result = await act('cutOver', input, pauseOptions(migration.plan));
      if (result.switched) {
        note(`writes stopped for ${duration(result.pauseMs)}`);
        if (result.finishedBy) migration.notice(FINISHED_BY_WATCHDOG);
        return result;
      }
      migration.notice(`rollback: pause given up after ${duration(result.pauseMs)}, nothing lost: ${result.reason}`);
      note(`given up: ${result.reason}`);
    } catch (error) {
      lowered = await lower(migration, input);
      if (lowered) guard.start();
      throw error;
    }
    guard.start();
    return undefined;
  });
}

/** Whether the fence is down. It is not when traffic turned out to be on the old source already: then `retry` goes forward. */
async function lower(migration: Migration, input: Parameters<Activities['lowerFence']>[0]): Promise<boolean> {
  try {
    await act('lowerFence', input);
    return true;
  } catch (error) {
    const failure = error instanceof ActivityFailure ? error.cause : error;
    const switched = failure instanceof ApplicationFailure && failure.type === 'AlreadySwitched';
    if (!switched) migration.notice(`THE FENCE ON THE TARGET MAY STILL BE UP: ${(failure as Error).message}`);
    return false;
  }
}

/** Their readers go back to the old slots, which have what was written on the target by way of the way back. */
async function dropMovedSlots(migration: Migration, databases: readonly string[]): Promise<void> {
  const { plan, report, ref } = migration;
  if (plan.carry.slots !== 'recreate') return;
  const slots = (report.slotsMoved ?? []).map(({ slot }) => slot);
  await act('dropIdleSlots', { ...ref, databases, slots, endReaders: true });
  for (const slot of slots) {
    migration.notice(
      `replication slot ${slot} is gone from the target: its reader goes on with the one on the source, which has the writes of the target, too`,
    );
  }
}

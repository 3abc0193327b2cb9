import type { CutOverInput } from '../../activities/cutover/cut-over-input';
import type { FencePlan } from '../../activities/cutover/fence';
import type { FenceSet } from '../../activities/cutover/fence-set';
import { until } from '../../test/support/stand-in';
import { renames } from '../../plan/instance-names';
import type { PreparedPair } from '../cutover/prepared-pair';

/** Of a pause; so long that a worker that dies can be replaced, and so short that a cell doesn't take for ever. */
export const BUDGET_MS = 10_000;

/** What activities of a pause are called with, but for its fences. */
export function inputOf(pair: PreparedPair): Omit<CutOverInput, 'fence'> {
  const { plan, ...rest } = pair.input;
  return { ...rest, plan: { ...plan, cutover: { ...plan.cutover, pauseBudgetMs: BUDGET_MS } } };
}

/** What the board says of the fences of the cutover. */
export async function fenceThere(pair: PreparedPair): Promise<FenceSet> {
  return setOf(await pair.lab.run('readGoNoGo', inputOf(pair)));
}

const setOf = ({ fence, others }: { fence: FencePlan; others?: readonly unknown[] }): FenceSet => ({
  fence,
  ...(others ? { others } : {}),
});

/** To where a rollback may begin. Answers the fences of both directions. */
export async function cutOverAndTurn(pair: PreparedPair): Promise<{ here: FenceSet; there: FenceSet }> {
  const { lab } = pair;
  const input = inputOf(pair);
  const there = await fenceThere(pair);
  await lab.run('preparePause', input);
  const result = await lab.run('cutOver', { ...input, ...there });
  if (!result.switched) throw new Error(`the pause was given up: ${result.reason}`);
  await lab.snapshots.releaseAll();
  const behind = renames(input.plan) ? { ...input, renamed: 'both' as const } : input;
  await lab.run('startWayBack', { ...behind, from: result.wayBackFrom ?? '' });
  const board = await until('the way back has caught up', async () => {
    const found = await lab.run('readRollbackBoard', behind);
    return found.red.length === 0 && found;
  });
  return { here: setOf(board), there };
}

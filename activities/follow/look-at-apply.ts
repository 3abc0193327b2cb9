import { setTimeout as sleep } from 'node:timers/promises';
import { type BoardLine, green, red } from '../../plan/board';
import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { type ApplyState, applyWatch, troubleText } from './apply-watch';

/** A worker that was ended starts anew within this, in milliseconds; the launcher of servers before 16 starts one in five seconds. */
const START_MS = 12_000;
const LOOK_EVERY_MS = 2_500;

/** Whether apply works in every database: what would wait for it in the pause waits for nothing else. */
export async function lookAtApply(
  deps: Dependencies,
  input: MigrationRef & { readonly databases: readonly string[] },
): Promise<BoardLine[]> {
  const watch = applyWatch(deps, input);
  const giveUpAt = Date.now() + START_MS;
  let states = await watch.look(deps, input);
  while (states.some(isStarting) && Date.now() < giveUpAt) {
    await sleep(LOOK_EVERY_MS);
    states = await watch.look(deps, input);
  }
  const wrong = states.flatMap((state) => wrongWith(input, state));
  if (wrong.length > 0) return red('apply', ...wrong);
  return green('apply', `apply works in ${states.length} database${states.length === 1 ? '' : 's'}`);
}

const isStarting = ({ isEnabled, hasWorker, trouble }: ApplyState): boolean => isEnabled && !hasWorker && !trouble;

function wrongWith(input: MigrationRef, { database, subscription, trouble, ...state }: ApplyState): string[] {
  const where = `subscription ${subscription} in database ${database} of ${instanceOf(input, 'target')}`;
  if (state.isGone) return [`${where} is gone: changes of the source don't arrive. Abort and start again`];
  if (!state.isEnabled) {
    return [`${where} is disabled: changes of the source don't arrive. ALTER SUBSCRIPTION ${subscription} ENABLE`];
  }
  if (trouble)
    return [`${troubleText(input, database, trouble)} Correct it there; apply goes on by itself within seconds`];
  return state.hasWorker ? [] : [`${where} has no worker at this moment`];
}

import { finalFailure } from '../../plan/failures';
import type { Dependencies } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { type Session, accessTo, withSession } from '../postgres/session';
import { presentNames } from '../rds/present-names';
import type { CutOverInput } from './cut-over-input';
import { unfenceSql, withoutDroppedRoles } from './fence';
import { lowerOthers } from './fence-set';
import { isCutOverForSure } from './is-cut-over';
import { releaseNeighbours } from './neighbours';
import { forgetPause, pausedFor } from './pause-mark';

/**
 * Takes down the fence of a pause whose end nobody knows, unless traffic is on the target already. Needs nothing of the
 * target: where that is gone, nothing can have been switched to it that would still be there.
 * @throws ApplicationFailure AlreadySwitched when traffic is on the target: nothing may be undone then
 */
export async function lowerFence(deps: Dependencies, given: CutOverInput): Promise<void> {
  const input = await presentNames(deps, given);
  reportProgress(() => ({ waitingFor: 'whether traffic is switched: until that is known the fence stays up' }));
  if (await isCutOverForSure(deps, input)) {
    throw finalFailure(
      'AlreadySwitched',
      'Traffic is on the target already: undoing now would lose what was written there. Send retry to go forward (docs/operating.md, "After the switch").',
    );
  }
  const [database] = input.databases;
  if (database === undefined) return;
  await withSession(await accessTo(deps, input, 'source'), { step: 'unfence', database }, (source) =>
    lowerFenceOf(deps, input, source),
  );
}

/**
 * Takes every fence down if it is up: what roles and databases have become since a fence that came down is not ours. The SQL fence
 * first, so that the clients that the others let go on can log in.
 */
export async function lowerFenceOf(deps: Dependencies, input: CutOverInput, source: Session): Promise<void> {
  const isUp = (await pausedFor(source, input)) !== undefined;
  if (isUp) await source.query(unfenceSql(await withoutDroppedRoles(source, input.fence)));
  // Noted apart: a process that died between the two must not leave a subscription of the source disabled.
  await releaseNeighbours(deps, input, source);
  if (!isUp) return;
  await lowerOthers(deps, input, input);
  await forgetPause(source, input);
}

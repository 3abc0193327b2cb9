import type { CutoverFacts } from '../../plan/report';
import { moveTraffic, releaseFences } from './release';
import { forgetWayThere, openOldSource } from './open-target';
import type { CutOverResult } from './cut-over-input';
import type { Pause } from './pause';
import type { FirstPair } from './pause-sessions';

/** What is needed to finish a pause whose first switch has been made. */
export type Forward = Pick<Pause, 'deps' | 'input' | 'switches' | 'fences'> & {
  readonly sessions: { readonly first: FirstPair };
};

/** An attempt before this one died behind the switch: finishes what it left. May run twice, and beside another that does the same. */
export async function goForward({ deps, input, sessions, switches, fences }: Forward): Promise<void> {
  await openOldSource(deps, input, sessions);
  await moveTraffic(switches);
  await releaseFences(fences);
  await forgetWayThere(input, sessions);
}

/** What the attempt before this one has recorded, once all that it left is finished. */
export async function rollForward(forward: Forward, facts: CutoverFacts): Promise<CutOverResult> {
  await goForward(forward);
  const { holder: _gone, ...rest } = facts;
  return { switched: true, ...rest };
}

import { ApplicationFailure } from '@temporalio/common';
import { renames } from '../../plan/instance-names';
import type { TrafficSwitch } from '../../plan/plan';
import { instanceOf } from '../dependencies';
import { kindOf } from './kinds';
import {
  type PreparedSwitch,
  type ReadySwitchPlace,
  SWITCH_UNCONFIRMED,
  type SwitchLook,
  type SwitchPlace,
} from './traffic-switch';

/** Looks at every switch of the plan; nothing is changed. */
export function lookAtSwitches(place: SwitchPlace): Promise<SwitchLook[]> {
  return Promise.all(place.ref.plan.cutover.traffic.map((entry) => kindOf(entry).look(placeFor(place, entry), entry)));
}

/**
 * Whether any switch names `to`, and no longer `from`.
 * @param isBegun a request that switches may have been sent: then what can't be read, or was changed by somebody, is no answer
 * @throws ApplicationFailure SWITCH_UNCONFIRMED, to be tried again, when nobody knows
 */
export async function isAnySwitched(place: SwitchPlace, isBegun: boolean): Promise<boolean> {
  const looks = await lookAtSwitches(place);
  if (looks.some(({ pointsAt }) => pointsAt === 'to')) return true;
  const strange = looks.find(({ pointsAt }) => pointsAt === 'unread' || pointsAt === 'neither');
  if (!isBegun || !strange) return false;
  throw ApplicationFailure.retryable(
    `Nobody knows whether traffic is switched, so the fence stays up: ${strange.what} ${strange.pointsAt === 'unread' ? "can't be read" : 'names neither side'}. ${strange.red.join(' ')}`,
    SWITCH_UNCONFIRMED,
  );
}

/**
 * Whether nobody can read from the switches that traffic has moved: there is none, or the first, which decides, can't be
 * read. Then the pause counts as switched from the moment that it is recorded.
 */
export const isOpaque = ([first]: readonly TrafficSwitch[]): boolean => first === undefined || kindOf(first).opaque;

/** How long a request of the first switch, which decides, may still take effect and not show; see `SwitchKind.decidedWithinMs`. */
export const decidedWithinMs = ([first]: readonly TrafficSwitch[]): number =>
  first === undefined ? 0 : kindOf(first).decidedWithinMs;

/** Reads every switch before the pause, so that inside it only what can't be done before is left. */
export function preparedSwitches(place: ReadySwitchPlace): Promise<PreparedSwitch[]> {
  return Promise.all(
    place.ref.plan.cutover.traffic.map((entry) => kindOf(entry).prepare(placeFor(place, entry), entry)),
  );
}

/** Behind `rds-rename` there is one endpoint, that of the name, for whoever has to be told of an old and a new one. */
export function placeFor<Place extends SwitchPlace>(place: Place, { type }: TrafficSwitch): Place {
  const { ref, from, to } = place;
  if (!renames(ref.plan) || (type !== 'webhook' && type !== 'manual') || !to) return place;
  const isNamed = instanceOf(ref, 'source') === ref.plan.source.instance;
  return { ...place, from: isNamed ? from : to, to: isNamed ? from : to };
}

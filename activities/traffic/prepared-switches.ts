import { renames } from '../../plan/instance-names';
import type { TrafficSwitch } from '../../plan/plan';
import { instanceOf } from '../dependencies';
import { kindOf } from './kinds';
import type { PreparedSwitch, ReadySwitchPlace, SwitchLook, SwitchPlace } from './traffic-switch';

/** Looks at every switch of the plan; nothing is changed. */
export function lookAtSwitches(place: SwitchPlace): Promise<SwitchLook[]> {
  return Promise.all(place.ref.plan.cutover.traffic.map((entry) => kindOf(entry).look(placeFor(place, entry), entry)));
}

/** Whether any switch names `to`, and no longer `from`. */
export async function isAnySwitched(place: ReadySwitchPlace): Promise<boolean> {
  return (await lookAtSwitches(place)).some(({ pointsAt }) => pointsAt === 'to');
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

import type { LagPoint } from './report';

/** So many points a report keeps; enough for a line across a page, and small in a payload. */
export const MAX_LAG_POINTS = 200;

/**
 * The history with more points at its end. Beyond `max` the two neighbours that lie closest in time become one, of which the
 * higher stays: so a month keeps its shape, and no peak is ever lost. First and last point stay. Points that are not
 * newer than the last one are left out: an activity that ran twice reports them twice.
 */
export function withLag(
  history: readonly LagPoint[] | undefined,
  points: readonly LagPoint[],
  max = MAX_LAG_POINTS,
): LagPoint[] {
  const all = [...(history ?? [])];
  for (const { at, bytes } of points) {
    const last = all.at(-1);
    if (last && Date.parse(at) <= Date.parse(last.at)) continue;
    all.push({ at, bytes });
    if (all.length > Math.max(max, 3)) thin(all);
  }
  return all;
}

/** Takes one point out: of the two inner neighbours that are closest in time, the lower one. */
function thin(points: LagPoint[]): void {
  const times = points.map(({ at }) => Date.parse(at));
  let closest = 1;
  for (let place = 2; place < points.length - 2; place += 1) {
    if (gap(times, place) < gap(times, closest)) closest = place;
  }
  const higherFirst = (points[closest]?.bytes ?? 0) >= (points[closest + 1]?.bytes ?? 0);
  points.splice(higherFirst ? closest + 1 : closest, 1);
}

const gap = (times: readonly number[], place: number): number => (times[place + 1] ?? 0) - (times[place] ?? 0);

import type { TrafficSwitch } from '../../plan/plan';
import { endpointText, type SwitchKind } from './traffic-switch';

type Entry = Extract<TrafficSwitch, { type: 'manual' }>;

const what = 'by hand';

/** A person moves the traffic when writes have stopped, and says so with the signal `switched`: the workflow waits for that. */
export const manual: SwitchKind<Entry> = {
  opaque: true,
  decidedWithinMs: Number.POSITIVE_INFINITY,
  look({ from, to }) {
    const isSame = to && endpointText(from) === endpointText(to);
    const where = to ? `from ${endpointText(from)} to ${endpointText(to)}` : `away from ${endpointText(from)}`;
    const finding = isSame
      ? `when the instances are renamed, do by hand what has to be done, then send switched; applications stay with ${endpointText(to)}`
      : `when writes have stopped, point applications ${where} by hand, then send switched; no application can write until you do`;
    return Promise.resolve({ what, pointsAt: 'unknown', findings: [finding], red: [] });
  },
  prepare({ from, to }) {
    const nothing = () => Promise.resolve();
    return Promise.resolve({ what, from: endpointText(from), to: endpointText(to), done: false, apply: nothing });
  },
};

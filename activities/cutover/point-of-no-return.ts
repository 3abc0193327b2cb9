import type { TrafficSwitch } from '../../plan/plan';
import { isOpaque } from '../traffic/prepared-switches';

/**
 * From where on no death of a worker may lower the fence by itself. A road that moves traffic in another way has another one.
 * - `first switch`: its write. Whoever comes later finds on the source that it had begun, and finishes it by the record.
 * - `record`: nobody can read the first switch, or there is none, so the record of the pause on the target stands for it.
 */
export type PointOfNoReturn = 'first switch' | 'record';

/** Of the roads that move traffic by the switches of the plan. */
export const pointOfNoReturn = (traffic: readonly TrafficSwitch[]): PointOfNoReturn =>
  isOpaque(traffic) ? 'record' : 'first switch';

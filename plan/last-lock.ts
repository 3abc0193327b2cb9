import type { Plan } from './plan';

/** Whether the source is stopped after the proof, as the last lock. */
export const stopsSource = ({ cutover }: Pick<Plan, 'cutover'>): boolean =>
  cutover.fence.some(({ type }) => type === 'stop-instance');

import type { Plan } from './plan';

/**
 * How far the traffic switch `rds-rename` has come: `source`: the source of the plan has given its name up; `both`: besides, the
 * target of the plan has taken it. Absent: both are called as the plan says.
 */
export type Renamed = 'source' | 'both';

/** Whether the plan moves traffic by renaming the instances. */
export const renames = ({ cutover }: Plan): boolean => cutover.traffic[0]?.type === 'rds-rename';

/** AWS: a new DNS name "becomes effective in about 10 minutes", and until then the instance is not available. There are two. */
export const RENAMING_MINUTES = 2 * 10;

/** What the source of the plan is called when it has given its name up. */
export function oldSourceName({ source, cutover }: Plan): string {
  const [first] = cutover.traffic;
  return (first?.type === 'rds-rename' ? first.sourceBecomes : undefined) ?? `${source.instance}-old`;
}

/** What an instance of the plan is called now. */
export function presentName(
  { plan, renamed }: { readonly plan: Plan; readonly renamed?: Renamed },
  side: 'source' | 'target',
): string {
  if (side === 'source') return renamed === undefined ? plan.source.instance : oldSourceName(plan);
  return renamed === 'both' ? plan.source.instance : plan.target.instance;
}

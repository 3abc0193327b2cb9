import type { Preflight } from '../plan/checks';
import { parsePlan } from '../plan/parse-plan';
import type { PlanInput } from '../plan/plan';
import { act } from './act';

/** The preflight alone: reads, changes nothing, and answers with every check. */
export async function preflightDatabase(input: {
  readonly id: string;
  readonly plan: PlanInput;
  /** Every statement of a remedy, not the first ones. */
  readonly all?: boolean;
}): Promise<Preflight> {
  const plan = parsePlan(input.plan, input.id);
  return act('runPreflight', { id: input.id, plan, ...(input.all === true ? { all: true } : {}) });
}

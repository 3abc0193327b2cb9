import { checkPlan } from '../../plan/parse-plan';
import type { Plan, PlanInput } from '../../plan/plan';

/** The smallest plan: four values. */
export const SMALLEST_PLAN = {
  source: { instance: 'app-db', secret: 'app-db-master' },
  target: { instance: 'app-db-encrypted', kmsKeyId: 'alias/databases' },
} satisfies PlanInput;

/** A checked plan with its defaults. */
export function parsedPlan(input: PlanInput = SMALLEST_PLAN): Plan {
  const result = checkPlan(input);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.plan;
}

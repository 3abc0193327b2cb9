import { sleep } from '@temporalio/workflow';
import type { Preflight } from '../../../plan/checks';
import type { PlanInput } from '../../../plan/plan';
import type { Report } from '../../../plan/report';
import * as asTheyAre from '../../../workflows';

/** The workflows with one step too many at their beginning: what a careless change does to migrations under way. */
export async function migrateDatabase(plan: PlanInput): Promise<Report> {
  await sleep('1 second');
  return asTheyAre.migrateDatabase(plan);
}

export async function preflightDatabase(input: { readonly id: string; readonly plan: PlanInput }): Promise<Preflight> {
  await sleep('1 second');
  return asTheyAre.preflightDatabase(input);
}

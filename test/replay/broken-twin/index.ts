import { sleep } from '@temporalio/workflow';
import type { PlanInput } from '../../../plan/plan';
import type { Report } from '../../../plan/report';
import { migrateDatabase as asItIs } from '../../../workflows';

/** The workflow with one step too many at its beginning: what a careless change does to migrations under way. */
export async function migrateDatabase(plan: PlanInput): Promise<Report> {
  await sleep('1 second');
  return asItIs(plan);
}

import { workflowInfo } from '@temporalio/workflow';
import { parsePlan } from '../plan/parse-plan';
import type { PlanInput } from '../plan/plan';
import type { Report } from '../plan/report';
import type { Strategy } from '../plan/strategies';
import { Migration } from './migration';
import { snapshotCdc } from './strategies/snapshot-cdc';

const RUN: Record<Strategy, (migration: Migration) => Promise<void>> = { 'snapshot-cdc': snapshotCdc };

/**
 * Moves a live database to a new, encrypted home. The id of the workflow is the id of the migration; the argument is the
 * plan. Ends with the report; fails only when the plan is wrong or the preflight blocks, before anything is touched.
 */
export async function migrateDatabase(input: PlanInput): Promise<Report> {
  const { workflowId } = workflowInfo();
  const plan = parsePlan(input, workflowId);
  const migration = new Migration(workflowId, plan);
  return migration.run(() => RUN[plan.strategy](migration));
}

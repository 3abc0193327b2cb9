import type { PlanInput } from '../../../plan/plan';
import type { MigrationStatus } from '../../../plan/progress';
import type { PREFLIGHT_WORKFLOW_TYPE, WORKFLOW_TYPE } from '../../../plan/temporal';
import { SMALLEST_PLAN } from '../../support/plan';
import type { Overrides } from '../../support/scripted-activities';
import type { ScriptedMigration } from '../../support/workflow-lab';

/** One course of a migration: what the plan says, what its activities answer, and what people do. */
export interface Course {
  /** Default: the smallest one. */
  readonly plan?: PlanInput;
  /** What differs from a day on which all goes well. */
  readonly activities?: Overrides;
  operate(migration: ScriptedMigration): Promise<unknown>;
  /**
   * How it ends, so that a course that went another way is not recorded; default: completed. `invalid`: before there is a report.
   */
  readonly ends?: MigrationStatus | 'invalid';
  /** Default: a migration. */
  readonly workflow?: typeof WORKFLOW_TYPE | typeof PREFLIGHT_WORKFLOW_TYPE;
}

/** Made anew for each recording, since scripts count and wait. */
export type Scenario = () => Course;

const FREE = { approval: false };

/** Only the cutover and the decommission are asked for. */
export const BRIEF: PlanInput = { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE } };
/** The last gate only. */
export const LAST_GATE: PlanInput = { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, cutover: FREE } };
/** Nobody is asked for anything. */
export const UNATTENDED: PlanInput = {
  ...SMALLEST_PLAN,
  gates: { 'reboot-source': FREE, cutover: FREE, decommission: FREE },
};

export const by = (name: string) => ({ by: name });
export const alone = async (): Promise<void> => undefined;

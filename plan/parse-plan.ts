import type { z } from 'zod';
import { finalFailure } from './failures';
import { oldSourceName, renames } from './instance-names';
import { stopsSource } from './last-lock';
import { type Plan, planSchema } from './plan';
import { MIGRATION_ID } from './temporal';

/** One mistake in a plan: where, and what to do about it. */
export interface PlanProblem {
  /** Path in the plan, for example `cutover.traffic.0.name`. */
  readonly path: string;
  readonly message: string;
}

const expected: Partial<Record<string, string>> = { string: 'a text', number: 'a number', boolean: 'true or false' };

function remedy(issue: z.core.$ZodIssue, present: boolean): string {
  if (issue.code === 'unrecognized_keys')
    return `is not known: remove ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  if (issue.code === 'invalid_type') {
    const wanted = expected[issue.expected] ?? `an ${issue.expected}`;
    return present ? `has the wrong type: give ${wanted}` : `is missing: give ${wanted}`;
  }
  return issue.message;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], input);
}

/** Looked at in the plan as it was written: other mistakes in it must not hide this one. */
function namesItself(input: unknown): boolean {
  const [source, target] = ['source', 'target'].map((side) => valueAt(input, [side, 'instance']));
  return typeof source === 'string' && typeof target === 'string' && source.toLowerCase() === target.toLowerCase();
}

const LONGEST_ID = 63;

/** What the source is to be called behind `rds-rename` has to be a name of its own. */
function wrongNewName(plan: Plan): PlanProblem[] {
  if (!renames(plan)) return [];
  const name = oldSourceName(plan);
  const path = 'cutover.traffic.0.sourceBecomes';
  if (name === plan.source.instance) return [{ path, message: 'is what the source is called now: give another name' }];
  if (name === plan.target.instance) return [{ path, message: 'is the name of the target: give another name' }];
  if (name.length <= LONGEST_ID) return [];
  return [{ path, message: `is missing, and ${name} is longer than ${LONGEST_ID} characters: give a name` }];
}

/** Who reads from the source after the switch needs one that runs. */
function needsRunningSource(plan: Plan): PlanProblem[] {
  if (!stopsSource(plan)) return [];
  const { soak, carry, cutover } = plan;
  const path = `cutover.fence.${cutover.fence.findIndex(({ type }) => type === 'stop-instance')}`;
  return [
    ...(soak.wayBack === 'none'
      ? []
      : [{ path, message: 'needs soak.wayBack "none": the way back needs a source that runs' }]),
    ...(carry.slots === 'leave'
      ? []
      : [
          {
            path,
            message:
              'needs carry.slots "leave": readers have to come to the end of their old slots, on a source that runs',
          },
        ]),
  ];
}

/** Checks a plan. Returns every mistake at once, or the plan with its defaults. */
export function checkPlan(input: unknown): { plan: Plan } | { problems: PlanProblem[] } {
  const result = planSchema.safeParse(input);
  const problems: PlanProblem[] = result.success
    ? []
    : result.error.issues.map((issue) => ({
        path: issue.path.join('.') || '(plan)',
        message: remedy(issue, valueAt(input, issue.path) !== undefined),
      }));
  if (namesItself(input)) {
    problems.push({
      path: 'target.instance',
      message: 'is the source itself: give the new instance a name of its own',
    });
  }
  if (result.success) problems.push(...wrongNewName(result.data), ...needsRunningSource(result.data));
  return result.success && problems.length === 0 ? { plan: result.data } : { problems };
}

/** @throws ApplicationFailure of type InvalidPlan that lists every mistake with its path */
export function parsePlan(input: unknown, migration: string): Plan {
  const result = checkPlan(input);
  const problems = 'problems' in result ? result.problems : [];
  if (!MIGRATION_ID.test(migration)) {
    problems.push({
      path: '(workflow id)',
      message: `"${migration}" cannot name a migration: give 1-41 lower case letters, digits and hyphens, beginning with a letter`,
    });
  }
  if ('plan' in result && problems.length === 0) return result.plan;
  const list = problems.map(({ path, message }) => `  ${path}: ${message}`).join('\n');
  throw finalFailure(
    'InvalidPlan',
    `The plan has ${problems.length} mistake${problems.length === 1 ? '' : 's'}; nothing was touched:\n${list}`,
    problems,
  );
}

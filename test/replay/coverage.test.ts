import { z } from 'zod';
import { createActivities } from '../../activities';
import { checkPlan } from '../../plan/parse-plan';
import { type Plan, planSchema } from '../../plan/plan';
import { STRATEGIES } from '../../plan/strategies';
import { historyFiles, historyText, readHistory } from './history-file';
import { CHANGES_COURSE, PASSED_ON } from './course-options';
import { SCENARIOS } from './scenarios';

/** Activities that no workflow calls, each with the reason why there is one. */
const NEVER_CALLED: Readonly<Record<string, string>> = {
  deleteReplicationSecret:
    'dropAccess calls it as a function; no workflow of which there are histories has called it as an activity',
};

const histories = historyFiles().map(readHistory);
const events = histories.flatMap((history) => history.events ?? []);
const jsonOf = (data: Uint8Array | null | undefined): unknown => JSON.parse(Buffer.from(data ?? []).toString());

describe('the activities', () => {
  const called = new Set(events.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name));
  // What an activity works with is asked for when it is called, not before.
  const names = Object.keys(createActivities(undefined as never));

  it.each(names.filter((name) => !(name in NEVER_CALLED)))('%s is in a history', (name) => {
    expect(called).toContain(name);
  });

  it('that no workflow calls are in none, and exist', () => {
    const wrong = Object.keys(NEVER_CALLED).filter((name) => called.has(name) || !names.includes(name));
    expect(wrong).toEqual([]);
  });
});

/** The value of an option, as far as it matters: how many there are, or how large it is, does not. */
function kindOf(value: unknown): unknown {
  if (value === undefined) return 'absent';
  if (Array.isArray(value))
    return value.length === 0 ? 'none' : value.map((one: { type?: string }) => one.type ?? 'some').join(' ');
  if (typeof value === 'number') return Math.min(value, 2);
  return typeof value === 'object' ? 'given' : value;
}

const matches = (pattern: string, path: string): boolean =>
  new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^.]+')}$`).test(path);

/** Values of the options that match, in a plan. */
function valuesIn(plan: unknown, pattern: string, path = ''): unknown[] {
  if (path !== '' && matches(pattern, path)) return [kindOf(plan)];
  if (typeof plan !== 'object' || plan === null || Array.isArray(plan)) return [];
  return optionsBelow(plan, path).flatMap(([key, value]) => valuesIn(value, pattern, key));
}

const optionsBelow = (of: object, path: string): [string, unknown][] =>
  Object.entries(of).map(([key, value]) => [path === '' ? key : `${path}.${key}`, value]);

describe('the options of a plan that change the course of a workflow', () => {
  const plans = histories.flatMap((history): Plan[] => {
    const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
    if (started?.workflowType?.name !== 'migrateDatabase') return [];
    const result = checkPlan(jsonOf(started.input?.payloads?.[0]?.data));
    return 'plan' in result ? [result.plan] : [];
  });

  it.each(
    Object.entries(CHANGES_COURSE).flatMap(([option, values]) => values.map((value) => [option, value] as const)),
  )('%s: %s is in a history', (option, value) => {
    // One that is optional is not there at all where it is absent.
    const found = plans.flatMap((plan) => {
      const values = valuesIn(plan, option);
      return values.length === 0 ? ['absent'] : values;
    });
    expect(found).toContainEqual(value);
  });

  it('are told from those that only activities read, one by one', () => {
    const known = [...Object.keys(CHANGES_COURSE), ...PASSED_ON];
    const unclassified: string[] = [];
    const walk = (schema: z.core.JSONSchema.JSONSchema, path: string): void => {
      for (const [name, below] of optionsBelow(schema.properties ?? {}, path)) {
        if (known.some((pattern) => matches(pattern, name))) continue;
        const { properties } = below as z.core.JSONSchema.JSONSchema;
        if (properties === undefined) unclassified.push(name);
        else walk(below as z.core.JSONSchema.JSONSchema, name);
      }
    };
    walk(z.toJSONSchema(planSchema, { io: 'input', unrepresentable: 'any' }), '');
    expect(unclassified).toEqual([]);
  });

  it('include every strategy', () => {
    expect(CHANGES_COURSE['strategy']).toEqual(STRATEGIES);
  });
});

it('every scenario has a name that a file can have', () => {
  expect(Object.keys(SCENARIOS).filter((name) => !/^[a-z][a-z-]*$/.test(name))).toEqual([]);
});

it('no history says on which machine it was recorded', () => {
  const telling = historyFiles().filter((file) => /[(" ]\/(home|root|work|Users|tmp)\//.test(historyText(file)));
  expect(telling).toEqual([]);
});

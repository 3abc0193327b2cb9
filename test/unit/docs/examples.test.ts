import { parse } from 'yaml';
import { z } from 'zod';
import { checkPlan } from '../../../plan/parse-plan';
import { planSchema } from '../../../plan/plan';
import { list, read } from './read';

const EXAMPLES = [...list('examples', '.yaml'), ...list('examples', '.json')];

/** Paths of all fields of a value, `a.b.c`. */
function pathsOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [prefix];
  // Keys of a map are not options.
  if (Object.keys(value).length === 0) return [prefix];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, prefix ? `${prefix}.${key}` : key));
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

function fieldsOf({ properties }: JsonSchema, prefix = ''): string[] {
  if (!properties) return [prefix];
  return Object.entries(properties).flatMap(([key, inner]) => fieldsOf(inner, prefix ? `${prefix}.${key}` : key));
}

test.each(EXAMPLES)('%s is a plan', (name) => {
  expect(checkPlan(parse(read(`examples/${name}`)))).not.toHaveProperty('problems');
});

test.each(EXAMPLES.filter((name) => name.endsWith('.json')))('%s says what its YAML twin says', (name) => {
  expect(JSON.parse(read(`examples/${name}`))).toEqual(parse(read(`examples/${name.replace('.json', '.yaml')}`)));
});

test('all-options.yaml has every option', () => {
  const fields = fieldsOf(z.toJSONSchema(planSchema, { io: 'input' }) as JsonSchema);
  expect(pathsOf(parse(read('examples/all-options.yaml'))).sort()).toEqual(fields.sort());
});

test('all-options.yaml shows the defaults, where there are any', () => {
  const optional = [
    'region',
    'instanceClass',
    'subnetGroup',
    'multiAz',
    'availabilityZone',
    'storageType',
    'allocatedStorage',
    'iops',
    'storageThroughput',
    'deletionProtection',
  ];
  const shown = parse(read('examples/all-options.yaml')) as Record<string, Record<string, unknown>>;
  const smallest = checkPlan(parse(read('examples/smallest.yaml')));
  if (!('plan' in smallest)) throw new Error('smallest.yaml is no plan');
  for (const field of optional) {
    delete shown['source']?.[field];
    delete shown['target']?.[field];
  }
  delete shown['databases'];
  delete shown['report'];
  delete shown['ddl']?.['passRole'];
  Object.assign(shown['ignore'] ?? {}, { roles: [] });
  for (const gate of Object.values(shown['gates'] ?? {}) as Record<string, unknown>[]) {
    delete gate['expiresAfterMinutes'];
    delete gate['window'];
  }
  Object.assign(shown['cutover'] ?? {}, {
    spareRoles: [],
    poolers: [],
    fence: [{ type: 'sql' }],
    traffic: [],
    hooks: { before: [], after: [] },
  });
  expect(shown).toEqual(smallest.plan);
});

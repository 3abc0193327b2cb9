import { instanceOf } from '../../../activities/dependencies';
import { presentName, renames } from '../../../plan/instance-names';
import { parsedPlan, SMALLEST_PLAN } from '../../support/plan';

const planWith = (more: object) =>
  parsedPlan({ ...SMALLEST_PLAN, cutover: { traffic: [{ type: 'rds-rename', ...more }] } });

it.each([
  [undefined, 'app-db', 'app-db-encrypted'],
  ['source', 'app-db-old', 'app-db-encrypted'],
  ['both', 'app-db-old', 'app-db'],
] as const)('renamed %s: source and target are %s and %s, whatever the direction', (renamed, source, target) => {
  const ref = { id: 'm', plan: planWith({}), ...(renamed ? { renamed } : {}) };
  expect([presentName(ref, 'source'), presentName(ref, 'target')]).toEqual([source, target]);
  expect([instanceOf(ref, 'source'), instanceOf(ref, 'target')]).toEqual([source, target]);
  const back = { ...ref, direction: 'back' } as const;
  expect([instanceOf(back, 'source'), instanceOf(back, 'target')]).toEqual([target, source]);
});

it('calls the source as the plan says', () => {
  const plan = planWith({ sourceBecomes: 'Retired-DB' });
  expect(presentName({ plan, renamed: 'both' }, 'source')).toBe('retired-db');
});

it('knows a plan that renames from one that does not', () => {
  expect(renames(planWith({}))).toBe(true);
  expect(renames(parsedPlan())).toBe(false);
});

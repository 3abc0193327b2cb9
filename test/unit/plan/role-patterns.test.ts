import { fitsPattern, likePattern } from '../../../plan/role-patterns';

test.each([
  ['v-*', 'v-token-app-x1', true],
  ['v-*', 'v-', true],
  ['v-*', 'V-token', false],
  ['v-*', 'app-v-1', false],
  ['*_rotating_*', 'a_rotating_b', true],
  ['*_rotating_*', 'arotatingb', false],
  ['odd.(role)', 'odd.(role)', true],
  ['odd.(role)', 'oddX(role)', false],
  ['a%b\\c', 'a%b\\c', true],
  ['*', 'two\nlines', true],
])('%j and %j: %s', (pattern, role, fits) => {
  expect(fitsPattern(pattern, role)).toBe(fits);
});

test('what LIKE takes for a wildcard is literal', () => {
  expect(likePattern('v_*%\\')).toBe('v\\_%\\%\\\\');
});

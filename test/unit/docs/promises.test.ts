import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { read, ROOT } from './read';

/** Rows of the tables of docs/promises.md: the promise, where it is said, what holds it. */
const ROWS = read('docs/promises.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| promise |'))
  .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, '').trim()));

const TESTS = ROWS.flatMap(([promise = '', , held = '']) =>
  [...held.matchAll(/`(test\/[^`]+)` "([^"]+)"/g)].map(([, file = '', name = '']) => [promise, file, name] as const),
);

test('there are promises', () => {
  expect(ROWS.length).toBeGreaterThan(50);
});

test.each(ROWS)('%s: a test holds it, or the page says that none does', (_promise, _where, held = '') => {
  expect(held).toMatch(/^`test\/.+` "|^\*\*no test\*\*: \S/);
});

test.each(TESTS)('%s: %s has "%s"', (_promise, file, name) => {
  expect(existsSync(join(ROOT, file))).toBe(true);
  // As it is written in the code: of a test with cases, with its placeholders.
  const names = [...read(file).matchAll(/(['`"])((?:(?!\1)[^\\\n]|\\.)*)\1/g)].map(([, , text]) => text);
  expect(names).toContain(name);
});

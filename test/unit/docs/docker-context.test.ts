import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { contextFiles, dockerIgnores } from '../../support/docker-context';
import { stagesOf, startWords } from '../../support/dockerfile';
import { list, read, ROOT } from './read';

/** The image's files of RDS's authorities: an address unless whoever builds names a file of the context. */
const BUILD_ARGUMENT = '${RDS_CA_BUNDLE}';

const stages = stagesOf(read('Dockerfile'));
const ignored = dockerIgnores(read('.dockerignore'));
const files = contextFiles(ROOT, ignored);

const stage = (name: string) => {
  const found = stages.find((one) => one.name === name);
  if (!found) throw new Error(`no stage ${name}`);
  return found;
};

/** Files of the context that a source of a `COPY` names. */
const named = (source: string): string[] =>
  files.filter((file) => file === source || source === '.' || file.startsWith(`${source}/`));

/** What a stage takes from the context, its bases included. */
function filesOf(name: string): string[] {
  const { base, copies } = stage(name);
  const own = copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources.flatMap(named));
  return [...(stages.some((one) => one.name === base) ? filesOf(base) : []), ...own];
}

describe('the rules of a .dockerignore', () => {
  test.each([
    ['*/temp*', 'somedir/temporary.txt', true],
    ['*/temp*', 'temporary.txt', false],
    ['*/*/temp*', 'somedir/subdir/temporary.txt', true],
    ['temp?', 'tempa', true],
    ['temp?', 'temp', false],
    ['**/*.go', 'a/b/c.go', true],
    ['**/*.go', 'c.go', true],
    ['/foo/bar', 'foo/bar', true],
    ['foo/bar/', 'foo/bar/baz', true],
    ['./foo', 'foo', true],
    ['foo', 'bar/foo', false],
    ['*', 'a/b/c', true],
    ['*.md\n!README.md', 'README.md', false],
    ['*.md\n!README*.md\nREADME-secret.md', 'README-secret.md', true],
    ['*.md\nREADME-secret.md\n!README*.md', 'README-secret.md', false],
    ['*\n!docs/a.json', 'docs/a.json', false],
    ['*\n!docs/a.json', 'docs/b.json', true],
    ['*\n!src\n**/*.log', 'src/deep/x.log', true],
    ['# a\n*.txt', 'a', false],
    ['*.txt', 'a+b.txt', true],
    ['a+b', 'aab', false],
    ['[a-c].txt', 'b.txt', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
  ])('%j and the path %s: left out is %s', (text, path, out) => {
    expect(dockerIgnores(text)(path)).toBe(out);
  });
});

test.each(
  stages.flatMap(({ name, copies }) =>
    copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources.map((source) => [name, source])),
  ),
)('stage %s finds %s in the context', (_name, source = '') => {
  if (source !== BUILD_ARGUMENT) expect(named(source)).not.toEqual([]);
});

test.each(
  stages.flatMap(({ name, copies }) => copies.flatMap(({ from }) => (from === undefined ? [] : [[name, from]]))),
)('stage %s copies from %s, which comes before it', (name = '', from = '') => {
  const names = stages.map((one) => one.name);
  expect(names.slice(0, names.indexOf(name))).toContain(from);
});

test('the build has every folder that tsconfig.build.json includes, with all its files', () => {
  const { include, extends: base } = JSON.parse(read('tsconfig.build.json')) as { include: string[]; extends: string };
  const built = new Set(filesOf('build'));
  const wanted = [
    ...include.flatMap((folder) =>
      [...list(folder, '.ts'), ...list(folder, '.tsx')].map((name) => `${folder}/${name}`),
    ),
    'tsconfig.build.json',
    join(base),
    'package.json',
  ];
  expect(wanted.filter((file) => !built.has(file))).toEqual([]);
});

test.each([
  ['build', ['plan', 'workflows', 'activities', 'evidence', 'worker', 'client']],
  ['local', ['local']],
])('what the code in stage %s imports is there', (name, folders) => {
  const there = new Set(filesOf(name));
  const missing = [...there]
    .filter((file) => folders.some((folder) => file.startsWith(`${folder}/`)) && /\.tsx?$/.test(file))
    .flatMap((file) =>
      [...read(file).matchAll(/(?:from|import\(|require\.resolve\(|require\()\s*'(\.[^']+)'/g)].map(([, to = '']) =>
        join(file, '..', to),
      ),
    )
    .filter((path) => ![path, `${path}.ts`, `${path}.tsx`, `${path}/index.ts`].some((one) => there.has(one)));
  expect(missing).toEqual([]);
});

test.each(['worker', 'local'])('what the image %s starts is in it', (name) => {
  const scripts = startWords(stage(name)).filter((word) => /\.(js|ts)$/.test(word));
  expect(scripts.length).toBeGreaterThan(0);
  const there = new Set(name === 'worker' ? filesOf('build') : filesOf(name));
  // The build writes dist/x.js of x.ts.
  const sources = scripts.map((script) => script.replace(/^(?:\/app\/)?dist\/(.+)\.js$/, '$1.ts'));
  expect(sources.filter((source) => !there.has(source))).toEqual([]);
});

test('the command keyshift is in the image of the worker', () => {
  const { bin } = JSON.parse(read('package.json')) as { bin: { keyshift: string } };
  const link = stage('worker').instructions.find(({ text }) => text.includes('/usr/local/bin/keyshift'));
  expect(link?.text).toContain(`/app/${bin.keyshift}`);
});

test('nothing is sent that no COPY names', () => {
  const copied = new Set(stages.flatMap(({ name }) => filesOf(name)));
  expect(files.filter((file) => !copied.has(file) && existsSync(join(ROOT, file)))).toEqual([]);
});

test.each([
  '.env',
  '.npmrc.bak',
  'test/unit/docs/read.ts',
  '.keyshift/local.env',
  'node_modules/pg/package.json',
  'plan.log',
])('%s stays out of the context', (path) => {
  expect(ignored(path)).toBe(true);
});

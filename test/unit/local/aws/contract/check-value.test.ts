import { readdirSync } from 'node:fs';
import { patternOf, problemsOf } from '../../../../../local/aws/contract/check-value';
import { mayAnswer } from '../../../../../local/aws/contract/common-codes';
import { EC2_QUERY, JSON_DIALECT, QUERY, XML } from '../../../../../local/aws/contract/dialects';
import { treeOf } from '../../../../../local/aws/query-protocol';
import {
  MODEL_FOLDERS,
  modelOf,
  MODELS,
  type ServiceModel,
  type ServiceName,
} from '../../../../../local/aws/contract/model';

const model: ServiceModel = {
  botocore: '0',
  protocol: 'query',
  operations: {},
  shapes: {
    Input: {
      type: 'structure',
      required: ['Id'],
      members: { Id: { shape: 'Id' }, Tags: { shape: 'Tags' }, Flat: { shape: 'Flat', locationName: 'flat' } },
    },
    Id: { type: 'string', min: 2, max: 4, pattern: '[a-z]+' },
    Tags: { type: 'list', member: { shape: 'Tag', locationName: 'Tag' }, max: 2 },
    Tag: { type: 'structure', members: { Key: { shape: 'Kind' }, Count: { shape: 'Count' } } },
    Kind: { type: 'string', enum: ['a', 'b'] },
    Count: { type: 'integer', min: 1, max: 9 },
    Flat: { type: 'list', flattened: true, member: { shape: 'Flag' } },
    Flag: { type: 'boolean' },
  },
};
const check = (dialect: typeof XML, raw: unknown, ignored: readonly string[] = []) =>
  problemsOf({ model, dialect, ignored: new Set(ignored) }, 'Input', raw, '').map(
    ({ kind, path }) => `${kind} ${path}`,
  );
const form = (text: string) => treeOf(new URLSearchParams(text));

it.each([
  ['nothing wrong', 'Id=abc&Tags.Tag.1.Key=a&Tags.Tag.1.Count=3&flat.1=true', []],
  ['nothing wrong with an empty list', 'Id=abc&Tags=', []],
  ['what is required', 'Tags.Tag.1.Key=a', ['missing Id']],
  ['what is not in the model', 'Id=abc&Idd=abc', ['unknown Idd']],
  ['another word for the items of a list', 'Id=abc&Tags.member.1.Key=a', ['type Tags']],
  ['lengths', 'Id=a', ['constraint Id']],
  ['patterns, of the whole value', 'Id=abc1', ['constraint Id']],
  ['values of an enumeration', 'Id=abc&Tags.Tag.1.Key=c', ['constraint Tags.1.Key']],
  ['integers', 'Id=abc&Tags.Tag.1.Count=x', ['type Tags.1.Count']],
  ['ranges', 'Id=abc&Tags.Tag.1.Count=10', ['constraint Tags.1.Count']],
  ['booleans', 'Id=abc&flat.1=yes', ['type Flat.1']],
])('a request of the Query protocol: %s', (_, text, problems) => {
  expect(check(QUERY, form(text))).toEqual(problems);
});

it('a request of EC2 has names with a capital, and no word for the items of lists', () => {
  expect(check(EC2_QUERY, form('Id=abc&Tags.1.Key=a&Flat.1=true'))).toEqual([]);
  expect(check(EC2_QUERY, form('Id=abc&Tags.Tag.1.Key=a'))).toEqual(['type Tags']);
});

it('an answer in XML', () => {
  expect(check(XML, { Id: 'abc', Tags: { Tag: { Key: 'a' } }, flat: ['true', 'false'] })).toEqual([]);
  expect(check(XML, { Id: 'abc', Tags: '', flat: 'true' })).toEqual([]);
  expect(check(XML, { Id: 'abc', Tags: { member: { Key: 'a' } } })).toEqual(['type Tags']);
  expect(check(XML, { Id: 'abc', More: 'x' })).toEqual(['unknown More']);
  expect(check(XML, { Id: 'abc', More: 'x' }, ['More'])).toEqual([]);
});

it('an empty list is less than the model wants, which AWS answers all the same', () => {
  const shapes = { ...model.shapes, Tags: { ...model.shapes['Tags'], type: 'list' as const, min: 1 } };
  const least = { model: { ...model, shapes }, dialect: XML, ignored: new Set<string>() };
  const raw = { Id: 'abc', Tags: '' };
  expect(problemsOf(least, 'Input', raw, '')).toMatchObject([{ kind: 'constraint', path: 'Tags' }]);
  expect(problemsOf({ ...least, emptyLists: true }, 'Input', raw, '')).toEqual([]);
});

it('JSON has types of its own', () => {
  expect(check(JSON_DIALECT, { Id: 'abc', Tags: [{ Count: 3 }], flat: [true] })).toEqual([]);
  expect(check(JSON_DIALECT, { Id: 'abc', Tags: [{ Count: '3' }], flat: ['true'] })).toEqual([
    'type Tags.1.Count',
    'type Flat.1',
  ]);
});

describe('the models', () => {
  const services = Object.keys(MODEL_FOLDERS) as ServiceName[];

  it('are there, and no others', () => {
    const files = readdirSync(MODELS).filter((file) => file.endsWith('.json'));
    expect(files.sort()).toEqual(services.map((service) => `${MODEL_FOLDERS[service]}.json`).sort());
  });

  it('have patterns that can be read', () => {
    const patterns = services.flatMap((service) =>
      Object.values(modelOf(service).shapes).flatMap(({ pattern }) => pattern ?? []),
    );
    expect(patterns.length).toBeGreaterThan(50);
    for (const pattern of patterns) expect(() => patternOf(pattern)).not.toThrow();
    expect(patternOf('[\\p{L}]+').test('é')).toBe(true);
  });

  it('say which codes an operation has, in the spelling of the wire', () => {
    const rds = modelOf('rds');
    const { DescribeDBInstances } = rds.operations;
    const may = (code: string) => DescribeDBInstances && mayAnswer('rds', rds, DescribeDBInstances, code);
    expect(may('DBInstanceNotFound')).toBe(true);
    expect(may('DBInstanceNotFoundFault')).toBe(false);
    expect(may('Throttling')).toBe(true);
    expect(may('DBSnapshotNotFound')).toBe(false);
  });
});

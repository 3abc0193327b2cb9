import type { Random } from '../../position/random';
import type { ColumnType, Draft } from '../draft';
import { ident, literal, qualified } from '../sql';
import { textSql, word } from '../text';
import type { TypeFeature } from './plain-types';

type Made = Omit<ColumnType, 'feature'>;

const IDENTICAL = { equality: true, identical: true, key: false } as const;

/** A type of the database's own, by a statement that knows where it goes. */
const own = (
  name: string,
  statements: (label: string, draft: Draft) => readonly string[],
  of: Omit<Made, 'sql' | 'value'> & { readonly value: (random: Random, draft: Draft) => string },
): TypeFeature => ({
  name,
  make: (draft) => {
    const { label } = draft.place();
    draft.run(...statements(label, draft));
    const { value, ...traits } = of;
    return { ...traits, sql: label, value: (random) => `${value(random, draft)}::${label}` };
  },
});

/** An extension, in a schema of the application's. */
function extension(draft: Draft, name: string): string {
  const known = draft.extensions.get(name);
  if (known !== undefined) return known;
  const schema = draft.schema();
  draft.run(`CREATE EXTENSION ${ident(name)} SCHEMA ${ident(schema)} CASCADE`);
  draft.extensions.set(name, schema);
  return schema;
}

const byExtension = (
  name: string,
  typeName: string,
  value: (random: Random, draft: Draft) => string,
  traits: Omit<Made, 'sql' | 'value'> = IDENTICAL,
): TypeFeature => ({
  name: `${typeName} of ${name}`,
  make: (draft) => {
    const sql = qualified(extension(draft, name), typeName);
    return { ...traits, sql, value: (random) => `${value(random, draft)}::${sql}` };
  },
});

const MOODS = ['sad', 'ok', 'happy', `it's`, 'a,b', 'NULL'];

/** Types that an application makes, and those of extensions. */
export const OWN_TYPES: readonly TypeFeature[] = [
  own('enum', (label) => [`CREATE TYPE ${label} AS ENUM (${MOODS.map(literal).join(', ')})`], {
    ...IDENTICAL,
    value: (random) => literal(random.pick(MOODS)),
  }),
  own(
    'enum that grew in between',
    (label) => [
      `CREATE TYPE ${label} AS ENUM ('a', 'z')`,
      `ALTER TYPE ${label} ADD VALUE 'm' BEFORE 'z'`,
      `ALTER TYPE ${label} ADD VALUE 'f' AFTER 'a'`,
      `ALTER TYPE ${label} RENAME VALUE 'a' TO 'A b'`,
    ],
    { ...IDENTICAL, value: (random) => literal(random.pick(['A b', 'f', 'm', 'z'])) },
  ),
  own('composite', (label) => [`CREATE TYPE ${label} AS (a integer, "b c" text, "select" date)`], {
    ...IDENTICAL,
    value: (random, { encoding }) => `ROW(${random.below(99)}, ${textSql(random, encoding)}, '2000-02-29')`,
  }),
  {
    name: 'array of composites in a composite',
    make: (draft) => {
      const [inner, outer] = [draft.place(2).label, draft.place().label];
      draft.run(`CREATE TYPE ${inner} AS (n integer, t text)`, `CREATE TYPE ${outer} AS (id bigint, parts ${inner}[])`);
      const value = (random: Random): string =>
        `ROW(${random.below(99)}, ARRAY[ROW(1, ${literal(word(random, draft.encoding))})::${inner}, NULL])::${outer}`;
      return { ...IDENTICAL, sql: outer, value };
    },
  },
  own('domain', (label) => [`CREATE DOMAIN ${label} AS integer DEFAULT 7 CHECK (VALUE >= 0 AND VALUE <> 13)`], {
    ...IDENTICAL,
    value: (random) => String(random.below(13)),
  }),
  own(
    'domain with a regular expression',
    (label) => [`CREATE DOMAIN ${label} AS text COLLATE "C" NOT NULL CHECK (VALUE ~ '^[a-z]+$')`],
    {
      ...IDENTICAL,
      value: (random) => literal(random.pick(['a', 'abc', 'zz'])),
    },
  ),
  {
    name: 'domain over a domain',
    make: (draft) => {
      const [inner, outer] = [draft.place().label, draft.place().label];
      draft.run(
        `CREATE DOMAIN ${inner} AS numeric(8,2) CHECK (VALUE < 1000000)`,
        `CREATE DOMAIN ${outer} AS ${inner} CONSTRAINT "not negative" CHECK (VALUE >= 0)`,
      );
      return { ...IDENTICAL, sql: outer, value: (random) => `${random.below(9999)}.25::${outer}` };
    },
  },
  own('domain over an array', (label) => [`CREATE DOMAIN ${label} AS text[] CHECK (cardinality(VALUE) < 9)`], {
    ...IDENTICAL,
    value: (random, { encoding }) => `ARRAY[${literal(word(random, encoding))}, NULL]::text[]`,
  }),
  {
    name: 'array of domains',
    make: (draft) => {
      const { label } = draft.place();
      draft.run(`CREATE DOMAIN ${label} AS date CHECK (VALUE > '1800-01-01')`);
      const value = (random: Random): string => `'{2000-01-0${1 + random.below(9)},infinity,NULL}'::${label}[]`;
      return { ...IDENTICAL, sql: `${label}[]`, value };
    },
  },
  {
    name: 'array of enums',
    make: (draft) => {
      const { label } = draft.place();
      draft.run(`CREATE TYPE ${label} AS ENUM ('a', '{b}', 'c,d')`);
      return {
        ...IDENTICAL,
        sql: `${label}[]`,
        value: (random) => `ARRAY['a', ${literal(random.pick(['{b}', 'c,d']))}]::${label}[]`,
      };
    },
  },
  own(
    'range of its own',
    (label) => [`CREATE TYPE ${label} AS RANGE (subtype = double precision, subtype_diff = float8mi)`],
    {
      equality: true,
      identical: false,
      key: false,
      value: (random) => literal(`[${random.below(9)}.5,)`),
    },
  ),
  own('range of texts', (label) => [`CREATE TYPE ${label} AS RANGE (subtype = text, collation = "C")`], {
    ...IDENTICAL,
    value: (random) => literal(`[a,z${random.below(99)}]`),
  }),
  byExtension('citext', 'citext', (random, { encoding }) => literal(word(random, encoding)), {
    equality: true,
    identical: false,
    key: true,
  }),
  byExtension('hstore', 'hstore', (random) => literal(`a=>${random.below(99)}, "b c"=>NULL`)),
  byExtension('ltree', 'ltree', (random) => literal(`top.a${random.below(99)}.b`), {
    equality: true,
    identical: true,
    key: true,
  }),
  byExtension('cube', 'cube', (random) => literal(`(${random.below(99)},2)`)),
  byExtension('seg', 'seg', (random) => literal(`1.50 .. ${2 + random.below(99)}`), {
    equality: true,
    identical: false,
    key: false,
  }),
  byExtension('isn', 'ean13', (random) => literal(random.pick(['978-0-393-04002-9', '220-0-356-48348-1']))),
];

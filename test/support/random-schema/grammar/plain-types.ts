import type { Major } from '../../../../local/postgres/binaries';
import type { Random } from '../../position/random';
import type { ColumnType, Draft } from '../draft';
import { literal } from '../sql';
import { firstOf, textSql, word } from '../text';

/** A type that a column can have; what it needs is made in the database first. */
export interface TypeFeature {
  readonly name: string;
  readonly since?: Major;
  make(draft: Draft): Omit<ColumnType, 'feature'>;
}

/** What a type is good for; a type without these is compared in no way. */
interface Traits {
  readonly equality?: false;
  readonly identical?: false;
  readonly key?: true;
  readonly since?: Major;
}

const one = (random: Random, ...values: readonly string[]): string => literal(random.pick(values));
const whole = (random: Random, below = 1_000_000): string => String(random.below(below));

function type(name: string, value: (random: Random, draft: Draft) => string, traits: Traits = {}): TypeFeature {
  const { since, equality = true, identical = equality, key = false } = traits;
  return {
    name,
    ...(since === undefined ? {} : { since }),
    make: (draft) => ({ sql: name, equality, identical, key, value: (random) => `${value(random, draft)}::${name}` }),
  };
}

const KEY = { key: true } as const;
const NO_EQUALITY = { equality: false } as const;
const ALIKE = { identical: false } as const;
const text = (random: Random, draft: Draft): string => textSql(random, draft.encoding);
const short = (random: Random, draft: Draft): string => literal(firstOf(word(random, draft.encoding), 7));
const day = (random: Random): string => `${1900 + random.below(300)}-0${1 + random.below(9)}-1${random.below(10)}`;
const clock = (random: Random): string =>
  `1${random.below(10)}:${10 + random.below(50)}:0${random.below(10)}.${random.below(999_999)}`;

/** The types that PostgreSQL has by itself. */
export const PLAIN_TYPES: readonly TypeFeature[] = [
  type('boolean', (random) => one(random, 'true', 'false')),
  type('smallint', (random) => `(${random.below(65_536) - 32_768})`),
  type('integer', (random) => (random.percent(5) ? '(-2147483648)' : whole(random, 2_147_483_647)), KEY),
  type('bigint', (random) => (random.percent(5) ? '9223372036854775807' : whole(random)), KEY),
  type(
    'numeric',
    (random) =>
      random.percent(15)
        ? one(random, 'NaN', '0', '0.00', '1e-300', '1e300')
        : `${whole(random)}.${random.below(100)}0`,
    { ...ALIKE, key: true },
  ),
  type('numeric(12,3)', (random) => `${whole(random)}.${random.below(1000)}`, KEY),
  type(
    'real',
    (random) => (random.percent(20) ? one(random, 'NaN', '-0', '1e-45', 'Infinity') : `${whole(random)}.1`),
    ALIKE,
  ),
  type(
    'double precision',
    (random) => (random.percent(20) ? one(random, 'NaN', '-0', '5e-324', '-Infinity') : `0.1${whole(random)}`),
    ALIKE,
  ),
  type('money', (random) => `${whole(random)}.5`),
  type('text', text),
  type('character varying(20)', (random, draft) => literal(firstOf(word(random, draft.encoding), 18)), KEY),
  type('character(7)', short),
  type('"char"', (random) => one(random, 'a', 'Z', '')),
  type('name', short, KEY),
  type(
    'bytea',
    (random) =>
      random.percent(10)
        ? `decode(repeat('${random.below(9)}f', 3000), 'hex')`
        : `decode(md5(${literal(whole(random))}), 'hex')`,
    KEY,
  ),
  type(
    'date',
    (random) => (random.percent(10) ? one(random, 'infinity', '-infinity', '0044-03-15 BC') : literal(day(random))),
    KEY,
  ),
  type('time', (random) => literal(clock(random))),
  type('time(3) with time zone', (random) => literal(`${clock(random)}+0${random.below(10)}`)),
  type('timestamp', (random) => literal(`${day(random)} ${clock(random)}`), KEY),
  type(
    'timestamp with time zone',
    (random) =>
      random.percent(10)
        ? one(random, 'infinity', '0044-03-15 12:00+00 BC')
        : literal(`${day(random)} ${clock(random)}+02`),
    KEY,
  ),
  type(
    'interval',
    (random) => one(random, '1 mon -3 days', '24:00:00', '1 day', `${whole(random)} s`, '-1 year'),
    ALIKE,
  ),
  type('interval day to second(2)', (random) => literal(`${random.below(99)} hours 3.14159 s`), ALIKE),
  type('uuid', (random) => `md5(${literal(whole(random))})`, KEY),
  type('json', (random) => literal(`{"b" : ${whole(random)},  "a":[1, null], "b":2}`), NO_EQUALITY),
  type(
    'jsonb',
    (random, draft) =>
      random.percent(30) ? `to_jsonb(${text(random, draft)}::text)` : literal(`{"a": ${whole(random)}, "n": 1.10}`),
    ALIKE,
  ),
  type('jsonpath', (random) => one(random, '$.a[*] ? (@ > 1)', 'strict $'), NO_EQUALITY),
  type(
    'xml',
    (random) => literal(`${random.percent(30) ? '<a/>text' : ''}<b x="${whole(random)}">&amp;</b>`),
    NO_EQUALITY,
  ),
  type(
    'inet',
    (random) =>
      one(random, `10.0.${random.below(256)}.${random.below(256)}/8`, '::1', `2001:db8::${random.below(9999)}`),
    KEY,
  ),
  type('cidr', (random) => one(random, `10.${random.below(256)}.0.0/16`, '::/0')),
  type('macaddr', (random) => literal(`08:00:2b:01:0${random.below(10)}:1${random.below(10)}`)),
  type('macaddr8', (random) => literal(`08:00:2b:01:02:03:0${random.below(10)}:1${random.below(10)}`)),
  type('bit(5)', (random) => `${random.below(32)}::bit(5)`),
  type('bit varying', (random) => `B'${random.below(9_999).toString(2)}'`, KEY),
  type('tsvector', (random) => literal(`'a':1A,${1 + random.below(99)} 'it''s':2`)),
  type('tsquery', (random) => one(random, `'a' & !'b':*A`, `'x' <2> 'y'`)),
  type('point', (random) => literal(`(${random.below(99)},-0)`), NO_EQUALITY),
  type('line', (random) => literal(`{1,-1,${random.below(99)}}`), NO_EQUALITY),
  type('lseg', (random) => literal(`[(0,0),(1,${random.below(99)})]`), NO_EQUALITY),
  type('box', (random) => literal(`(1,1),(0,-${random.below(99)})`), NO_EQUALITY),
  type('path', (random) => one(random, '[(0,0),(1,1)]', `((0,0),(${random.below(9)},2))`), NO_EQUALITY),
  type('polygon', (random) => literal(`((0,0),(1,1),(1,${random.below(99)}))`), NO_EQUALITY),
  type('circle', (random) => literal(`<(0,0),${random.below(99)}>`), NO_EQUALITY),
  type('int4range', (random) => one(random, 'empty', `[${random.below(99)},)`, `[1,${2 + random.below(99)}]`)),
  type('numrange', (random) => literal(`(${random.below(9)}.50,10]`), ALIKE),
  type('tsrange', (random) => literal(`["${day(random)} 00:00",infinity)`)),
  type('tstzrange', (random) => literal(`("-infinity",${day(random)}]`)),
  type('daterange', (random) => literal(`[${day(random)},)`)),
  type('int8multirange', (random) => literal(`{[1,${2 + random.below(9)}),[20,30)}`), { since: 14 }),
  type('datemultirange', (random) => one(random, '{}', `{[${day(random)},)}`), { since: 14 }),
  type('pg_lsn', (random) => literal(`${random.below(255).toString(16)}/${random.below(9_999_999).toString(16)}`), KEY),
  type('oid', (random) => whole(random), KEY),
  type('xid8', (random) => literal(whole(random))),
  type('pg_snapshot', (random) => literal(`${10 + random.below(9)}:20:`), NO_EQUALITY),
  type('int2vector', (random) => one(random, '', `1 ${random.below(99)}`), NO_EQUALITY),
  type('oidvector', (random) => one(random, '', `1 ${random.below(99)}`)),
  type('regclass', (random) => one(random, 'pg_class', 'pg_type', 'pg_proc')),
  type('regtype', (random) => one(random, 'integer', 'text[]', 'interval')),
  type('regrole', (random) => one(random, 'pg_monitor', 'pg_read_all_data')),
  type(
    'integer[]',
    (random) => one(random, '{}', `{1,NULL,${random.below(99)}}`, `[0:1]={5,${random.below(9)}}`, '{{1,2},{3,4}}'),
    KEY,
  ),
  type('text[]', (random, draft) => `ARRAY[${text(random, draft)}::text, NULL, 'NULL', '', '{x}']`),
  type('jsonb[]', (random) => literal(`{"{\\"a\\": ${random.below(99)}}",null}`), ALIKE),
  type('json[]', (random) => literal(`{"{\\"a\\" : ${random.below(99)}}"}`), NO_EQUALITY),
  type('interval[]', (random) => literal(`{"1 day","${random.below(99)} hours"}`), ALIKE),
  type('bytea[]', (random) => `ARRAY['\\x00ff'::bytea, decode(md5('${random.below(99)}'), 'hex')]`),
  type('timestamp with time zone[]', (random) => literal(`{"${day(random)} 12:00+02",-infinity}`)),
];

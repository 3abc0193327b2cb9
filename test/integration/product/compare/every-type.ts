/** A column of the table with every type, and pairs of values of it that are nearly the same. */
export interface TypedColumn {
  readonly name: string;
  readonly type: string;
  /** Literals without quotes; null: NULL. All are different from each other, however little. */
  readonly values: readonly (string | null)[];
  /** Majors before this don't have it. */
  readonly since?: number;
}

/** What has to be there first. */
export const PREPARE = `
  CREATE EXTENSION hstore; CREATE EXTENSION citext;
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'Ok');
  CREATE TYPE pair AS (a int, b text);
  CREATE TYPE nested AS (p pair, t timestamptz[]);
  CREATE DOMAIN posint AS int CHECK (VALUE > 0);
  CREATE DOMAIN texts AS text[];
  CREATE TABLE "Größe ""x"" 表" (i int);
  CREATE ROLE somebody`;

/** Every type of the issue, with the traps that it has. */
export const COLUMNS: readonly TypedColumn[] = [
  { name: 'flag', type: 'boolean', values: ['t', 'f', null] },
  { name: 'i2', type: 'int2', values: ['0', '-32768', '32767', null] },
  { name: 'i4', type: 'int4', values: ['0', '-1', '2147483647', null] },
  { name: 'i8', type: 'int8', values: ['0', '9223372036854775807', '-9223372036854775808', null] },
  {
    name: 'num',
    type: 'numeric',
    values: ['1', '1.0', '1.00', '0', 'NaN', '1e400', '0.1', '0.10000000000000000001', null],
  },
  { name: 'num_scaled', type: 'numeric(12,4)', values: ['1.0000', '1.0001', '-1', null] },
  {
    name: 'f4',
    type: 'float4',
    values: ['0', '-0', 'NaN', 'Infinity', '-Infinity', '0.1', '0.10000001', '1e-45', null],
  },
  {
    name: 'f8',
    type: 'float8',
    values: [
      '0',
      '-0',
      'NaN',
      'Infinity',
      '-Infinity',
      '0.1',
      '0.10000000000000002',
      '5e-324',
      '123456789.12345678',
      null,
    ],
  },
  { name: 'cash', type: 'money', values: ['0.00', '0.01', '-1', '92233720368547758.07', null] },
  {
    name: 'txt',
    type: 'text',
    values: [
      '',
      ' ',
      'a',
      'a ',
      ' a',
      'A',
      'ä',
      'a\u0308',
      '(',
      '"',
      '\\',
      ',',
      'NULL',
      'null',
      '\n',
      '\t',
      '表',
      null,
    ],
  },
  { name: 'vc', type: 'varchar(10)', values: ['', 'a', 'a ', null] },
  { name: 'bp', type: 'char(5)', values: ['', 'a', ' a', null] },
  { name: 'nm', type: 'name', values: ['', 'a', 'A', null] },
  { name: 'one_char', type: '"char"', values: ['', 'a', 'b', null] },
  { name: 'bytes', type: 'bytea', values: ['', '\\x00', '\\x0000', '\\x01', '\\xff', null] },
  { name: 'day', type: 'date', values: ['2000-01-01', '2000-01-01 BC', 'infinity', '-infinity', null] },
  {
    name: 'at',
    type: 'timestamp',
    values: ['2000-01-01', '2000-01-01 00:00:00.000001', 'infinity', '-infinity', null],
  },
  {
    name: 'atz',
    type: 'timestamptz',
    values: ['2000-01-01 00:00+00', '2000-01-01 00:00:00.000001+00', '1900-01-01 BC', 'infinity', '-infinity', null],
  },
  { name: 'clock', type: 'time', values: ['00:00', '24:00', '00:00:00.000001', null] },
  { name: 'clockz', type: 'timetz', values: ['00:00+00', '01:00+01', '00:00-00:00:01', null] },
  {
    name: 'iv',
    type: 'interval',
    values: ['0', '1 month', '30 days', '720 hours', '-1 month', '1 month -30 days', '1 microsecond', null],
  },
  {
    name: 'js',
    type: 'json',
    values: ['{}', '{ }', '{"a":1,"b":2}', '{"b":2,"a":1}', '{"a":1,"a":1}', '1.0', '1.00', 'null', '"null"', null],
  },
  {
    name: 'jb',
    type: 'jsonb',
    values: ['{}', '[]', '{"a": 1}', '{"a": 1.0}', '{"a": "1"}', 'null', '"null"', '{"a": null}', null],
  },
  { name: 'jp', type: 'jsonpath', values: ['$', '$.a', 'strict $.a', null] },
  { name: 'x', type: 'xml', values: ['<a/>', '<a></a>', '<a> </a>', 'text', '<a b="1"/>', null] },
  { name: 'ints', type: 'int[]', values: ['{}', '{1}', '{NULL}', '{1,NULL}', '{{1}}', '[0:0]={1}', '[2:2]={1}', null] },
  { name: 'texts', type: 'texts', values: ['{}', '{""}', '{NULL}', '{"NULL"}', '{a,b}', '{"a,b"}', '{{a,b}}', null] },
  { name: 'comp', type: 'pair', values: ['(,)', '(1,)', '(1,"")', '(1," ")', '("1","a")', '(,a)', null] },
  { name: 'nest', type: 'nested', values: ['(,)', '("(,)",)', '("(1,a)","{}")', '("(1,a)","{infinity}")', null] },
  { name: 'comps', type: 'pair[]', values: ['{}', '{"(1,a)"}', '{"(1,a)","(1,a)"}', '{NULL}', '{"(,)"}', null] },
  { name: 'r4', type: 'int4range', values: ['empty', '[1,2)', '[1,3)', '(,)', '[1,)', '(,1)', null] },
  { name: 'rn', type: 'numrange', values: ['empty', '[1,2)', '[1,2]', '[1.0,2)', '(1,2)', '(,)', null] },
  {
    name: 'rt',
    type: 'tstzrange',
    values: [
      'empty',
      '[2000-01-01 00:00+00,)',
      '[2000-01-01 00:00+00,infinity)',
      '[2000-01-01 00:00+00,infinity]',
      null,
    ],
  },
  {
    name: 'mr',
    type: 'int4multirange',
    values: ['{}', '{[1,2)}', '{[1,2),[3,4)}', '{[1,4)}', '{(,)}', null],
    since: 14,
  },
  { name: 'feels', type: 'mood', values: ['sad', 'ok', 'Ok', null] },
  { name: 'feelings', type: 'mood[]', values: ['{}', '{ok}', '{Ok}', '{ok,ok}', null] },
  { name: 'pos', type: 'posint', values: ['1', '2', null] },
  { name: 'b3', type: 'bit(3)', values: ['000', '001', '100', null] },
  { name: 'vb', type: 'varbit', values: ['', '0', '00', '1', null] },
  { name: 'ip', type: 'inet', values: ['10.0.0.1', '10.0.0.1/31', '::1', '::ffff:10.0.0.1', '0.0.0.0/0', null] },
  { name: 'net', type: 'cidr', values: ['10.0.0.0/8', '10.0.0.0/9', '::/0', null] },
  { name: 'mac', type: 'macaddr', values: ['08:00:2b:01:02:03', '08:00:2b:01:02:04', null] },
  { name: 'mac8', type: 'macaddr8', values: ['08:00:2b:ff:fe:01:02:03', '08:00:2b:ff:fe:01:02:04', null] },
  { name: 'pt', type: 'point', values: ['(0,0)', '(-0,0)', '(0,0.1)', '(0,0.10000000000000002)', '(NaN,0)', null] },
  { name: 'ln', type: 'line', values: ['{1,0,0}', '{1,1,0}', null] },
  { name: 'sg', type: 'lseg', values: ['[(0,0),(1,1)]', '[(1,1),(0,0)]', null] },
  { name: 'bx', type: 'box', values: ['((1,1),(0,0))', '((1,2),(0,0))', null] },
  { name: 'pa', type: 'path', values: ['((0,0),(1,1))', '[(0,0),(1,1)]', '((0,0))', null] },
  { name: 'pg', type: 'polygon', values: ['((0,0),(1,1))', '((1,1),(0,0))', null] },
  { name: 'ci', type: 'circle', values: ['<(0,0),1>', '<(0,0),1.0000000000000002>', null] },
  { name: 'tv', type: 'tsvector', values: ['', 'a', 'a:1', 'a:1A', 'a:1 b:2', 'a:2 b:1', null] },
  { name: 'tq', type: 'tsquery', values: ['a', 'a & b', 'a | b', 'a:*', 'a <2> b', null] },
  { name: 'hs', type: 'hstore', values: ['', 'a=>1', 'a=>NULL', 'a=>"NULL"', 'a=>""', 'a=>1,b=>2', null] },
  { name: 'ct', type: 'citext', values: ['a', 'A', 'a ', '', null] },
  { name: 'id_oid', type: 'oid', values: ['0', '1', '4294967295', null] },
  { name: 'reg_class', type: 'regclass', values: ['pg_class', '"Größe ""x"" 表"', '4000000000', null] },
  { name: 'reg_type', type: 'regtype', values: ['int4', 'mood', '4000000000', null] },
  { name: 'reg_proc', type: 'regprocedure', values: ['lower(text)', 'upper(text)', null] },
  { name: 'reg_role', type: 'regrole', values: ['somebody', '4000000000', null] },
  { name: 'reg_ns', type: 'regnamespace', values: ['public', 'pg_catalog', null] },
  {
    name: 'uid',
    type: 'uuid',
    values: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', null],
  },
  { name: 'lsn', type: 'pg_lsn', values: ['0/0', '0/1', 'FFFFFFFF/FFFFFFFF', null] },
  { name: 'place', type: 'tid', values: ['(0,0)', '(0,1)', null] },
  { name: 'xid_8', type: 'xid8', values: ['0', '18446744073709551615', null] },
  { name: 'snap', type: 'pg_snapshot', values: ['10:20:10,14', '10:20:', null] },
  { name: 'Quoted "col" Ü', type: 'text', values: ['a', 'b', null] },
];

import type { ColumnType, Draft, DraftTable, Feature } from '../draft';
import { ident, literal } from '../sql';
import { column, pickType, typeNamed } from './columns';
import { definition, fill, makeTable } from './tables';

/** A table that fits; one is made where there is none. */
export function tableFor(draft: Draft, fits: (table: DraftTable) => boolean = () => true): DraftTable {
  return draft.pickTable(fits) ?? makeTable(draft, { style: ({ identity }) => identity === 'key' });
}

/** From 18 on a table that goes by all of its columns may have no generated ones. */
const mayCompute = (table: DraftTable): boolean => table.identity === 'key';

const nameOf = (draft: Draft): string => ident(draft.names.next());

const table = (name: string, add: Feature['add'], more: Partial<Feature> = {}): Feature => ({
  name: `table: ${name}`,
  add,
  ...more,
});

const keyed = { style: ({ identity }: { identity: string }) => identity === 'key' };

/** Tables by kind, and what a table has beside columns of some type. */
export const TABLE_FEATURES: readonly Feature[] = [
  table('one more', (draft) => void makeTable(draft)),
  table('unlogged', (draft) => void makeTable(draft, { persistence: 'UNLOGGED', ...keyed })),
  table('in a schema of its own', (draft) => {
    const schema = draft.names.next();
    draft.run(`CREATE SCHEMA ${ident(schema)}`);
    draft.schemas.push(schema);
    makeTable(draft);
  }),
  table('labels that read alike', (draft) => {
    const [a, b, c] = [draft.names.next(30), draft.names.next(30), draft.names.next()];
    if (`${a}.${b}`.length > 60) return false;
    draft.run(`CREATE SCHEMA ${ident(`${a}.${b}`)}`, `CREATE SCHEMA ${ident(a)}`);
    for (const [schema, name] of [
      [`${a}.${b}`, c],
      [a, `${b}.${c}`],
    ] as const) {
      if (Buffer.byteLength(name) > 63) return false;
      const label = `${ident(schema)}.${ident(name)}`;
      draft.run(`CREATE TABLE ${label} (id integer PRIMARY KEY, v text)`);
      draft.run(
        `INSERT INTO ${label} SELECT n, ${literal(schema)} FROM generate_series(1, ${20 + draft.random.below(50)}) AS n`,
      );
    }
    draft.schemas.push(`${a}.${b}`, a);
    return true;
  }),
  table('without columns', (draft) => {
    const { label } = draft.place();
    draft.run(`CREATE TABLE ${label} ()`, `INSERT INTO ${label} DEFAULT VALUES`);
  }),
  table('of a composite type', (draft) => {
    const [type, place] = [draft.place(), draft.place()];
    draft.run(
      `CREATE TYPE ${type.label} AS (id integer, note text)`,
      `CREATE TABLE ${place.label} OF ${type.label} (id WITH OPTIONS PRIMARY KEY, note DEFAULT 'of a type')`,
      `INSERT INTO ${place.label} SELECT n, 'x' FROM generate_series(1, 20) AS n`,
    );
  }),
  table('with a dropped column', (draft) => {
    const one = tableFor(draft);
    const gone = nameOf(draft);
    draft.run(
      `ALTER TABLE ${one.label} ADD COLUMN ${gone} text DEFAULT 'gone'`,
      `ALTER TABLE ${one.label} DROP COLUMN ${gone}`,
    );
    addColumn(draft, one);
  }),
  table('with a column that was added with a default', (draft) => {
    const [one, added] = [tableFor(draft), nameOf(draft)];
    draft.run(`ALTER TABLE ${one.label} ADD COLUMN ${added} integer NOT NULL DEFAULT ${draft.random.below(99)}`);
    draft.marks.set('defaulted', one.label).set('default', added);
  }),
  table('generated column', (draft) => {
    const one = tableFor(draft, mayCompute);
    const [base, added] = [draft.names.next(), nameOf(draft)];
    draft.run(
      `ALTER TABLE ${one.label} ADD COLUMN ${ident(base)} integer, ADD COLUMN ${added} text GENERATED ALWAYS AS (lpad(${ident(base)}::text, 5, '0')) STORED`,
    );
    one.columns.push({ name: base, nullable: true, writable: true, type: typeNamed(draft, 'integer') });
  }),
  table(
    'virtual generated column',
    (draft) => {
      const one = tableFor(draft, mayCompute);
      draft.run(
        `ALTER TABLE ${one.label} ADD COLUMN ${nameOf(draft)} bigint GENERATED ALWAYS AS (length(tableoid::text) * 2) VIRTUAL`,
      );
    },
    { since: 18 },
  ),
  table('default by a sequence of its own', (draft) => {
    const [one, sequence] = [tableFor(draft), draft.place()];
    draft.run(
      `CREATE SEQUENCE ${sequence.label} AS integer INCREMENT -7 MAXVALUE 100 MINVALUE -2000000`,
      `ALTER TABLE ${one.label} ADD COLUMN ${nameOf(draft)} integer DEFAULT nextval(${literal(sequence.label)})`,
    );
  }),
  table('default by an expression', (draft) => {
    const one = tableFor(draft, mayCompute);
    draft.run(
      `ALTER TABLE ${one.label} ADD COLUMN ${nameOf(draft)} timestamptz DEFAULT clock_timestamp(), ADD COLUMN ${nameOf(draft)} uuid DEFAULT gen_random_uuid()`,
    );
  }),
  table('storage options', (draft) => {
    const one = tableFor(draft);
    draft.run(
      `ALTER TABLE ${one.label} SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_enabled = off)`,
    );
    const long = one.columns.find(({ type }) => type.feature === 'text');
    if (long)
      draft.run(
        `ALTER TABLE ${one.label} ALTER COLUMN ${ident(long.name)} SET STORAGE EXTERNAL, ALTER COLUMN ${ident(long.name)} SET STATISTICS 500`,
      );
  }),
  table('inheritance', (draft) => {
    const parent = tableFor(draft, ({ identity }) => identity === 'key');
    for (const more of ['', ', also integer']) {
      const { schema, name, label } = draft.place();
      draft.run(
        `CREATE TABLE ${label} (inherited_key bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY${more}) INHERITS (${parent.label})`,
      );
      const columns = parent.columns.map((one) => ({ ...one, writable: one.writable }));
      const child: DraftTable = {
        ...parent,
        schema,
        name,
        label,
        columns,
        kind: 'table',
        referenced: false,
        writes: { truncate: false, copy: true },
      };
      // What the parent's column counts by is not inherited.
      for (const one of child.columns) one.writable = true;
      draft.tables.push(child);
      fill(draft, child, 10);
    }
  }),
  table('column with collation C', (draft) => {
    const one = tableFor(draft);
    draft.run(`ALTER TABLE ${one.label} ADD COLUMN ${nameOf(draft)} text COLLATE "C" DEFAULT 'c'`);
  }),
  table(
    'column with an ICU collation',
    (draft) => {
      const [one, collation] = [tableFor(draft, mayCompute), draft.place()];
      draft.run(
        `CREATE COLLATION ${collation.label} (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
        `ALTER TABLE ${one.label} ADD COLUMN ${nameOf(draft)} text COLLATE ${collation.label} DEFAULT 'ABC'`,
      );
    },
    { encoding: 'UTF8' },
  ),
  table('comments', (draft) => {
    const one = tableFor(draft);
    draft.run(`COMMENT ON TABLE ${one.label} IS 'it''s a table; -- and more'`);
    const [first] = one.columns;
    if (first) draft.run(`COMMENT ON COLUMN ${one.label}.${ident(first.name)} IS ${literal('a\\b\n"c"')}`);
  }),
  table('clustered', (draft) => {
    const one = tableFor(draft);
    const [first] = one.columns.filter(({ type }) => type.key);
    if (!first) return false;
    const index = nameOf(draft);
    draft.run(`CREATE INDEX ${index} ON ${one.label} (${ident(first.name)})`, `CLUSTER ${one.label} USING ${index}`);
    return true;
  }),
];

/** What may be null in the rows that are there. */
const mayAdd = ({ feature }: ColumnType): boolean => feature !== 'domain with a regular expression';

function addColumn(draft: Draft, one: DraftTable): void {
  const full = one.identity === 'full';
  const added = {
    ...column(
      draft,
      pickType(draft, (type) => mayAdd(type) && (!full || (type.equality && type.identical))),
    ),
    nullable: true,
  };
  draft.run(`ALTER TABLE ${one.label} ADD COLUMN ${definition({ ...added, nullable: true })}`);
  one.columns.push(added);
}

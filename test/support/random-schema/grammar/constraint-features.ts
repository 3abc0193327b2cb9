import type { Draft, DraftTable, Feature } from '../draft';
import { ident, literal } from '../sql';
import { typeNamed } from './columns';
import { tableFor } from './table-features';
import { makeTable } from './tables';

const nameOf = (draft: Draft): string => ident(draft.names.next());
const constraint = (name: string, add: Feature['add'], more: Partial<Feature> = {}): Feature => ({
  name: `constraint: ${name}`,
  add,
  ...more,
});
const index = (name: string, add: Feature['add'], more: Partial<Feature> = {}): Feature => ({
  name: `index: ${name}`,
  add,
  ...more,
});

const whole = (draft: Draft) => typeNamed(draft, 'integer');

/** A column more, of whole numbers, that writers fill with small ones. */
function addNumber(draft: Draft, table: DraftTable, below = 60): string {
  const name = draft.names.next();
  draft.run(`ALTER TABLE ${table.label} ADD COLUMN ${ident(name)} integer`);
  const type = { ...whole(draft), value: (random: { below(n: number): number }) => String(random.below(below)) };
  table.columns.push({ name, type, nullable: true, writable: true });
  return ident(name);
}

/** A table that others can refer to: its key is a small number that writers give. */
function parent(draft: Draft): { label: string; key: string } {
  const { schema, name, label } = draft.place();
  const key = draft.names.next();
  draft.run(`CREATE TABLE ${label} (${ident(key)} integer PRIMARY KEY, of_parent text)`);
  draft.run(`INSERT INTO ${label} SELECT n, 'parent' FROM generate_series(0, 40) AS n`);
  const type = { ...whole(draft), value: (random: { below(n: number): number }) => String(random.below(60)) };
  draft.tables.push({
    schema,
    name,
    label,
    columns: [{ name: key, type, nullable: false, writable: true }],
    identity: 'key',
    kind: 'table',
    referenced: true,
    writes: { truncate: false, copy: true },
  });
  return { label, key: ident(key) };
}

const foreignKey = (actions: string, more: Partial<Feature> = {}): Feature =>
  constraint(
    `foreign key ${actions}`,
    (draft) => {
      const [one, { label, key }] = [tableFor(draft, ({ referenced }) => !referenced), parent(draft)];
      const column = addNumber(draft, one, 41);
      draft.run(
        `ALTER TABLE ${one.label} ADD CONSTRAINT ${nameOf(draft)} FOREIGN KEY (${column}) REFERENCES ${label} (${key}) ${actions}`,
      );
    },
    more,
  );

export const CONSTRAINT_FEATURES: readonly Feature[] = [
  foreignKey('ON DELETE CASCADE ON UPDATE CASCADE'),
  foreignKey('ON DELETE SET NULL'),
  foreignKey('DEFERRABLE INITIALLY DEFERRED'),
  foreignKey('NOT VALID'),
  foreignKey('NOT ENFORCED', { since: 18 }),
  constraint('foreign key to itself', (draft) => {
    const { label } = draft.place();
    draft.run(
      `CREATE TABLE ${label} (id integer PRIMARY KEY, above integer REFERENCES ${label} ON DELETE SET NULL, note text)`,
      `INSERT INTO ${label} SELECT n, nullif(n - 1, 0), 'x' FROM generate_series(1, 30) AS n`,
    );
    draft.traffic.push(
      (random) => `UPDATE ${label} SET above = ${1 + random.below(30)} WHERE id = ${1 + random.below(30)}`,
    );
    draft.traffic.push((random) => `DELETE FROM ${label} WHERE id = ${1 + random.below(30)}`);
  }),
  constraint('foreign keys in a circle', (draft) => {
    const [a, b] = [draft.place(), draft.place()];
    draft.run(
      `CREATE TABLE ${a.label} (id integer PRIMARY KEY, other integer)`,
      `CREATE TABLE ${b.label} (id integer PRIMARY KEY, other integer REFERENCES ${a.label} DEFERRABLE INITIALLY DEFERRED)`,
      `ALTER TABLE ${a.label} ADD FOREIGN KEY (other) REFERENCES ${b.label} DEFERRABLE INITIALLY DEFERRED`,
    );
    const both = (n: number): string =>
      `WITH one AS (INSERT INTO ${a.label} VALUES (${n}, ${n})) INSERT INTO ${b.label} VALUES (${n}, ${n})`;
    for (let n = 1; n <= 10; n += 1) draft.run(both(n));
    draft.traffic.push((random) => both(100 + random.below(10_000)));
  }),
  constraint('check', (draft) => {
    const one = tableFor(draft);
    const column = addNumber(draft, one);
    draft.run(
      `ALTER TABLE ${one.label} ADD CONSTRAINT ${nameOf(draft)} CHECK (${column} <> 13), ADD CHECK (${column} < 1000) NO INHERIT`,
    );
  }),
  constraint('check NOT VALID, with a row against it', (draft) => {
    const one = tableFor(draft);
    const column = addNumber(draft, one);
    draft.run(
      `UPDATE ONLY ${one.label} SET ${column} = 5 WHERE ctid = (SELECT min(ctid) FROM ONLY ${one.label})`,
      `ALTER TABLE ${one.label} ADD CONSTRAINT ${nameOf(draft)} CHECK (${column} > 10) NOT VALID`,
    );
  }),
  constraint('check by a function with a path of its own', (draft) => {
    const [one, allowed, check] = [tableFor(draft), draft.place(), draft.place()];
    const column = addNumber(draft, one);
    draft.run(
      `CREATE TABLE ${allowed.label} (code integer PRIMARY KEY)`,
      `INSERT INTO ${allowed.label} SELECT generate_series(0, 55)`,
      `CREATE FUNCTION ${check.label}(integer) RETURNS boolean LANGUAGE sql STABLE SET search_path = ${ident(allowed.schema)} AS ${literal(`SELECT exists(SELECT FROM ${ident(allowed.name)} WHERE code = $1)`)}`,
      `ALTER TABLE ${one.label} ADD CONSTRAINT ${nameOf(draft)} CHECK (${column} IS NULL OR ${check.label}(${column}))`,
    );
  }),
  constraint('unique, deferrable', (draft) => {
    const one = tableFor(draft);
    const column = addNumber(draft, one, 100_000);
    draft.run(
      `ALTER TABLE ${one.label} ADD CONSTRAINT ${nameOf(draft)} UNIQUE (${column}) DEFERRABLE INITIALLY IMMEDIATE`,
    );
  }),
  constraint(
    'unique, NULLS NOT DISTINCT',
    (draft) => {
      const made = makeTable(draft);
      draft.run(`DELETE FROM ${made.label} a USING ${made.label} b WHERE a.ctid > b.ctid`);
      const column = addNumber(draft, made, 100_000);
      draft.run(`ALTER TABLE ${made.label} ADD CONSTRAINT ${nameOf(draft)} UNIQUE NULLS NOT DISTINCT (${column})`);
    },
    { since: 16 },
  ),
  constraint('exclusion', (draft) => {
    const { label } = draft.place();
    draft.run(
      `CREATE TABLE ${label} (id integer PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&) WHERE (id > 3))`,
      `INSERT INTO ${label} SELECT n, int4range(n * 10, n * 10 + 5) FROM generate_series(1, 20) AS n`,
    );
    draft.traffic.push(
      (random) =>
        `INSERT INTO ${label} VALUES (${random.below(10_000)}, int4range(${random.below(9_000)}, NULL) * int4range(0, ${random.below(9_000)}))`,
    );
    draft.traffic.push((random) => `DELETE FROM ${label} WHERE id = ${random.below(30)}`);
  }),
  constraint(
    'primary key WITHOUT OVERLAPS',
    (draft) => {
      const { label } = draft.place();
      draft.run(
        `CREATE EXTENSION IF NOT EXISTS btree_gist`,
        `CREATE TABLE ${label} (id integer, valid int4range, note text, PRIMARY KEY (id, valid WITHOUT OVERLAPS))`,
        `INSERT INTO ${label} SELECT n % 5, int4range(n * 10, n * 10 + 5) FROM generate_series(1, 20) AS n`,
      );
      draft.traffic.push((random) => `UPDATE ${label} SET note = 'n${random.below(99)}' WHERE id = ${random.below(5)}`);
      draft.traffic.push((random) => `DELETE FROM ${label} WHERE lower(valid) = ${10 * random.below(20)}`);
    },
    { since: 18 },
  ),
  constraint(
    'NOT NULL, NOT VALID',
    (draft) => {
      const one = tableFor(draft);
      const column = addNumber(draft, one);
      draft.run(`ALTER TABLE ${one.label} ADD CONSTRAINT ${nameOf(draft)} NOT NULL ${column} NOT VALID`);
    },
    { since: 18 },
  ),
  constraint('domain with a condition NOT VALID', (draft) => {
    const [domain, one] = [draft.place(), draft.place()];
    draft.run(
      `CREATE DOMAIN ${domain.label} AS integer`,
      `CREATE TABLE ${one.label} (id integer PRIMARY KEY, a ${domain.label}, b integer)`,
      `INSERT INTO ${one.label} SELECT n, n, n FROM generate_series(1, 20) AS n`,
      `ALTER DOMAIN ${domain.label} ADD CONSTRAINT ${nameOf(draft)} CHECK (VALUE > 0) NOT VALID`,
    );
    draft.traffic.push(
      (random) => `UPDATE ${one.label} SET b = ${random.below(99)} WHERE id = ${1 + random.below(20)}`,
    );
  }),
  index('of an expression', (draft) => {
    const one = tableFor(draft);
    const column = addNumber(draft, one);
    draft.run(
      `CREATE INDEX ${nameOf(draft)} ON ${one.label} ((${column} * 2), (coalesce(${column}, 0)::text) DESC NULLS LAST)`,
    );
  }),
  index('partial and unique', (draft) => {
    const one = tableFor(draft);
    const column = addNumber(draft, one, 100_000);
    draft.run(`CREATE UNIQUE INDEX ${nameOf(draft)} ON ${one.label} (${column}) WHERE ${column} > 50`);
  }),
  index('hash, BRIN and options', (draft) => {
    const one = tableFor(draft);
    const column = addNumber(draft, one);
    draft.run(
      `CREATE INDEX ${nameOf(draft)} ON ${one.label} USING hash (${column})`,
      `CREATE INDEX ${nameOf(draft)} ON ${one.label} USING brin (${column}) WITH (pages_per_range = 8)`,
      `CREATE INDEX ${nameOf(draft)} ON ${one.label} (${column} NULLS FIRST) WITH (fillfactor = 60)`,
    );
  }),
  index('GIN and GiST', (draft) => {
    const { label } = draft.place();
    draft.run(
      `CREATE TABLE ${label} (id integer PRIMARY KEY, words text, tags integer[], area box)`,
      `INSERT INTO ${label} SELECT n, 'word ' || n, ARRAY[n, n % 3], box(point(n, n), point(0, 0)) FROM generate_series(1, 30) AS n`,
      `CREATE INDEX ON ${label} USING gin (to_tsvector('pg_catalog.english', words), tags)`,
      `CREATE INDEX ON ${label} USING gist (area)`,
      `CREATE INDEX ON ${label} USING spgist (words)`,
    );
    draft.traffic.push(
      (random) =>
        `UPDATE ${label} SET words = 'w${random.below(99)}', tags = ARRAY[${random.below(9)}] WHERE id = ${1 + random.below(30)}`,
    );
  }),
  index('by an immutable function of the application', (draft) => {
    const [one, made] = [tableFor(draft), draft.place()];
    const column = addNumber(draft, one);
    draft.run(
      `CREATE FUNCTION ${made.label}(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 % 7; END'`,
      `CREATE INDEX ${nameOf(draft)} ON ${one.label} (${made.label}(${column}))`,
    );
  }),
  index('extended statistics', (draft) => {
    const one = tableFor(draft, ({ columns }) => columns.filter(({ type }) => type.key).length > 1);
    const [a, b] = one.columns.filter(({ type }) => type.key);
    if (!a || !b) return false;
    draft.run(
      `CREATE STATISTICS ${draft.place().label} (dependencies, ndistinct) ON ${ident(a.name)}, ${ident(b.name)} FROM ${one.label}`,
      `ANALYZE ${one.label}`,
    );
    return true;
  }),
];

import type { Draft, Feature } from '../draft';
import { asService, ident, literal } from '../sql';
import { typeNamed } from './columns';
import { tableFor } from './table-features';

const nameOf = (draft: Draft): string => ident(draft.names.next());
const object = (kind: string, name: string, add: Feature['add'], more: Partial<Feature> = {}): Feature => ({
  name: `${kind}: ${name}`,
  add,
  ...more,
});

const VALUES = 'SELECT n AS id, md5(n::text) AS note FROM generate_series(1, 50) AS n';

/** A table that nobody writes to, so that what is computed from it can be compared at any time. */
function still(draft: Draft): string {
  const { label } = draft.place();
  draft.run(`CREATE TABLE ${label} (id integer PRIMARY KEY, note text)`, `INSERT INTO ${label} ${VALUES}`);
  draft.marks.set('still', label);
  return label;
}

/** Views, sequences, large objects and what else is in a database. */
export const OBJECT_FEATURES: readonly Feature[] = [
  object('view', 'of a view', (draft) => {
    const [one, inner, outer] = [tableFor(draft), draft.place(), draft.place()];
    draft.run(
      `CREATE VIEW ${inner.label} WITH (security_barrier) AS SELECT count(*) AS n FROM ${one.label}`,
      `CREATE VIEW ${outer.label} AS WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE x < 3) SELECT n, x FROM ${inner.label}, r`,
    );
  }),
  object('view', 'that can be written, with check option', (draft) => {
    const [base, view] = [draft.place(), draft.place()];
    draft.run(
      `CREATE TABLE ${base.label} (id bigserial PRIMARY KEY, n integer)`,
      `CREATE VIEW ${view.label} AS SELECT id, n FROM ${base.label} WHERE n < 50 WITH CASCADED CHECK OPTION`,
    );
    draft.traffic.push((random) => `INSERT INTO ${view.label} (n) VALUES (${random.below(70)})`);
    draft.traffic.push((random) => `UPDATE ${view.label} SET n = n + 1 WHERE id % 7 = ${random.below(7)}`);
  }),
  object('view', 'and a function that reads it', (draft) => {
    const [made, view] = [draft.place(), draft.place()];
    draft.run(
      `CREATE VIEW ${view.label} AS SELECT 1 AS x`,
      `CREATE FUNCTION ${made.label}() RETURNS integer LANGUAGE sql STABLE AS ${literal(`SELECT max(x) FROM ${view.label}`)}`,
      `CREATE OR REPLACE VIEW ${view.label} AS SELECT 1 AS x WHERE (SELECT count(*) FROM pg_class) > 0`,
    );
  }),
  object('materialized view', 'with an index', (draft) => {
    const [base, view] = [still(draft), draft.place()];
    draft.run(
      `CREATE MATERIALIZED VIEW ${view.label} AS SELECT id, note FROM ${base} WHERE id % 2 = 0`,
      `CREATE UNIQUE INDEX ${nameOf(draft)} ON ${view.label} (id)`,
    );
  }),
  object('materialized view', 'of another', (draft) => {
    const [base, inner, outer] = [still(draft), draft.place(), draft.place()];
    draft.run(
      `CREATE MATERIALIZED VIEW ${inner.label} AS SELECT count(*) AS n FROM ${base}`,
      `CREATE MATERIALIZED VIEW ${outer.label} AS SELECT n + 1 AS n FROM ${inner.label}`,
    );
  }),
  object('materialized view', 'WITH NO DATA', (draft) => {
    const [base, view] = [still(draft), draft.place()];
    draft.run(`CREATE MATERIALIZED VIEW ${view.label} AS SELECT id FROM ${base} WITH NO DATA`);
  }),
  object('sequence', 'that cycles', (draft) => {
    const { label } = draft.place();
    draft.run(`CREATE SEQUENCE ${label} MINVALUE 3 MAXVALUE 11 CYCLE`);
    draft.traffic.push(() => `SELECT nextval(${literal(label)})`);
  }),
  object('sequence', 'with a cache', (draft) => {
    const { label } = draft.place();
    draft.run(`CREATE SEQUENCE ${label} CACHE 20 START 1000`);
    draft.traffic.push(() => `SELECT nextval(${literal(label)})`);
  }),
  object('sequence', 'that counts down', (draft) => {
    const { label } = draft.place();
    draft.run(`CREATE SEQUENCE ${label} INCREMENT -3`);
    draft.marks.set('sequence', label);
    draft.traffic.push(() => `SELECT nextval(${literal(label)})`);
  }),
  object(
    'sequence',
    'that was never asked',
    (draft) => void draft.run(`CREATE SEQUENCE ${draft.place().label} START 77`),
  ),
  object('sequence', 'of the whole range', (draft) => {
    const { label } = draft.place();
    draft.run(`CREATE SEQUENCE ${label} MINVALUE -9223372036854775807 START -9223372036854775807`);
    draft.traffic.push(() => `SELECT nextval(${literal(label)})`);
  }),
  object('large object', 'written all the time', (draft) => {
    draft.run(
      `SELECT lo_from_bytea(0, convert_to(repeat('lo', 3000), 'SQL_ASCII')) FROM generate_series(1, 4)`,
      `SELECT lo_create(0)`,
    );
    const mine = (what: string): string =>
      `SELECT ${what} FROM pg_largeobject_metadata WHERE lomowner = quote_ident(current_user)::regrole ORDER BY oid DESC LIMIT 1`;
    draft.traffic.push(
      (random) => `SELECT lo_from_bytea(0, decode(md5('${random.below(9999)}'), 'hex'))`,
      (random) => mine(`lo_put(oid, ${random.below(5000)}, '\\xff00')`),
      () => mine('lo_unlink(oid)'),
    );
  }),
  object('large object', 'with an owner and grants', (draft) => {
    const owner = draft.random.pick(draft.server.owners);
    draft.run(
      `DO $keyshift$ DECLARE made oid := lo_from_bytea(0, '\\x00ff00'); BEGIN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO %I', made, ${literal(owner.name)}); EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO PUBLIC', made); EXECUTE format('COMMENT ON LARGE OBJECT %s IS ''an object''', made); END $keyshift$`,
    );
  }),
  object('text search', 'configuration', (draft) => {
    const [dictionary, configuration] = [draft.place(), draft.place()];
    draft.run(
      `CREATE TEXT SEARCH DICTIONARY ${dictionary.label} (TEMPLATE = pg_catalog.simple, ACCEPT = false)`,
      `CREATE TEXT SEARCH CONFIGURATION ${configuration.label} (COPY = pg_catalog.german)`,
      `ALTER TEXT SEARCH CONFIGURATION ${configuration.label} ALTER MAPPING FOR asciiword WITH ${dictionary.label}, pg_catalog.simple`,
    );
  }),
  object('cast', 'by a function', (draft) => {
    const [type, made] = [draft.place(), draft.place()];
    draft.run(
      `CREATE TYPE ${type.label} AS (n integer)`,
      `CREATE FUNCTION ${made.label}(${type.label}) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.n'`,
      `CREATE CAST (${type.label} AS integer) WITH FUNCTION ${made.label}(${type.label}) AS ASSIGNMENT`,
    );
  }),
  object('operator class', 'of its own', (draft) => {
    const { label } = draft.place();
    draft.run(
      asService(
        `CREATE OPERATOR CLASS ${label} FOR TYPE integer USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(integer, integer)`,
      ),
    );
  }),
  object('publication', 'of the application', (draft) => {
    const one = tableFor(draft, ({ identity }) => identity === 'key');
    draft.run(`CREATE PUBLICATION ${nameOf(draft)} FOR TABLE ${one.label} WITH (publish = 'insert')`);
  }),
  object('foreign table', 'of a server that nobody asks', (draft) => {
    const server = nameOf(draft);
    draft.run(
      `CREATE EXTENSION IF NOT EXISTS postgres_fdw`,
      `CREATE SERVER ${server} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'it''s nowhere')`,
      `CREATE USER MAPPING FOR PUBLIC SERVER ${server} OPTIONS ("user" 'x')`,
      `CREATE FOREIGN TABLE ${draft.place().label} (id integer OPTIONS (column_name 'i d'), t text) SERVER ${server} OPTIONS (table_name 'x')`,
    );
  }),
  object(
    'extension',
    'in the schema public',
    (draft) => void draft.run('CREATE EXTENSION IF NOT EXISTS pg_trgm', 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"'),
  ),
  object('type', 'that is only a shell, and a range without a column', (draft) => {
    draft.run(asService(`CREATE TYPE ${draft.place().label}`));
    typeNamed(draft, 'range of texts');
  }),
];

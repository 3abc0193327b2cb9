import type { Feature } from '../draft';
import { giveTo, ident, literal } from '../sql';
import { tableFor } from './table-features';

/**
 * What the preflight has to stop at, since it can't be moved as it is. A seed has one of these at most, and few seeds have one; it may also
 * come through, where the product learns how.
 */
export const PARKING_FEATURES: readonly Feature[] = [
  {
    name: 'parks: no key, and a type without equality',
    parks: ['replica-identity', 'full-identity-types'],
    add: (draft) => {
      const { label } = draft.place();
      draft.run(`CREATE TABLE ${label} (document json)`, `INSERT INTO ${label} SELECT '{}' FROM generate_series(1, 5)`);
      draft.traffic.push(
        () => `UPDATE ${label} SET document = '{"a": 1}' WHERE ctid = (SELECT min(ctid) FROM ${label})`,
      );
    },
  },
  {
    name: 'parks: row-level security that binds the owner',
    parks: ['row-level-security'],
    since: 16,
    add: (draft) => {
      const one = tableFor(draft);
      draft.run(
        ...giveTo(one.label, draft.random.pick(draft.server.owners)),
        `ALTER TABLE ${one.label} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
      );
    },
  },
  {
    name: 'parks: a check that finds its table by search_path',
    parks: ['search-path'],
    add: (draft) => {
      const { name: check } = draft.place();
      const [codes, orders] = [draft.names.next(), draft.names.next()];
      draft.run(
        `CREATE TABLE public.${ident(codes)} (code integer PRIMARY KEY)`,
        `INSERT INTO public.${ident(codes)} SELECT generate_series(1, 9)`,
        `CREATE FUNCTION public.${ident(check)}(integer) RETURNS boolean LANGUAGE sql STABLE AS ${literal(`SELECT exists(SELECT FROM ${ident(codes)} WHERE code = $1)`)}`,
        `CREATE TABLE public.${ident(orders)} (id bigserial PRIMARY KEY, code integer CHECK (public.${ident(check)}(code)))`,
        `INSERT INTO public.${ident(orders)} (code) SELECT generate_series(1, 9)`,
      );
    },
  },
  {
    name: 'parks: a generated column in the key',
    parks: ['generated-columns', 'replica-identity'],
    add: (draft) => {
      const { label } = draft.place();
      draft.run(
        `CREATE TABLE ${label} (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY)`,
        `INSERT INTO ${label} SELECT generate_series(1, 9)`,
      );
    },
  },
  {
    name: 'parks: a generated column made of tableoid',
    parks: ['generated-columns'],
    add: (draft) => {
      const { label } = draft.place();
      draft.run(
        `CREATE TABLE ${label} (id bigserial PRIMARY KEY, b oid GENERATED ALWAYS AS (tableoid) STORED, note text)`,
        `INSERT INTO ${label} (note) SELECT 'x' FROM generate_series(1, 9)`,
      );
      draft.traffic.push(() => `INSERT INTO ${label} (note) VALUES ('y')`);
    },
  },
  {
    name: 'parks: a row against a condition of its domain',
    parks: ['domain-constraints'],
    add: (draft) => {
      const [domain, one] = [draft.place(), draft.place()];
      draft.run(
        `CREATE DOMAIN ${domain.label} AS integer`,
        `CREATE TABLE ${one.label} (id integer PRIMARY KEY, a ${domain.label}, b integer)`,
        `INSERT INTO ${one.label} SELECT n, -n, n FROM generate_series(1, 20) AS n`,
        `ALTER DOMAIN ${domain.label} ADD CHECK (VALUE > 0) NOT VALID`,
      );
      draft.traffic.push(
        (random) => `UPDATE ${one.label} SET b = ${random.below(99)} WHERE id = ${1 + random.below(20)}`,
      );
    },
  },
  {
    name: 'parks: no key, and a generated column',
    parks: ['replica-identity'],
    since: 18,
    add: (draft) => {
      const { label } = draft.place();
      draft.run(
        `CREATE TABLE ${label} (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED)`,
        `INSERT INTO ${label} SELECT generate_series(1, 9)`,
      );
    },
  },
  {
    name: 'parks: array_nulls is off',
    parks: ['worker-settings'],
    add: (draft) => {
      const { label } = draft.place();
      draft.run(
        `CREATE TABLE ${label} (id bigserial PRIMARY KEY, many integer[])`,
        `INSERT INTO ${label} (many) VALUES ('{1,NULL}')`,
      );
      draft.server.after.push(`ALTER DATABASE ${ident(draft.database)} SET array_nulls = off`);
    },
  },
];

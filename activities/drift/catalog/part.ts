/**
 * One thing of a database, in the words that make it. Objects are as small as SQL can change: a column's default and its NOT
 * NULL are things of their own, so that a difference of either is one statement.
 */
export interface CatalogObject {
  /** Kind and name, unique in a database. */
  readonly key: string;
  readonly kind: string;
  /** What it is a part of; absent: of nothing that could be missing. */
  readonly parent: string | null;
  /** Equal on both sides: nothing to do. */
  readonly definition: string;
  /** SQL that makes it; null: can't be said as SQL. */
  readonly make: string | null;
  /** SQL that turns another definition into this one; null: drop and make. */
  readonly alter: string | null;
  /** `alter` serves only if this begins with what the other side has. */
  readonly alterable: string;
  /** SQL that removes it; null: can't be said as SQL; empty: nothing has to be done. */
  readonly drop: string | null;
  /** Keys of what it stands on: when one of these changes, it has to be dropped before and made anew afterwards. */
  readonly needs: readonly string[];
  /** Keys of what brings it along besides its parent: made by itself only where none of these is new. */
  readonly madeWith: readonly string[];
}

/** How one kind of object is read from the catalog. */
export interface Part {
  readonly kind: string;
  /**
   * SELECT with columns `id, parent, definition, make, alter, drop` and, optionally, `alterable`, `needs` and `"madeWith"`; `$1` is the name of our
   * schema, publication and role, which are left out, and `$2` an array of patterns for LIKE: of roles that fit one, what `notIgnored` says. Rows come in
   * an order in which they can be made. Names are quoted by the server (`%I`, `regclass` and the like) and by nothing else: it alone knows every
   * reserved word.
   */
  readonly sql: (version: number) => string;
  /** Part of what makes its parent: not made by itself when the parent is new. */
  readonly inline?: boolean;
  /** Of the whole server: read once, not per database. */
  readonly shared?: boolean;
  /** Dropped before anything is made: nothing depends on it, and it may stand in the way. */
  readonly leaf?: boolean;
  /** To drop it deletes rows or values of theirs for good. What can be computed again is none of these. */
  readonly deletes?: boolean;
}

/** Condition: the plan doesn't ignore the role of that name. */
export const notIgnored = (name: string): string => `NOT coalesce(${name} LIKE ANY ($2), false)`;

/** Condition on `pg_namespace n`: a schema of users, and not ours. */
export const OF_USERS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> $1`;

/**
 * An object that came with an extension, or with another one (the cast of a range type), is made with that. A partitioned
 * table depends on its own columns in the same way.
 */
export const notOfExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend ext WHERE ext.classid = '${catalog}'::regclass AND ext.objid = ${oid}
     AND ext.deptype IN ('e'${catalog === 'pg_class' ? '' : `, 'i'`}))`;

/** Permanent tables, partitioned ones included, as `c`, with their schema as `n`. */
export const TABLES = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${OF_USERS}
  AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${notOfExtension('pg_class', 'c.oid')}`;
export const TABLE_KEY = `'table ' || c.oid::regclass`;

import type { CatalogObject } from './catalog/part';
import { PARTS } from './describe-database';

/** A statement for the target, or several with semicolons in between. */
export interface DriftStatement {
  readonly sql: string;
  /** It deletes rows, or values of theirs, for good. */
  readonly deletes?: true;
}

/** What a target lacks to be like its source. */
export interface SchemaDifference {
  /** What differs, in words: "missing: table public.orders". */
  readonly found: readonly string[];
  /** In an order that runs. Empty while `found` is not: what differs can't be said as SQL. */
  readonly statements: readonly DriftStatement[];
  /** What can't be said as SQL. */
  readonly byHand: readonly string[];
}

const PLACE = new Map(PARTS.map((part, place) => [part.kind, { ...part, place }]));
const partOf = ({ kind }: CatalogObject) => {
  const part = PLACE.get(kind);
  if (!part) throw new RangeError(`no part describes a ${kind}`);
  return part;
};

/**
 * Compares two descriptions object by object. Statements come in this order: what goes and stands in nobody's way is dropped; then
 * everything is made and changed, each kind before those that need it; then the rest is dropped, in the opposite order.
 */
export function compareSchemas(source: readonly CatalogObject[], target: readonly CatalogObject[]): SchemaDifference {
  const wanted = new Map(source.map((object) => [object.key, object]));
  const there = new Map(target.map((object) => [object.key, object]));
  const remade = findRemade(source, there);
  /** Not there any more when its children's turn comes: they go, and come, with it, and so do theirs. */
  const gone = (parent: string | null): boolean => {
    const before = parent === null ? undefined : there.get(parent);
    return before !== undefined && (remade.has(before.key) || !wanted.has(before.key) || gone(before.parent));
  };
  const fresh = (key: string | null) => key !== null && wanted.has(key) && (remade.has(key) || !there.has(key));

  const found: string[] = [];
  const byHand: string[] = [];
  const [first, before, made, last]: [DriftStatement[], DriftStatement[], DriftStatement[], DriftStatement[]] = [
    [],
    [],
    [],
    [],
  ];
  /** An empty statement: it comes about by that of another object, which is said there. */
  const say = (what: string, to: DriftStatement[], sql: string | null, words: string, deletes = false) => {
    if (sql === '') return;
    found.push(what);
    if (sql === null) byHand.push(words);
    else to.push(deletes ? { sql, deletes } : { sql });
  };

  for (const object of source) {
    const { key } = object;
    const now = there.get(key);
    const { inline, leaf, deletes } = partOf(object);
    if (inline && (insideFresh(object, wanted, fresh) || object.madeWith.some(fresh))) continue;
    if (!now) say(`missing: ${key}`, made, object.make, `make ${key}`);
    else if (gone(object.parent)) say(`different: ${object.parent ?? ''}`, made, object.make, `make ${key}`);
    else if (remade.has(key)) {
      say(`different: ${key}`, leaf ? first : before, now.drop, `drop ${key}`, deletes);
      say(`different: ${key}`, made, object.make, `make ${key}`);
    } else if (now.definition !== object.definition) {
      say(`different: ${key}`, made, object.alter, `change ${key}`);
    }
  }
  for (const object of target.toReversed()) {
    const { key } = object;
    if (wanted.has(key) || gone(object.parent)) continue;
    say(`too much: ${key}`, partOf(object).leaf ? first : last, object.drop, `drop ${key}`, partOf(object).deletes);
  }
  return {
    found: [...new Set(found)],
    statements: once([...first, ...before.toReversed(), ...made, ...last]),
    byHand: [...new Set(byHand)],
  };
}

/** Each statement where it stands first. */
function once(statements: readonly DriftStatement[]): DriftStatement[] {
  const seen = new Set<string>();
  return statements.filter(({ sql }) => !seen.has(sql) && seen.add(sql));
}

/**
 * What has to be dropped and made anew: its definition can't be altered, or it stands on something that is dropped or changes
 * under it.
 */
function findRemade(source: readonly CatalogObject[], there: ReadonlyMap<string, CatalogObject>): ReadonlySet<string> {
  const remade = new Set(
    source.filter((object) => changed(object, there) && !canAlter(object, there.get(object.key))).map(({ key }) => key),
  );
  const retyped = new Set(
    source.filter((object) => object.kind === 'column' && changed(object, there)).map(({ key }) => key),
  );
  // Views come in an order in which they can be made, so that one pass finds those on top of others.
  for (const object of source) {
    const needs = there.get(object.key)?.needs ?? [];
    const inRemade = (key: string) => remade.has(there.get(key)?.parent ?? '');
    if (needs.some((key) => remade.has(key) || retyped.has(key) || inRemade(key))) remade.add(object.key);
  }
  return remade;
}

const changed = (object: CatalogObject, there: ReadonlyMap<string, CatalogObject>): boolean => {
  const before = there.get(object.key);
  return before !== undefined && before.definition !== object.definition;
};

const canAlter = (object: CatalogObject, before: CatalogObject | undefined): boolean =>
  object.alter !== null && before !== undefined && object.alterable.startsWith(before.alterable);

/** A column's default is part of the column, and the column part of the table: made with whichever is new. */
function insideFresh(
  object: CatalogObject,
  wanted: ReadonlyMap<string, CatalogObject>,
  fresh: (key: string | null) => boolean,
): boolean {
  for (let key = object.parent; key !== null; key = wanted.get(key)?.parent ?? null) {
    if (fresh(key)) return true;
  }
  return false;
}

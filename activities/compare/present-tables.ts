import { queryRows, type Session } from '../postgres/session';

/** A table as the catalog of now has it, found by its oid: under whatever name. */
export interface PresentTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `pg_class.relkind`. */
  readonly kind: string;
  readonly filenode: number;
  /** Number, name, oid of the type, oid of the expression of a virtual generated column; without dropped ones. */
  readonly columns: readonly (readonly [number: number, name: string, type: number, expression: number | null])[];
}

/** These tables as they are defined now; those that are gone are missing. */
export async function presentTables(
  session: Session,
  oids: readonly number[],
): Promise<ReadonlyMap<number, PresentTable>> {
  const rows = await queryRows<PresentTable>(
    session,
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relfilenode::int8::float8 AS filenode,
            coalesce((SELECT json_agg(json_build_array(a.attnum, a.attname, a.atttypid::int8, d.oid::int8) ORDER BY a.attnum)
                        FROM pg_attribute a
                        LEFT JOIN pg_attrdef d ON a.attgenerated = 'v' AND d.adrelid = a.attrelid AND d.adnum = a.attnum
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[])`,
    [oids],
  );
  return new Map(rows.map((row) => [row.oid, row]));
}

/**
 * What the text of a value depends on beside the value, by type: labels of enums, columns of composite types. Their output
 * functions look into the catalog of now, whatever snapshot a row is read under.
 */
export async function typeDefinitions(session: Session): Promise<ReadonlyMap<number, readonly string[]>> {
  const rows = await queryRows<{ oid: number; parts: string[] }>(
    session,
    // Hashed once: asked for each column of each table, it takes a second in an empty database, and hours in a large one.
    `WITH used AS MATERIALIZED (
       SELECT atttypid AS oid FROM pg_attribute WHERE attnum > 0 UNION SELECT typbasetype FROM pg_type WHERE typtype = 'd'
     )
     SELECT e.enumtypid::int8::float8 AS oid, json_agg(e.oid::text || ' ' || e.enumlabel ORDER BY e.oid) AS parts FROM pg_enum e GROUP BY 1
     UNION ALL
     SELECT c.reltype::int8::float8, json_agg(a.attnum || ' ' || a.atttypid ORDER BY a.attnum)
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_type t ON t.oid = c.reltype
      WHERE t.oid IN (SELECT oid FROM used) OR t.typarray IN (SELECT oid FROM used)
      GROUP BY 1`,
  );
  return new Map(rows.map(({ oid, parts }) => [oid, parts]));
}

/**
 * Types that print a value otherwise than before, and all that are made of them. One label more changes nothing of what was
 * there before; one column more of a composite type does.
 */
export async function changedTypes(
  before: ReadonlyMap<number, readonly string[]>,
  session: Session,
): Promise<ReadonlySet<number>> {
  if (before.size === 0) return new Set();
  const now = await typeDefinitions(session);
  const changed = [...before].filter(([oid, parts]) => {
    const found = now.get(oid);
    if (!found) return false; // no column has it any more
    const isEnum = parts.some((part) => !/^\d+ \d+$/.test(part));
    return (!isEnum && found.length !== parts.length) || parts.some((part) => !found.includes(part));
  });
  if (changed.length === 0) return new Set();
  const rows = await queryRows<{ oid: number }>(
    session,
    `WITH RECURSIVE uses(type, part) AS (
       SELECT oid, typelem FROM pg_type WHERE typelem <> 0
       UNION ALL SELECT oid, typbasetype FROM pg_type WHERE typbasetype <> 0
       UNION ALL SELECT c.reltype, a.atttypid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.reltype <> 0
       UNION ALL SELECT rngtypid, rngsubtype FROM pg_range
       UNION ALL SELECT (to_jsonb(r) ->> 'rngmultitypid')::oid, rngtypid FROM pg_range r
     ), hit(oid) AS (
       SELECT unnest($1::oid[]) UNION SELECT uses.type FROM hit JOIN uses ON uses.part = hit.oid
     ) SELECT oid::int8::float8 AS oid FROM hit WHERE oid IS NOT NULL`,
    [changed.map(([oid]) => oid)],
  );
  return new Set(rows.map(({ oid }) => oid));
}

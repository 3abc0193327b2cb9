import { fenceSchema } from '../../plan/names';
import { likePattern } from '../../plan/role-patterns';
import { escapeLiteral, queryOne, queryRows, type Session } from '../postgres/session';
import { COMMENT_PARTS } from './catalog/comments';
import { DATABASE_PARTS } from './catalog/database';
import { FUNCTION_PARTS } from './catalog/functions';
import { ON_TABLE_PARTS } from './catalog/on-tables';
import type { CatalogObject, Part } from './catalog/part';
import { PRIVILEGE_PARTS } from './catalog/privileges';
import { DATABASE_SETTINGS, SERVER } from './catalog/server';
import { TABLE_PARTS } from './catalog/tables';
import { TYPE_PARTS } from './catalog/types';

/** Every kind of object, in an order in which they can be made: what another needs comes before it. */
export const PARTS: readonly Part[] = [
  ...SERVER,
  ...TYPE_PARTS,
  ...TABLE_PARTS.slice(0, 1),
  ...FUNCTION_PARTS,
  ...TABLE_PARTS.slice(1),
  ...ON_TABLE_PARTS,
  ...DATABASE_PARTS,
  ...PRIVILEGE_PARTS,
  ...DATABASE_SETTINGS,
  ...COMMENT_PARTS,
];

interface Row {
  id: string;
  parent: string | null;
  definition: string | null;
  make: string | null;
  alter: string | null;
  alterable?: string | null;
  drop: string | null;
  needs?: string[];
  madeWith?: string[];
}

/**
 * Everything that a database is made of but its rows: schema, grants, owners, settings, comments; with `shared`, the server's roles as well.
 * Ours apart. Extensions are described, what they brought along is not. Reads the catalog only.
 * @param ignored patterns of role names (`ignore.roles` of the plan): what is of these roles is left out
 */
export async function describeDatabase(
  session: Session,
  migration: string,
  shared = false,
  ignored: readonly string[] = [],
): Promise<CatalogObject[]> {
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  // Not a parameter: PostgreSQL refuses one that a statement doesn't use.
  const values: Readonly<Record<string, string>> = {
    $1: escapeLiteral(fenceSchema(migration)),
    $2: `ARRAY[${ignored.map((pattern) => escapeLiteral(likePattern(pattern))).join(', ')}]::text[]`,
  };
  const objects: CatalogObject[] = [];
  for (const part of PARTS) {
    if (part.shared && !shared) continue;
    const rows = await queryRows<Row>(
      session,
      part.sql(version).replaceAll(/\$[12]\b/g, (name) => values[name] ?? name),
    );
    for (const row of rows) {
      objects.push({
        key: `${part.kind} ${row.id}`,
        kind: part.kind,
        parent: row.parent,
        definition: row.definition ?? '',
        make: row.make,
        alter: row.alter,
        alterable: row.alterable ?? '',
        drop: row.drop,
        needs: row.needs ?? [],
        madeWith: row.madeWith ?? [],
      });
    }
  }
  return objects;
}

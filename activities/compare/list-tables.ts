import { fenceSchema } from '../../plan/names';
import { queryRows, type Session } from '../postgres/session';

/** A table with rows of its own: ordinary tables and leaves of partitioned ones. */
export interface ComparedTable {
  readonly schema: string;
  readonly name: string;
  /** Columns of the replica identity or primary key; empty: rows have no key. */
  readonly key: readonly string[];
}

export const labelOf = ({ schema, name }: ComparedTable): string => `${schema}.${name}`;

/** Every permanent table outside the system's schemas and ours, sorted. */
export async function listTables(session: Session, migration: string): Promise<ComparedTable[]> {
  return queryRows<{ schema: string; name: string; key: string[] }>(
    session,
    `SELECT n.nspname AS schema, c.relname AS name, coalesce(k.columns, '{}') AS key
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN LATERAL (
         SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum)) AS columns
           FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
          WHERE i.indexrelid = coalesce(
                  (SELECT indexrelid FROM pg_index WHERE indrelid = c.oid AND indisprimary AND indisvalid),
                  (SELECT indexrelid FROM pg_index WHERE indrelid = c.oid AND indisreplident AND indisvalid))
       ) k ON true
      WHERE c.relkind = 'r' AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', $1) AND n.nspname NOT LIKE 'pg\\_%'
      ORDER BY 1, 2`,
    [fenceSchema(migration)],
  );
}

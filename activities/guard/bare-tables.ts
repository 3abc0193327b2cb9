import { queryRows, type Session } from '../postgres/session';
import type { Warning } from './judge-source';

/** More than this are counted, not listed. */
const NAMED = 5;

/**
 * Tables without usable replica identity that were made since the publication: it is `FOR ALL TABLES`, so UPDATE and DELETE on
 * them fail on the source until they get one.
 */
export async function bareTables(source: Session, database: string): Promise<Warning[]> {
  const rows = await queryRows<{ name: string }>(
    source,
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        AND (c.relreplident = 'n'
             OR c.relreplident = 'd' AND NOT EXISTS (
                  SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate))
      ORDER BY 1`,
  );
  if (rows.length === 0) return [];
  const some = rows.slice(0, NAMED).map(({ name }) => name);
  const named = some.join(', ') + (rows.length > NAMED ? ` and ${rows.length - NAMED} more` : '');
  const remedy = some.map((table) => `ALTER TABLE ${table} REPLICA IDENTITY FULL;`).join(' ');
  return [
    {
      code: `no-replica-identity-${database}`,
      text: `UPDATE and DELETE FAIL ON THE SOURCE for ${named} in database ${database}: no primary key, and all tables are published. At once, in ${database}: ${remedy}`,
    },
  ];
}

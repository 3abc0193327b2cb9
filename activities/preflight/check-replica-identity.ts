import type { Check } from '../../plan/checks';
import { queryRows, type Session } from '../postgres/session';

const code = 'replica-identity';
/** More tables than this are counted, not listed. */
const NAMED = 10;

/**
 * Tables of a database, and those of them on which UPDATE and DELETE would fail on the source as soon as they are
 * published. A deferrable primary key is of no use as replica identity.
 * @see https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY
 */
export async function tablesOf(session: Session): Promise<{ tables: number; bare: string[] }> {
  const rows = await queryRows<{ name: string; bare: boolean }>(
    session,
    `SELECT n.nspname || '.' || c.relname AS name,
            CASE c.relreplident
              WHEN 'f' THEN false
              WHEN 'n' THEN true
              WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate)
              ELSE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid AND i.indimmediate)
            END AS bare
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
      ORDER BY 1`,
  );
  return { tables: rows.length, bare: rows.filter(({ bare }) => bare).map(({ name }) => name) };
}

export function checkReplicaIdentity(tables: number, bare: readonly string[]): Check {
  if (bare.length === 0) return { code, level: 'ok', message: `all ${tables} tables have a usable replica identity` };
  const named = bare.slice(0, NAMED).join(', ') + (bare.length > NAMED ? ` and ${bare.length - NAMED} more` : '');
  return {
    code,
    level: 'block',
    message: `${bare.length} table${bare.length === 1 ? ' has' : 's have'} no primary key and no other replica identity: ${named}. UPDATE and DELETE on them would fail on the source as soon as they are published.`,
    remedy:
      'For each: ALTER TABLE <table> ADD PRIMARY KEY (<columns>); or ALTER TABLE <table> REPLICA IDENTITY USING INDEX <unique index>; or, which costs more WAL, ALTER TABLE <table> REPLICA IDENTITY FULL;',
  };
}

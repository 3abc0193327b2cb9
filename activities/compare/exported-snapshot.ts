import type { QueryResult } from 'pg';
import type { Session } from '../postgres/session';

/** A snapshot that other sessions can read under, for as long as the session that exported it stays in its transaction. */
export interface ExportedSnapshot {
  /** For `SET TRANSACTION SNAPSHOT`. */
  readonly name: string;
  /** `pg_current_snapshot()`. */
  readonly snapshot: string;
}

/** Begins a transaction, anew at every call, and exports its snapshot, which its first query takes. */
export async function exportSnapshot(session: Session): Promise<ExportedSnapshot> {
  // One round trip: it is made inside the pause.
  const results = (await session.query<ExportedSnapshot>(
    `ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
     SELECT pg_export_snapshot() AS name, pg_current_snapshot()::text AS snapshot`,
  )) as unknown as QueryResult<ExportedSnapshot>[];
  const exported = results[2]?.rows[0];
  if (!exported) throw new Error('the server exported no snapshot');
  return exported;
}

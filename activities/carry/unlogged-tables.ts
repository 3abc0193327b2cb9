import { finalFailure } from '../../plan/failures';
import { fenceSchema } from '../../plan/names';
import { isSqlState } from '../classify-error';
import { outOfReach } from '../postgres/extension-tables';
import { escapeIdentifier, queryRows, type Session } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { copyAcross } from './copy-table';

/** An unlogged table with rows of its own. */
export interface UnloggedTable {
  readonly schema: string;
  readonly name: string;
  readonly bytes: number;
}

/** Unlogged tables, leaves of partitioned ones among them, but those of RDS's own extensions. No publication has them, and a restore empties them. */
export async function listUnloggedTables(session: Session, migration: string): Promise<UnloggedTable[]> {
  return queryRows<UnloggedTable>(
    session,
    `SELECT n.nspname AS schema, c.relname AS name, pg_table_size(c.oid)::float8 AS bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname NOT IN ('pg_catalog', 'information_schema', $1)
        AND NOT ${outOfReach()} ORDER BY 1, 2`,
    [fenceSchema(migration)],
  );
}

/** @throws ApplicationFailure AccessDenied where we may not: RDS lets `rds_superuser`, plain PostgreSQL before 15 only a superuser */
async function beginWithoutTriggers(target: Session): Promise<void> {
  try {
    await target.query('BEGIN; SET LOCAL session_replication_role = replica');
  } catch (error) {
    if (!isSqlState(error, SQLSTATE.insufficientPrivilege)) throw error;
    throw finalFailure(
      'AccessDenied',
      'The master user of the target may not set session_replication_role, so triggers of unlogged tables would fire for what is copied. From PostgreSQL 15 on a superuser can allow it: GRANT SET ON PARAMETER session_replication_role TO the master user. Otherwise abort, and start again with carry: { unloggedTables: empty }.',
    );
  }
}

/**
 * Copies the unlogged tables as they are now; the source stands still. In one transaction on the target, so a second run, or one
 * after half of it, ends the same. Text format, since some types have no binary one. As replication does, without triggers.
 */
export async function copyUnloggedTables(
  source: Session,
  target: Session,
  migration: string,
  mayGoOn: () => void | Promise<void>,
): Promise<{ tables: number; rows: number }> {
  const tables = await listUnloggedTables(source, migration);
  if (tables.length === 0) return { tables: 0, rows: 0 };
  const names = tables.map(({ schema, name }) => `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`);
  let rows = 0;
  try {
    await beginWithoutTriggers(target);
    await target.query(`TRUNCATE ONLY ${names.join(', ')}`);
    for (const name of names) {
      await mayGoOn();
      rows += await copyAcross(source, target, { out: `COPY ${name} TO STDOUT`, in: `COPY ${name} FROM STDIN` });
    }
    await target.query('COMMIT');
  } catch (error) {
    await target.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  return { tables: names.length, rows };
}

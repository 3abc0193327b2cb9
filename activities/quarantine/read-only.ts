import { escapeIdentifier, escapeLiteral, queryRows, type Session } from '../postgres/session';
import { noteRecords, type QuarantineRecord, readRecords } from './records';

const SETTING = 'default_transaction_read_only';

/**
 * Makes read-only the default of the migrated databases of the target until the switch: who connects there by mistake writes
 * nothing. Apply is not affected. Databases that aren't ours to alter stay as they are.
 * @returns the databases that are closed
 */
export async function closeTarget(target: Session, migration: string, databases: readonly string[]): Promise<string[]> {
  const settings = await queryRows<{ name: string; before: string | null }>(
    target,
    `SELECT d.datname AS name, (
              SELECT split_part(one, '=', 2) FROM pg_db_role_setting s, unnest(s.setconfig) AS one
               WHERE s.setdatabase = d.oid AND s.setrole = 0 AND one LIKE '${SETTING}=%') AS before
       FROM pg_database d
      WHERE d.datname = ANY ($1::text[]) AND pg_has_role(current_user, d.datdba, 'usage') ORDER BY 1`,
    [databases],
  );
  await noteRecords(
    target,
    migration,
    settings.map(({ name, before }) => ({ database: name, kind: 'read-only', name: SETTING, was: { before } })),
  );
  const closing = settings.map(({ name }) => `ALTER DATABASE ${escapeIdentifier(name)} SET ${SETTING} = on;`);
  if (closing.length > 0) await target.query(`BEGIN; ${closing.join('\n')} COMMIT`);
  return settings.map(({ name }) => name);
}

/** What was closed, as the pause needs it: read before it, undone in it. */
export const closedDatabases = (target: Session, migration: string): Promise<QuarantineRecord[]> =>
  readRecords(target, migration, 'read-only');

/** Statements that open the target for writes: each database has its own default again. One round trip. */
export function openTargetSql(closed: readonly QuarantineRecord[]): string {
  const opening = closed.map(({ database, was }) => {
    const { before } = was as { before: string | null };
    const what = before === null ? `RESET ${SETTING}` : `SET ${SETTING} = ${escapeLiteral(before)}`;
    return `ALTER DATABASE ${escapeIdentifier(database)} ${what};`;
  });
  return `BEGIN; ${opening.join('\n')} COMMIT`;
}

/** Statements that close it again, when a pause is given up. */
export const closeAgainSql = (closed: readonly QuarantineRecord[]): string =>
  `BEGIN; ${closed.map(({ database }) => `ALTER DATABASE ${escapeIdentifier(database)} SET ${SETTING} = on;`).join('\n')} COMMIT`;

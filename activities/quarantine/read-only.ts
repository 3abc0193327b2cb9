import { planFence } from '../cutover/fence';
import { escapeIdentifier, escapeLiteral, queryRows, type Session } from '../postgres/session';
import { noteRecords, type QuarantineRecord, readRecords } from './records';

const SETTING = 'default_transaction_read_only';

/** Whose default was closed, and what it was: of a database, or of a role in a database. */
interface Closed {
  readonly role: string | null;
  readonly before: string | null;
}

export interface CloseInput {
  readonly migration: string;
  readonly masterUser: string;
  readonly databases: readonly string[];
  /** Where pg_cron is: its launcher stays connected, and would keep a default of the database beyond the switch. */
  readonly cron: readonly string[];
}

/**
 * Makes read-only the default of the migrated databases of the target until the switch: who connects there by mistake writes
 * nothing. Apply is not affected. In the database of pg_cron it is the default of each role that may log in. Databases and roles that
 * aren't ours to alter stay as they are.
 */
export async function closeTarget(target: Session, input: CloseInput): Promise<void> {
  const { migration, masterUser, databases, cron } = input;
  const { databases: settings, roles } = await planFence(target, migration, masterUser, databases, []);
  const closed: QuarantineRecord[] = settings
    .filter(({ name }) => !cron.includes(name))
    .map(({ name, readOnlyBefore }) => recordOf(name, { role: null, before: readOnlyBefore }));
  for (const database of databases.filter((name) => cron.includes(name))) {
    const before = await roleDefaults(target, database);
    closed.push(...roles.map((role) => recordOf(database, { role, before: before.get(role) ?? null })));
  }
  await noteRecords(target, migration, closed);
  if (closed.length > 0) await target.query(closeAgainSql(await closedDatabases(target, migration)));
}

const recordOf = (database: string, was: Closed): QuarantineRecord => ({
  database,
  kind: 'read-only',
  name: was.role ?? SETTING,
  was: { ...was },
});

async function roleDefaults(target: Session, database: string): Promise<Map<string, string>> {
  const rows = await queryRows<{ role: string; value: string }>(
    target,
    `SELECT r.rolname AS role, split_part(one, '=', 2) AS value
       FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = $1
       JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS one
      WHERE one LIKE '${SETTING}=%'`,
    [database],
  );
  return new Map(rows.map(({ role, value }) => [role, value]));
}

/** What was closed, as the pause needs it: read before it, undone in it. Without roles that are gone. */
export async function closedDatabases(target: Session, migration: string): Promise<QuarantineRecord[]> {
  const records = await readRecords(target, migration, 'read-only');
  const rows = await queryRows<{ rolname: string }>(target, 'SELECT rolname FROM pg_roles');
  const there = new Set(rows.map(({ rolname }) => rolname));
  return records.filter(({ was }) => {
    const { role } = was as unknown as Closed;
    return role === null || there.has(role);
  });
}

function whose({ database, was }: QuarantineRecord): string {
  const { role } = was as unknown as Closed;
  return role === null
    ? `DATABASE ${escapeIdentifier(database)}`
    : `ROLE ${escapeIdentifier(role)} IN DATABASE ${escapeIdentifier(database)}`;
}

/** Statements that open the target for writes: everybody has the own default again. One round trip. */
export function openTargetSql(closed: readonly QuarantineRecord[]): string {
  const opening = closed.map((one) => {
    const { before } = one.was as unknown as Closed;
    return `ALTER ${whose(one)} ${before === null ? `RESET ${SETTING}` : `SET ${SETTING} = ${escapeLiteral(before)}`};`;
  });
  return `BEGIN; ${opening.join('\n')} COMMIT`;
}

/** Statements that close it, also again when a pause was given up. */
export const closeAgainSql = (closed: readonly QuarantineRecord[]): string =>
  `BEGIN; ${closed.map((one) => `ALTER ${whose(one)} SET ${SETTING} = on;`).join('\n')} COMMIT`;

/** Whether anything is closed that `openTargetSql` would open. */
export async function isClosed(target: Session, closed: readonly QuarantineRecord[]): Promise<boolean> {
  const rows = await queryRows<{ database: string; role: string | null }>(
    target,
    `SELECT d.datname AS database, r.rolname AS role
       FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
      WHERE '${SETTING}=on' = ANY (s.setconfig)`,
  );
  return closed.some(({ database, was }) => {
    const { role, before } = was as unknown as Closed;
    return before !== 'on' && rows.some((one) => one.database === database && one.role === role);
  });
}

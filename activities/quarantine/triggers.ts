import { fenceSchema } from '../../plan/names';
import { mayBecome, outOfReach } from '../postgres/extension-tables';
import { escapeIdentifier, queryRows, type Session } from '../postgres/session';

/** A trigger that fires when a change is applied: `A` always, `R` then only. */
export interface ApplyTrigger {
  readonly schema: string;
  readonly table: string;
  readonly trigger: string;
  readonly state: 'A' | 'R';
  /** Owner of the table; only who can become it may alter the trigger. */
  readonly owner: string;
  /** Whether we can. */
  readonly ours: boolean;
}

/**
 * Triggers that would fire on the target for a row that the source's own triggers have seen already: what such a trigger
 * writes is replicated, too, and would be there twice. Partitions come after their parents.
 */
export async function applyTriggers(session: Session, migration: string): Promise<ApplyTrigger[]> {
  return queryRows<ApplyTrigger>(
    session,
    `SELECT n.nspname AS schema, c.relname AS "table", t.tgname AS trigger, t.tgenabled::text AS state,
            pg_get_userbyid(c.relowner) AS owner, ${mayBecome('c.relowner')} AS ours
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE t.tgenabled IN ('A', 'R') AND c.relpersistence = 'p' AND NOT (n.nspname = 'cron' AND c.relname = 'job')
        AND NOT ${outOfReach()} AND n.nspname <> $1 AND (NOT t.tgisinternal OR t.tgconstraint = 0)
      ORDER BY c.relispartition, 1, 2, 3`,
    [fenceSchema(migration)],
  );
}

/** How a trigger is switched off for apply. `A` still fires for everybody else, so nothing is missed after the switch. */
const OFF = { A: 'ENABLE TRIGGER', R: 'DISABLE TRIGGER' } as const;
const ON = { A: 'ENABLE ALWAYS TRIGGER', R: 'ENABLE REPLICA TRIGGER' } as const;

/**
 * Lets triggers not fire for what is applied (`off`), or fire again as they did (`on`). As the owner of each table, in one transaction.
 * @see https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER
 */
export async function switchTriggers(
  target: Session,
  triggers: readonly ApplyTrigger[],
  how: 'on' | 'off',
): Promise<void> {
  if (triggers.length === 0) return;
  const clause = how === 'on' ? ON : OFF;
  const statements = triggers.map(
    ({ schema, table, trigger, state, owner }) =>
      `SET LOCAL ROLE ${escapeIdentifier(owner)};
       ALTER TABLE ${escapeIdentifier(schema)}.${escapeIdentifier(table)} ${clause[state]} ${escapeIdentifier(trigger)};`,
  );
  try {
    await target.query(`BEGIN; ${statements.join('\n')} COMMIT`);
  } catch (error) {
    await target.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

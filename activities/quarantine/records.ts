import { fenceSchema } from '../../plan/names';
import { escapeIdentifier, queryRows, type Session } from '../postgres/session';

/** What the quarantine switched off on the clone, and how it was before. */
export interface QuarantineRecord {
  readonly database: string;
  readonly kind: 'subscription' | 'cron-job' | 'trigger' | 'read-only';
  readonly name: string;
  readonly was: Readonly<Record<string, unknown>>;
}

/** A table of ours in the first migrated database, of both sides: whose quarantine it tells of is the side that it is on. */
export const quarantineTable = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.quarantine`;

export async function createRecords(target: Session, migration: string): Promise<void> {
  await target.query(
    `CREATE TABLE IF NOT EXISTS ${quarantineTable(migration)} (
       database text, kind text, name text, was jsonb NOT NULL, PRIMARY KEY (database, kind, name))`,
  );
}

/** Notes how something was, before it is changed. What was noted first stays: a second run sees our own change. */
export async function noteRecords(
  target: Session,
  migration: string,
  records: readonly QuarantineRecord[],
): Promise<void> {
  if (records.length === 0) return;
  await target.query(
    `INSERT INTO ${quarantineTable(migration)} (database, kind, name, was)
     SELECT one->>'database', one->>'kind', one->>'name', one->'was' FROM jsonb_array_elements($1::jsonb) AS one
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(records)],
  );
}

/** What was noted of a kind; nothing where no quarantine was made. */
export async function readRecords(
  target: Session,
  migration: string,
  kind: QuarantineRecord['kind'],
): Promise<QuarantineRecord[]> {
  const [there] = await queryRows(target, 'SELECT 1 WHERE to_regclass($1) IS NOT NULL', [quarantineTable(migration)]);
  if (!there) return [];
  return queryRows<QuarantineRecord>(
    target,
    `SELECT database, kind, name, was FROM ${quarantineTable(migration)} WHERE kind = $1 ORDER BY database, name`,
    [kind],
  );
}

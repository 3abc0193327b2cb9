import { fenceSchema } from '../../plan/names';
import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';

/** What the quarantine switched off on the clone, and how it was before. */
export interface QuarantineRecord {
  readonly database: string;
  readonly kind: 'subscription' | 'cron-job' | 'trigger' | 'read-only';
  readonly name: string;
  readonly was: Readonly<Record<string, unknown>>;
}

/** A table of ours in the first migrated database, of both sides: whose quarantine it tells of is the side that it is on. */
export const quarantineTable = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.quarantine`;

/** What stands before a text that is written in ASCII. */
const IN_ASCII = 'keyshift-uri:';

/**
 * Names of other databases and of what is in them are in any script, and the database that the table is in may have an encoding without it: there a text that
 * is more than ASCII is written as a URI component.
 */
const asStored =
  (encoding: string) =>
  (text: string): string => {
    // eslint-disable-next-line no-control-regex -- ASCII begins with control characters
    const fits = encoding === 'UTF8' || /^[\x00-\x7f]*$/.test(text);
    return fits && !text.startsWith(IN_ASCII) ? text : `${IN_ASCII}${encodeURIComponent(text)}`;
  };
const asRead = (text: string): string =>
  text.startsWith(IN_ASCII) ? decodeURIComponent(text.slice(IN_ASCII.length)) : text;

/** A record with every text in it changed, however deep. */
function withTexts<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => withTexts(one, change)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withTexts(one as unknown, change)])) as T;
}

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
  const { encoding } = await queryOne<{ encoding: string }>(target, 'SELECT getdatabaseencoding() AS encoding');
  await target.query(
    `INSERT INTO ${quarantineTable(migration)} (database, kind, name, was)
     SELECT one->>'database', one->>'kind', one->>'name', one->'was' FROM jsonb_array_elements($1::jsonb) AS one
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(withTexts(records, asStored(encoding)))],
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
  const rows = await queryRows<QuarantineRecord>(
    target,
    `SELECT database, kind, name, was FROM ${quarantineTable(migration)} WHERE kind = $1 ORDER BY database, name`,
    [kind],
  );
  return rows.map((row) => withTexts(row, asRead));
}

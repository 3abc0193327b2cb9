import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';
import type { ComparedTable } from './list-tables';

/**
 * A table's rows are spread over this many buckets by the hash of their key, so that only buckets that differ have to be
 * looked at row by row.
 */
export const BUCKETS = 1024;

/** Number of rows and sum of their hashes. Equal contents give equal fingerprints, whatever the order of rows. */
export interface Fingerprint {
  readonly rows: number;
  readonly sum: string;
}

/** Fingerprints of rows by key, as text; a key that isn't there has none. */
export type RowFingerprints = Map<string, string>;

const SEED = 0;
/** Hash of a whole row by its text: every type has one, and 1.0 differs from 1.00 (docs/performance.md). */
// `t.*`: a bare `t` would mean a column of that name where there is one.
const ROW_HASH = `hashtextextended((t.*)::text, ${SEED})`;

const from = ({ schema, name }: ComparedTable) => `${escapeIdentifier(schema)}.${escapeIdentifier(name)} AS t`;

/** Text by which rows are told apart: the key's columns, or the row's hash where there is no key. */
const keyText = ({ key }: ComparedTable): string =>
  key.length === 0
    ? `${ROW_HASH}::text`
    : `ROW(${key.map((column) => `t.${escapeIdentifier(column)}`).join(', ')})::text`;

/** Fingerprint of a whole table. `where` restricts it to some rows. */
export async function fingerprintTable(session: Session, table: ComparedTable, where = 'true'): Promise<Fingerprint> {
  const { rows, sum } = await queryOne<{ rows: string; sum: string }>(
    session,
    `SELECT count(*)::text AS rows, coalesce(sum(${ROW_HASH}), 0)::text AS sum FROM ${from(table)} WHERE ${where}`,
  );
  return { rows: Number(rows), sum };
}

/** Fingerprint of each bucket that has rows. */
export async function fingerprintBuckets(session: Session, table: ComparedTable): Promise<Map<number, string>> {
  const rows = await queryRows<{ bucket: number; fingerprint: string }>(
    session,
    `SELECT (hashtextextended(${keyText(table)}, ${SEED}) & ${BUCKETS - 1})::int AS bucket,
            count(*)::text || ':' || sum(${ROW_HASH})::text AS fingerprint
       FROM ${from(table)} GROUP BY 1`,
  );
  return new Map(rows.map(({ bucket, fingerprint }) => [bucket, fingerprint]));
}

/** Fingerprint of each row in some buckets. */
export async function fingerprintRows(
  session: Session,
  table: ComparedTable,
  buckets: readonly number[],
): Promise<RowFingerprints> {
  return byKey(
    session,
    table,
    `(hashtextextended(${keyText(table)}, ${SEED}) & ${BUCKETS - 1})::int = ANY ($1::int[])`,
    [buckets],
  );
}

/** Fingerprints of the rows with these keys. */
export async function fingerprintKeys(
  session: Session,
  table: ComparedTable,
  keys: readonly string[],
): Promise<RowFingerprints> {
  return byKey(session, table, `${keyText(table)} = ANY ($1::text[])`, [keys]);
}

/** Of these keys, those whose row was written after the snapshot (`pg_current_snapshot()`) on this side. */
export async function keysWrittenSince(
  session: Session,
  table: ComparedTable,
  keys: readonly string[],
  snapshot: string,
): Promise<Set<string>> {
  const rows = await queryRows<{ key: string }>(
    session,
    `SELECT ${keyText(table)} AS key FROM ${from(table)}
      WHERE ${keyText(table)} = ANY ($1::text[]) AND NOT ${visibleIn('$2')}`,
    [keys, snapshot],
  );
  return new Set(rows.map(({ key }) => key));
}

/**
 * Whether a row's version was there at the snapshot. `xmin` has 32 bits, so it is completed with the epoch of now;
 * versions old enough to be frozen were there in any case.
 */
function visibleIn(snapshot: string): string {
  const xmax = 'pg_snapshot_xmax(pg_current_snapshot())::text::numeric';
  const guess = `(floor(${xmax} / 4294967296) * 4294967296 + t.xmin::text::numeric)`;
  const full = `CASE WHEN ${guess} > ${xmax} THEN ${guess} - 4294967296 ELSE ${guess} END`;
  return `(t.xmin::text::numeric < 3 OR ${full} < 3 OR pg_visible_in_snapshot((${full})::bigint::text::xid8, ${snapshot}::pg_snapshot))`;
}

async function byKey(
  session: Session,
  table: ComparedTable,
  where: string,
  values: unknown[],
): Promise<RowFingerprints> {
  const rows = await queryRows<{ key: string; fingerprint: string }>(
    session,
    `SELECT ${keyText(table)} AS key, count(*)::text || ':' || sum(${ROW_HASH})::text AS fingerprint
       FROM ${from(table)} WHERE ${where} GROUP BY 1`,
    values,
  );
  return new Map(rows.map(({ key, fingerprint }) => [key, fingerprint]));
}

import type { EqualRows } from '../../plan/report';
import { escapeIdentifier } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { isSqlState } from '../classify-error';
import type { ComparedTable } from './list-tables';
import type { Reader, ReaderPair } from './reader';
import { type Disagreements, rowsOf } from './row-fingerprints';
import { column, fromOnly, keyText } from './row-sql';

/** A row whose text is longer is not looked at: it would go through this process. */
const MOST_ROW_BYTES = 20_000;

/** A row of the source, as PostgreSQL writes a row of the target's type. */
interface Line {
  readonly key: string;
  readonly line: string;
  readonly count: number;
}

/** The type of the table's rows. */
const rowType = ({ schema, name }: ComparedTable): string => `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;

/**
 * Whether the rows that differ are equal all the same, by the equality of their columns' own types: 1.0 and 1.00 of a numeric, `a` and `A` of a
 * citext. Apply of a table with REPLICA IDENTITY FULL looks for a row by that equality, so that it may change another of several equal rows. As many
 * of each on both sides: nothing is lost, they only look different. The server that has the types is asked.
 * @param gone the target may have deleted rows since: the source may have more of each
 * @returns how many rows of the target the source has only in another text; undefined: some are different, or it can't be told
 * @see https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY
 */
export async function findEqualRows(
  pair: ReaderPair,
  table: ComparedTable,
  different: Disagreements,
  gone = false,
): Promise<Pick<EqualRows, 'rows'> | undefined> {
  // By a key of its own, apply finds the very row.
  if (table.key.length > 0) return undefined;
  const columns = await columnsOfTarget(pair.target, table);
  if (columns.length !== table.columns.length || columns.some((name) => !table.columns.includes(name)))
    return undefined;
  const keys = [...different.keys()];
  const lines = await linesOf(pair.source, table, columns, keys);
  if (!lines || !(await allEqual(pair.target, table, columns, lines, keys, gone ? '>=' : '='))) return undefined;
  let rows = 0;
  for (const { source, target } of different.values()) rows += Math.max(0, rowsOf(target) - rowsOf(source));
  return { rows };
}

/** In the order of the target's type: a rebuild may have changed it. */
async function columnsOfTarget(target: Reader, table: ComparedTable): Promise<string[]> {
  const rows = await target.rowsWith<{ name: string }>(
    'SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum',
    [rowType(table)],
  );
  return rows.map(({ name }) => name);
}

async function linesOf(
  source: Reader,
  table: ComparedTable,
  columns: readonly string[],
  keys: readonly string[],
): Promise<Line[] | undefined> {
  const line = `ROW(${columns.map(column).join(', ')})::text`;
  const rows = await source.rowsWith<Omit<Line, 'line'> & { line: string | null }>(
    `SELECT key, min(line) AS line, count(*)::int AS count FROM (
       SELECT ${keyText(table)} AS key, CASE WHEN octet_length(${line}) <= ${MOST_ROW_BYTES} THEN ${line} END AS line
         FROM ${fromOnly(table, source.side)} WHERE ${keyText(table)} = ANY ($1::text[])) AS lines GROUP BY key`,
    [keys],
  );
  const lines = rows.flatMap(({ key, line, count }) => (line === null ? [] : [{ key, line, count }]));
  return lines.length === rows.length ? lines : undefined;
}

/** Groups the rows of both sides by the equality of their types: each group has as many of the source as of the target, or at least as many. */
async function allEqual(
  target: Reader,
  table: ComparedTable,
  columns: readonly string[],
  lines: readonly Line[],
  keys: readonly string[],
  wanted: '=' | '>=',
): Promise<boolean> {
  const places = columns.map((_, place) => `k${place}`).join(', ');
  const fields = columns.map((name, place) => `(r).${escapeIdentifier(name)} AS k${place}`).join(', ');
  const own = columns.map((name, place) => `${column(name)} AS k${place}`).join(', ');
  const sql = `SELECT coalesce(bool_and(balance ${wanted} 0), true) AS equal FROM (
      SELECT sum(n) AS balance FROM (
        SELECT n, ${fields} FROM (SELECT line::${rowType(table)} AS r, n FROM unnest($1::text[], $2::int8[]) AS w (line, n)) AS typed
        UNION ALL SELECT -1, ${own} FROM ${fromOnly(table, target.side)} WHERE ${keyText(table)} = ANY ($3::text[])
      ) AS of_both GROUP BY ${places}) AS groups`;
  try {
    const [found] = await target.rowsWith<{ equal: boolean }>(sql, [
      lines.map(({ line }) => line),
      lines.map(({ count }) => count),
      keys,
    ]);
    return found?.equal === true;
  } catch (error) {
    // A type without equality, or a definition that has changed since.
    if (isSqlState(error, SQLSTATE.undefinedFunction, SQLSTATE.undefinedColumn, SQLSTATE.undefinedTable)) return false;
    if (isSqlState(error, SQLSTATE.undefinedObject, '22P02')) return false;
    throw error;
  }
}

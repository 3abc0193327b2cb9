import { escapeIdentifier, type Side } from '../postgres/session';
import type { TableName } from './table-name';
import type { ComparedTable } from './list-tables';

/** `ONLY`: children and partitions are compared as tables of their own. */
export const only = ({ schema, name }: TableName): string =>
  `ONLY ${escapeIdentifier(schema)}.${escapeIdentifier(name)} AS t`;

/** What a table is read from on one side. */
export const fromOnly = (table: ComparedTable, side: Side): string => table.from?.[side] ?? only(table);

export const column = (name: string): string => `t.${escapeIdentifier(name)}`;

const textOf = (columns: readonly string[]): string => `ROW(${columns.map(column).join(', ')})::text`;

/**
 * Hash of a text, 64 bits, the same in all majors since 11 and on every platform of one byte order. Under collation "C" it
 * is the hash of the bytes; under others that aren't deterministic, different texts could have the same.
 */
export const hashOf = (text: string, seed = 0): string => `hashtextextended(${text} COLLATE "C", ${seed})`;

/**
 * Hash of a whole row by its text: every type has one, and 1.0 differs from 1.00 (docs/performance.md). Columns are named
 * in one order for both sides: after a rebuild, columns may lie in another order, or behind dropped ones.
 */
export const rowHash = (table: ComparedTable): string => {
  const { columns, wide } = table;
  return hashOf(
    `ROW(${columns.map((name) => (wide.includes(name) ? valueHash(table, name) : column(name))).join(', ')})::text`,
  );
};

/** A bytea's text is twice as long, and no text is longer than 1 GB. What is longer than this, in bytes, is hashed without. */
const LONG_BYTES = 16_777_216;

/** PostgreSQL writes a row's text byte by byte, to quote it: for long values that costs more than their hash. NULL stays NULL. */
function valueHash({ binary = [] }: ComparedTable, name: string): string {
  const value = column(name);
  const ofText = hashOf(`${value}::text`);
  if (!binary.includes(name)) return ofText;
  return `CASE WHEN octet_length(${value}) > ${LONG_BYTES} THEN ${hashOf(`encode(sha256(${value}), 'hex')`)} ELSE ${ofText} END`;
}

/** Text by which rows are told apart: the key's columns, or the row's hash where there is no key. */
export const keyText = (table: ComparedTable): string =>
  table.key.length === 0 ? `${rowHash(table)}::text` : sent(table, textOf(table.key.map(({ name }) => name)));

/** Hash of one column's value; NULL and the empty string have different ones, be it none. */
export const columnHash = (table: ComparedTable, name: string): string =>
  table.wide.includes(name) ? valueHash(table, name) : hashOf(textOf([name]));

/** The beginning of one column's value as text. */
export const beginningOf = (table: ComparedTable, name: string, characters: number): string => {
  const value = column(name);
  const text = table.binary?.includes(name) ? `substr(${value}, 1, ${characters})::text` : `${value}::text`;
  return sent(table, `left(${text}, ${characters})`);
};

/** A text as it comes to us: where there is no encoding, bytes that aren't ASCII as `\ooo`. */
export const sent = ({ asBytes }: ComparedTable, text: string): string =>
  asBytes ? `encode(convert_to(${text}, 'SQL_ASCII'), 'escape')` : text;

/** The text that `sent` made ASCII of. */
export const received = ({ asBytes }: ComparedTable, text: string): string =>
  asBytes ? `convert_from(decode(${text}, 'escape'), 'SQL_ASCII')` : text;

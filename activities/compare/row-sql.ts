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
export const rowHash = ({ columns, wide }: ComparedTable): string =>
  hashOf(`ROW(${columns.map((name) => (wide.includes(name) ? valueHash(name) : column(name))).join(', ')})::text`);

/** PostgreSQL writes a row's text byte by byte, to quote it: for long values that costs more than their hash. NULL stays NULL. */
const valueHash = (name: string): string => hashOf(`${column(name)}::text`);

/** Text by which rows are told apart: the key's columns, or the row's hash where there is no key. */
export const keyText = (table: ComparedTable): string =>
  table.key.length === 0 ? `${rowHash(table)}::text` : textOf(table.key.map(({ name }) => name));

/** Hash of one column's value; NULL and the empty string have different ones. */
export const columnHash = (name: string): string => hashOf(textOf([name]));

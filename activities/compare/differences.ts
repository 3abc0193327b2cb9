import { finalFailure } from '../../plan/failures';
import type { NotProven, RowDifference, TableDifference } from '../../plan/report';
import type { Side } from '../postgres/session';
import type { ComparedTable, ListedTable } from './list-tables';
import { both } from './narrow';
import type { ReaderPair } from './reader';
import { columnsOf, type Disagreements, type Sides } from './row-fingerprints';
import { labelOf, TableMap, type TableName } from './table-name';

/** So many rows of a table are named. */
const EXAMPLES = 5;
const TABLES_IN_MESSAGE = 20;
/** Columns of a row that are named. */
const MOST_COLUMNS = 100;
/** Columns of a row whose values are shown. */
const MOST_VALUES = 20;

const kindOf = ({ source, target }: Sides): RowDifference['kind'] =>
  target === undefined ? 'onlyOnSource' : source === undefined ? 'onlyOnTarget' : 'different';

/** What the report says of a table whose rows differ; the first few rows with the columns in which they do. */
export async function differenceOf(
  pair: ReaderPair,
  database: string,
  table: ComparedTable,
  disagreements: Disagreements,
  showValues: boolean,
): Promise<TableDifference> {
  const named = new Map([...disagreements].slice(0, EXAMPLES));
  const [there, here] = await both(pair, (reader) => columnsOf(reader, table, named, showValues));
  const rows = [...named].map(([key, sides]): RowDifference => {
    const [old, fresh] = [there.get(key), here.get(key)];
    const kind = kindOf(sides);
    const columns =
      kind === 'different' && old && fresh
        ? table.columns.filter((_, place) => old.hashes[place] !== fresh.hashes[place])
        : [];
    const shown = kind === 'different' ? columns : table.columns;
    const valueOf = (values: readonly (string | null)[] | undefined, name: string) =>
      values ? { value: values[table.columns.indexOf(name)] ?? null } : undefined;
    return {
      key: nameOf(table, key),
      kind,
      ...(columns.length > 0 ? { columns: columns.slice(0, MOST_COLUMNS) } : {}),
      ...(showValues
        ? {
            values: shown.slice(0, MOST_VALUES).map((name) => ({
              column: name,
              source: valueOf(old?.values, name)?.value ?? null,
              target: valueOf(fresh?.values, name)?.value ?? null,
            })),
          }
        : {}),
    };
  });
  return { ...countsOf(database, table, disagreements), examples: rows.map(({ key }) => key), rows };
}

/** Rows without a key are named by the hash of their contents. */
const nameOf = ({ key: columns }: ComparedTable, key: string): string =>
  columns.length === 0 ? `no key, row hash ${key}` : shortened(key);

/** A key may be as long as an index entry; it is in every heartbeat and in the report. */
const MOST_KEY_LENGTH = 300;
const shortened = (text: string): string =>
  text.length <= MOST_KEY_LENGTH ? text : `${text.slice(0, MOST_KEY_LENGTH).replace(/[\ud800-\udbff]$/, '')}...`;

export function countsOf(
  database: string,
  table: ComparedTable,
  disagreements: Disagreements,
): Omit<TableDifference, 'examples' | 'rows'> {
  const kinds = [...disagreements.values()].map(kindOf);
  const count = (kind: RowDifference['kind']) => kinds.filter((one) => one === kind).length;
  return {
    database,
    table: labelOf(table),
    onlyOnSource: count('onlyOnSource'),
    onlyOnTarget: count('onlyOnTarget'),
    different: count('different'),
  };
}

/** A table of both sides. */
export interface TablePair<Listed extends ComparedTable = ListedTable> {
  /** As the source has it. */
  readonly table: ComparedTable;
  readonly source: Listed;
  readonly target: Listed;
}

/** Tables of both sides, in the order of the source, and what only one side has. */
export interface Paired<Listed extends ComparedTable = ListedTable> {
  readonly both: readonly TablePair<Listed>[];
  readonly differences: readonly TableDifference[];
  /** Tables of each side that are in no pair. */
  readonly unpaired: Readonly<Record<Side, number>>;
  /** Tables that can't be compared, whatever they hold. */
  readonly notProven?: readonly NotProven[];
  /** What was made on the target since, for people. */
  readonly since?: readonly string[];
}

/** Tables of both sides; one that only one side has, or that has other columns there, is a difference by itself. */
export function pairTables<Listed extends ComparedTable>(
  database: string,
  source: readonly Listed[],
  target: readonly Listed[],
): Paired<Listed> {
  const here = new TableMap(target.map((table) => [table, table] as const));
  const there = new TableMap(source.map((table) => [table, table] as const));
  const differences: TableDifference[] = [];
  const paired: TablePair<Listed>[] = [];
  for (const table of source) {
    const twin = here.get(table);
    const different = twin ? otherColumns(database, table, twin) : onlyOn('source', database, table);
    if (different) differences.push(different);
    else if (twin) paired.push({ table, source: table, target: twin });
  }
  for (const table of target) if (!there.has(table)) differences.push(onlyOn('target', database, table));
  const unpaired = { source: source.length - paired.length, target: target.length - paired.length };
  return { both: paired, differences, unpaired };
}

/** A table that the other side does not have. */
export function onlyOn(side: Side, database: string, table: TableName): TableDifference {
  const [onlyOnSource, onlyOnTarget] = side === 'source' ? [1, 0] : [0, 1];
  return { database, table: labelOf(table), onlyOnSource, onlyOnTarget, different: 0, examples: ['(the whole table)'] };
}

/** Columns that only one side has; undefined: both have the same. */
export function otherColumns(database: string, table: ComparedTable, twin: ComparedTable): TableDifference | undefined {
  const more = table.columns.filter((name) => !twin.columns.includes(name));
  const less = twin.columns.filter((name) => !table.columns.includes(name));
  if (more.length + less.length === 0) return undefined;
  const examples = [shortened(`(columns: ${[...more, ...less].join(', ')})`)];
  return {
    database,
    table: labelOf(table),
    onlyOnSource: more.length,
    onlyOnTarget: less.length,
    different: 0,
    examples,
  };
}

/** The failure that names tables and rows. Values are in it only if the plan says so. */
export function contentsDiffer(differences: readonly TableDifference[], tables = differences.length) {
  const lines = differences.slice(0, TABLES_IN_MESSAGE).map(lineOf);
  const more = tables - lines.length;
  return finalFailure(
    'ContentsDiffer',
    `Source and target differ in ${tables} table${tables === 1 ? '' : 's'}:\n${lines.join('\n')}${more > 0 ? `\n  and ${more} more` : ''}`,
    {
      tables,
      first: differences
        .slice(0, TABLES_IN_MESSAGE)
        .map(({ examples: _keys, rows: _rows, ...counts }: TableDifference) => counts),
    },
  );
}

function lineOf(one: TableDifference): string {
  const named = one.rows?.map(rowText) ?? one.examples;
  const least = one.atLeast ? 'at least ' : '';
  return `  ${one.database} ${one.table}: ${least}${one.onlyOnSource} only on the source, ${one.onlyOnTarget} only on the target, ${one.different} different; for example ${named.join(', ')}`;
}

function rowText({ key, kind, columns, values }: RowDifference): string {
  const where = kind === 'onlyOnSource' ? ' only on the source' : kind === 'onlyOnTarget' ? ' only on the target' : '';
  const inColumns = columns ? ` in ${columns.join(', ')}` : '';
  const shown = values?.map(({ column, source, target }) => `${column}: ${source} / ${target}`).join('; ');
  return `${key}${where}${inColumns}${shown ? ` [${shown}]` : ''}`;
}

import { finalFailure } from '../../plan/failures';
import type { RowDifference, TableDifference } from '../../plan/report';
import { type ComparedTable, labelOf } from './list-tables';
import { both } from './narrow';
import type { ReaderPair } from './reader';
import { columnsOf, type Disagreements, type Sides } from './row-fingerprints';

/** So many rows of a table are named. */
const EXAMPLES = 5;
const TABLES_IN_MESSAGE = 20;

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
      ...(columns.length > 0 ? { columns } : {}),
      ...(showValues
        ? {
            values: shown.map((name) => ({
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
  columns.length === 0 ? `no key, row hash ${key}` : key;

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

/** Tables of both sides; one that only one side has, or that has other columns there, is a difference by itself. */
export function pairTables(
  database: string,
  source: readonly ComparedTable[],
  target: readonly ComparedTable[],
): { both: ComparedTable[]; differences: TableDifference[] } {
  const there = new Map(source.map((table) => [labelOf(table), table]));
  const here = new Map(target.map((table) => [labelOf(table), table]));
  const differences: TableDifference[] = [];
  const found = (table: string, onlyOnSource: number, onlyOnTarget: number, example: string) =>
    differences.push({ database, table, onlyOnSource, onlyOnTarget, different: 0, examples: [example] });
  const paired: ComparedTable[] = [];
  for (const [label, table] of there) {
    const twin = here.get(label);
    if (!twin) {
      found(label, 1, 0, '(the whole table)');
      continue;
    }
    const more = table.columns.filter((name) => !twin.columns.includes(name));
    const less = twin.columns.filter((name) => !table.columns.includes(name));
    if (more.length + less.length === 0) paired.push(table);
    else found(label, more.length, less.length, `(columns: ${[...more, ...less].join(', ')})`);
  }
  for (const label of here.keys()) if (!there.has(label)) found(label, 0, 1, '(the whole table)');
  return { both: paired, differences };
}

/** The failure that names tables and rows. Values are in it only if the plan says so. */
export function contentsDiffer(differences: readonly TableDifference[]) {
  const lines = differences.slice(0, TABLES_IN_MESSAGE).map(lineOf);
  const more = differences.length - lines.length;
  return finalFailure(
    'ContentsDiffer',
    `Source and target differ in ${differences.length} table${differences.length === 1 ? '' : 's'}:\n${lines.join('\n')}${more > 0 ? `\n  and ${more} more` : ''}`,
    {
      tables: differences.length,
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

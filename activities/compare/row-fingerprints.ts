import { type ComparedTable } from './list-tables';
import type { Reader } from './reader';
import { beginningOf, column, columnHash, fromOnly, keyText, received, rowHash, sent } from './row-sql';

/** One key as PostgreSQL prints it, with its columns one by one: they find the row again by its index. */
export interface RowFingerprint {
  readonly fingerprint: string;
  /** Empty where the table has no key. */
  readonly parts: readonly string[];
}

/** Fingerprints of rows by the text of their key; a key that isn't there has none. */
export type RowFingerprints = Map<string, RowFingerprint>;

/** Which side has a key with which fingerprint. */
export interface Sides {
  readonly source?: string;
  readonly target?: string;
  readonly parts: readonly string[];
}

/** Keys of a table that do not agree, each with what the two sides have. */
export type Disagreements = Map<string, Sides>;

export function disagreementsOf(source: RowFingerprints, target: RowFingerprints): Disagreements {
  const found: Disagreements = new Map();
  for (const key of new Set([...source.keys(), ...target.keys()])) {
    const [there, here] = [source.get(key), target.get(key)];
    if (there?.fingerprint === here?.fingerprint) continue;
    found.set(key, {
      ...(there ? { source: there.fingerprint } : {}),
      ...(here ? { target: here.fingerprint } : {}),
      parts: there?.parts ?? here?.parts ?? [],
    });
  }
  return found;
}

const partsOf = (table: ComparedTable): string =>
  table.key.length === 0
    ? `'{}'::text[]`
    : `ARRAY[${table.key.map(({ name }) => sent(table, `${column(name)}::text`)).join(', ')}]`;

interface Row {
  key: string;
  parts: string[];
  fingerprint: string;
}
const byKey = (rows: readonly Row[]): RowFingerprints =>
  new Map(rows.map(({ key, parts, fingerprint }) => [key, { parts, fingerprint }]));

const selectRows = (table: ComparedTable, { side }: Reader) =>
  `SELECT ${keyText(table)} AS key, min(${partsOf(table)}) AS parts,
          count(*)::text || ':' || sum(${rowHash(table)})::text AS fingerprint FROM ${fromOnly(table, side)}`;

/** Fingerprints of the rows that a condition selects. */
export async function fingerprintsWhere(reader: Reader, table: ComparedTable, where: string): Promise<RowFingerprints> {
  return byKey(await reader.rows<Row>(`${selectRows(table, reader)} WHERE ${where} GROUP BY 1`));
}

/** Fingerprints of the rows with these keys, by the key's index where there is one. */
export async function fingerprintsOf(
  reader: Reader,
  table: ComparedTable,
  keys: ReadonlyMap<string, { readonly parts: readonly string[] }>,
): Promise<RowFingerprints> {
  const { where, values } = whereKeys(table, keys);
  const found = byKey(await reader.rowsWith<Row>(`${selectRows(table, reader)} WHERE ${where} GROUP BY 1`, values));
  // The key's own equality may take different texts for the same: citext.
  for (const key of found.keys()) if (!keys.has(key)) found.delete(key);
  return found;
}

/** Condition with parameters $1, $2 ... that selects rows by their keys. */
export function whereKeys(
  table: ComparedTable,
  keys: ReadonlyMap<string, { readonly parts: readonly string[] }>,
): { where: string; values: unknown[] } {
  if (table.key.length === 0) return { where: `${keyText(table)} = ANY ($1::text[])`, values: [[...keys.keys()]] };
  const entries = [...keys.values()];
  const wanted = table.key.map((_, place) => `k${place}`);
  const arrays = wanted.map((_, place) => `$${place + 1}::text[]`).join(', ');
  const same = table.key
    .map(({ name, type, equals }, place) => `${column(name)} ${equals} ${received(table, `k${place}`)}::${type}`)
    .join(' AND ');
  return {
    where: `EXISTS (SELECT 1 FROM unnest(${arrays}) AS w (${wanted.join(', ')}) WHERE ${same})`,
    values: table.key.map((_, place) => entries.map(({ parts }) => parts[place])),
  };
}

/** Hashes of every column, by key; with `values` the beginnings of the values as well. */
export async function columnsOf(
  reader: Reader,
  table: ComparedTable,
  keys: Disagreements,
  values: boolean,
): Promise<Map<string, { hashes: (string | null)[]; values: (string | null)[] }>> {
  const condition = whereKeys(table, keys);
  const rows = await reader.rowsWith<{ key: string; hashes: (string | null)[]; shown: (string | null)[] }>(
    `SELECT ${keyText(table)} AS key,
            ARRAY[${table.columns.map((name) => `(${columnHash(table, name)})::text`).join(', ')}]::text[] AS hashes,
            ARRAY[${values ? table.columns.map((name) => beginningOf(table, name, SHOWN)).join(', ') : ''}]::text[] AS shown
       FROM ${fromOnly(table, reader.side)} WHERE ${condition.where}`,
    condition.values,
  );
  return new Map(rows.map(({ key, hashes, shown }) => [key, { hashes, values: shown }]));
}

/** Characters of a value that go into a report. */
const SHOWN = 200;

/** How many rows of one side a fingerprint stands for. */
export const rowsOf = (fingerprint: string | undefined): number => Number(fingerprint?.split(':')[0] ?? 0);

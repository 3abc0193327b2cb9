import type { Client } from 'pg';
import { qualified } from '../sql';

/** What a table, or a materialized view, holds: how many rows, and one digest of all of them in one order. */
export interface Contents {
  readonly rows: number;
  readonly digest: string;
}

/** SQLSTATE undefined_function: a type has no binary output. */
const UNDEFINED_FUNCTION = '42883';
const SHOWN = 3;

const TABLES = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'm' AND NOT c.relispopulated AS empty
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND ($1 OR c.relpersistence <> 'u') AND n.nspname !~ '^(pg_|information_schema$|keyshift_)' ORDER BY 1, 2`;

/**
 * The contents of all that has rows, by label. Rows go by what their types send in binary, not by their texts as the product's
 * comparison has it: 1.0 is not 1.00, and no setting of the session has a say.
 */
export async function contentsOf(client: Client, unlogged = true): Promise<Map<string, Contents>> {
  const { rows: tables } = await client.query<{ schema: string; name: string; empty: boolean }>(TABLES, [unlogged]);
  const found = new Map<string, Contents>();
  for (const { schema, name, empty } of tables) {
    const label = qualified(schema, name);
    found.set(label, empty ? { rows: -1, digest: 'not populated' } : await digestOf(client, label));
  }
  return found;
}

async function digestOf(client: Client, label: string): Promise<Contents> {
  const { rows } = await byRow<{ rows: string; digest: string }>(
    client,
    (row) =>
      `SELECT count(*) AS rows, md5(coalesce(string_agg(h, '' ORDER BY h COLLATE "C"), '')) AS digest FROM (SELECT md5(${row}) AS h FROM ONLY ${label} AS keyshift_row) AS all_rows`,
  );
  return { rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '' };
}

/** Binary where all types have one, else text. */
async function byRow<Row extends object>(client: Client, sql: (row: string) => string): Promise<{ rows: Row[] }> {
  try {
    return await client.query<Row>(sql('record_send(keyshift_row)'));
  } catch (error) {
    if ((error as { code?: string }).code !== UNDEFINED_FUNCTION) throw error;
    return client.query<Row>(sql("convert_to(keyshift_row::text, 'SQL_ASCII')"));
  }
}

/** Tables whose contents differ, with some of the rows. */
export async function differingTables(source: Client, target: Client, unlogged = true): Promise<string[]> {
  const [there, here] = [await contentsOf(source, unlogged), await contentsOf(target, unlogged)];
  const wrong: string[] = [];
  for (const label of new Set([...there.keys(), ...here.keys()])) {
    const [wanted, found] = [there.get(label), here.get(label)];
    if (wanted?.digest === found?.digest && wanted?.rows === found?.rows) continue;
    const rows = `${wanted?.rows ?? 'no'} rows on the source, ${found?.rows ?? 'no'} on the target`;
    wrong.push(`table ${label}: ${rows}${wanted && found ? `; ${await examples(source, target, label)}` : ''}`);
  }
  return wrong;
}

async function examples(source: Client, target: Client, label: string): Promise<string> {
  const read = async (client: Client) => {
    const { rows } = await byRow<{ h: string; text: string }>(
      client,
      (row) =>
        `SELECT md5(${row}) AS h, left(keyshift_row::text, 300) AS text FROM ONLY ${label} AS keyshift_row LIMIT 20000`,
    );
    return rows;
  };
  const [there, here] = [await read(source), await read(target)];
  const only = (some: typeof there, others: typeof there): string[] => {
    const left = new Map<string, number>();
    for (const { h } of others) left.set(h, (left.get(h) ?? 0) + 1);
    return some
      .filter(({ h }) => {
        const count = left.get(h) ?? 0;
        left.set(h, count - 1);
        return count <= 0;
      })
      .map(({ text }) => text);
  };
  const [gone, added] = [only(there, here), only(here, there)];
  return `only on the source: ${gone.slice(0, SHOWN).join(' | ') || 'none'}; only on the target: ${added.slice(0, SHOWN).join(' | ') || 'none'}`;
}

import { escapeIdentifier, type Client } from 'pg';

export interface Table {
  readonly schema: string;
  readonly name: string;
  /** Whether it has `uid` and `version`. */
  readonly tracked: boolean;
}

/** One row: its contents as a digest, and what recognises it. */
export interface Row {
  readonly version: number;
  readonly digest: string;
}

/** Rows by uid; several only where one is doubled. */
export type Rows = Map<string, Row[]>;

/** Text output must not depend on how either server is set up. */
const SETTINGS = `SET extra_float_digits = 1; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
  SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET search_path = pg_catalog; SET statement_timeout = '120s'`;

const PAGE = 20_000;

/** Tables and partitioned tables of all schemas; partitions are read through their table. Schemas of tools are left out. */
export async function listTables(client: Client): Promise<Table[]> {
  const { rows } = await client.query<Table>(`
    SELECT n.nspname AS schema, c.relname AS name,
      (SELECT count(*) = 2 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('uid', 'version')) AS tracked
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname !~ '^(pg_|keyshift)' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2`);
  return rows;
}

/** Reads every row of a table, as digests of its whole text and of the partition that holds it. */
export async function readRows(client: Client, { schema, name, tracked }: Table): Promise<Rows> {
  const digest = `md5(t.tableoid::regclass::text || t::text)`;
  const identity = tracked ? 't.uid::text, t.version' : `${digest}, 0`;
  const table = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
  const found: Rows = new Map();
  await client.query(SETTINGS);
  await client.query('BEGIN TRANSACTION READ ONLY');
  await client.query(`DECLARE everything NO SCROLL CURSOR FOR SELECT ${identity}, ${digest} FROM ${table} t`);
  for (;;) {
    const page = await client.query<[string, number, string]>({
      text: `FETCH ${PAGE} FROM everything`,
      rowMode: 'array',
    });
    for (const [uid, version, text] of page.rows) {
      const same = found.get(uid);
      if (same) same.push({ version, digest: text });
      else found.set(uid, [{ version, digest: text }]);
    }
    if (page.rows.length < PAGE) break;
  }
  await client.query('COMMIT');
  return found;
}

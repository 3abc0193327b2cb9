import type { Client } from 'pg';

/** Databases of the benchmark, each with one table: so that every tool can be given "the database". */
export const DATABASES = ['narrow', 'wide'] as const;
export type BenchDatabase = (typeof DATABASES)[number];

/** pgbench's accounts: 5 million rows are 640 MB. */
export async function fillNarrow(client: Client, rows: number): Promise<void> {
  await client.query(
    `CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor = 100)`,
  );
  await client.query(
    `INSERT INTO accounts SELECT i, i / 100000 + 1, 0, '' FROM generate_series(1, ${rows}) AS i ORDER BY i`,
  );
  await client.query('VACUUM ANALYZE accounts');
}

/** Rows with a document of about 5 kB that doesn't compress, so that it lies in TOAST: a fiftieth of the rows. */
export async function fillWide(client: Client, rows: number): Promise<void> {
  await client.query(
    `CREATE TABLE documents (id bigint PRIMARY KEY, author text, changed_at timestamptz, price numeric(12, 2), body text);
     ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL`,
  );
  await client.query(
    `INSERT INTO documents
     SELECT i, 'author ' || i % 977, '2026-01-01'::timestamptz + make_interval(secs => i), i / 100.0,
            (SELECT string_agg(md5((i * 1000 + n)::text), '') FROM generate_series(1, 150) AS n)
       FROM generate_series(1, ${Math.ceil(rows / 50)}) AS i`,
  );
  await client.query('VACUUM ANALYZE documents');
}

export const TABLE: Record<BenchDatabase, string> = { narrow: 'accounts', wide: 'documents' };
export const KEY: Record<BenchDatabase, string> = { narrow: 'aid', wide: 'id' };
export const COLUMNS: Record<BenchDatabase, readonly string[]> = {
  narrow: ['bid', 'abalance', 'filler'],
  wide: ['author', 'changed_at', 'price', 'body'],
};

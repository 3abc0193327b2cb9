import { escapeIdentifier, type Client } from 'pg';
import { withClient } from '../../local/app/databases';
import type { SampleSource } from '../../local/app/source';
import { scramVerifier } from '../../local/app/scram';
import type { RealDatabase } from './folder';

/** How much there is to be moved. */
export interface Size {
  readonly tables: number;
  readonly sequences: number;
  readonly bytes: number;
}

const SCHEMAS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/**
 * Makes the databases and runs their scripts as the master user; the application's role may write everything, but owns nothing.
 * @throws Error with the file in which a statement failed
 */
export async function fill({ server, master, app }: SampleSource, databases: readonly RealDatabase[]): Promise<Size> {
  await withClient(server, master, 'postgres', async (client) => {
    await client.query(`CREATE ROLE ${escapeIdentifier(app.user)} LOGIN PASSWORD '${scramVerifier(app.password)}'`);
    for (const { name } of databases) await client.query(`CREATE DATABASE ${escapeIdentifier(name)}`);
  });
  const sizes: Size[] = [];
  for (const { name, scripts } of databases) {
    for (const { file, sql } of scripts) {
      // A script sets what it likes for its session, such as an empty search_path.
      await withClient(server, master, name, (client) => client.query(sql)).catch((error: Error) => {
        throw new Error(`${name}/${file}: ${error.message}`, { cause: error });
      });
    }
    sizes.push(await withClient(server, master, name, (client) => grantAndCount(client, app.user)));
  }
  const sum = (of: keyof Size): number => sizes.reduce((total, size) => total + size[of], 0);
  return { tables: sum('tables'), sequences: sum('sequences'), bytes: sum('bytes') };
}

async function grantAndCount(client: Client, user: string): Promise<Size> {
  const role = escapeIdentifier(user);
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace n WHERE ${SCHEMAS}`,
  );
  for (const schema of rows.map(({ name }) => escapeIdentifier(name))) {
    await client.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
    await client.query(`GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
    await client.query(`GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`);
  }
  await client.query('ANALYZE');
  const counted = await client.query<{ tables: number; sequences: number; bytes: string }>(
    `SELECT count(*) FILTER (WHERE c.relkind = 'r')::int AS tables, count(*) FILTER (WHERE c.relkind = 'S')::int AS sequences,
            pg_database_size(current_database())::text AS bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${SCHEMAS}`,
  );
  const [size] = counted.rows;
  return { tables: size?.tables ?? 0, sequences: size?.sequences ?? 0, bytes: Number(size?.bytes ?? 0) };
}

import { Client, type ClientConfig } from 'pg';
import { scramVerifier } from './scram';
import { APP_ROLE, DATABASES, SCHEMA } from './schema';
import { seed } from './seed';

/** Where a server is, and how it is talked to. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** Certificates that the server's must go back to; without them TLS is off. */
  readonly ca?: string;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Runs work on a connection of its own. */
export async function withClient<T>(
  { host, port, ca }: ServerAddress,
  { user, password }: Login,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const config: ClientConfig = { host, port, user, password, database, connectionTimeoutMillis: 10_000 };
  const client = new Client({ ...config, application_name: 'sample-app-setup', ssl: ca ? { ca } : false });
  // The error of a lost connection comes out of the query that is under way, or of the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Makes the role, both databases, their tables and `rows` rows. */
export async function createDatabases(server: ServerAddress, master: Login, app: Login, rows: number): Promise<void> {
  await withClient(server, master, 'postgres', async (client) => {
    await client.query(`CREATE ROLE ${APP_ROLE} LOGIN PASSWORD '${scramVerifier(app.password)}'`);
    await client.query(`GRANT ${APP_ROLE} TO CURRENT_USER`);
    for (const database of DATABASES) await client.query(`CREATE DATABASE ${database} OWNER ${APP_ROLE}`);
  });
  for (const database of DATABASES) {
    await withClient(server, app, database, async (client) => {
      await client.query(SCHEMA[database]);
      await seed(client, database, rows);
      await client.query('ANALYZE');
    });
  }
}

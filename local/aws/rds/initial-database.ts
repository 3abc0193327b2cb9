import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Client } from 'pg';
import type { PostgresServer } from '../../postgres/server';
import { ADMIN_ROLE } from '../../postgres/server';
import type { InstanceRecord } from './model';
import { REPLICA_ROLE } from './replication';

/** Fills a server that was just initialised with what an instance of RDS has from the start. */
export async function createInitialContents(
  server: PostgresServer,
  instance: InstanceRecord,
  password: string,
): Promise<void> {
  const master = escapeIdentifier(instance.masterUsername);
  await server.withSession(async (client) => {
    await runAll(client, [
      'CREATE ROLE rds_superuser NOLOGIN',
      'CREATE ROLE rds_replication NOLOGIN',
      'CREATE ROLE rds_password NOLOGIN',
      'CREATE ROLE rds_iam NOLOGIN',
      `CREATE ROLE ${REPLICA_ROLE} LOGIN REPLICATION`,
      'GRANT pg_monitor, pg_signal_backend, rds_replication, rds_password TO rds_superuser WITH ADMIN OPTION',
      // RDS elevates rds_superuser by patches of its own; plain PostgreSQL needs a superuser for some of what it may do.
      `CREATE ROLE ${master} LOGIN SUPERUSER CREATEDB CREATEROLE PASSWORD ${escapeLiteral(password)} VALID UNTIL 'infinity'`,
      `GRANT rds_superuser TO ${master}`,
      `ALTER DATABASE postgres OWNER TO ${master}`,
      `CREATE DATABASE ${ADMIN_ROLE}`,
      `REVOKE ALL ON DATABASE ${ADMIN_ROLE} FROM PUBLIC`,
      ...(instance.dbName === undefined || instance.dbName === 'postgres'
        ? []
        : [`CREATE DATABASE ${escapeIdentifier(instance.dbName)} OWNER ${master}`]),
    ]);
  });
}

/** Gives the master user another password. */
export async function setMasterPassword(
  server: PostgresServer,
  instance: InstanceRecord,
  password: string,
): Promise<void> {
  const statement = `ALTER ROLE ${escapeIdentifier(instance.masterUsername)} PASSWORD ${escapeLiteral(password)}`;
  await server.withSession((client) => client.query(statement));
}

async function runAll(client: Client, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Client } from 'pg';
import type { PostgresServer } from '../../postgres/server';
import { createMaster, installRdsEngine, ONE_AT_A_TIME } from '../../postgres/rds-engine';
import { ADMIN_ROLE } from '../../postgres/server';
import { HEARTBEAT_TABLE } from './heartbeat';
import type { InstanceRecord } from './model';
import { REPLICA_ROLE } from './replication';

/** Fills a server that was just initialised with what an instance of RDS has from the start. */
export async function createInitialContents(
  server: PostgresServer,
  instance: InstanceRecord,
  password: string,
): Promise<void> {
  const master = escapeIdentifier(instance.masterUsername);
  await installRdsEngine(server, instance.major);
  await createMaster(server, instance.masterUsername, password);
  await server.withSession(async (client) => {
    await runAll(client, [
      `CREATE ROLE ${REPLICA_ROLE} LOGIN REPLICATION`,
      `CREATE DATABASE ${ADMIN_ROLE}`,
      `REVOKE ALL ON DATABASE ${ADMIN_ROLE} FROM PUBLIC`,
      ...(instance.dbName === undefined || instance.dbName === 'postgres'
        ? []
        : [`CREATE DATABASE ${escapeIdentifier(instance.dbName)} OWNER ${master}`]),
    ]);
  });
  await server.withSession((client) => client.query(HEARTBEAT_TABLE), ADMIN_ROLE);
}

/** Gives the master user another password. */
export async function setMasterPassword(
  server: PostgresServer,
  instance: InstanceRecord,
  password: string,
): Promise<void> {
  const statement = `ALTER ROLE ${escapeIdentifier(instance.masterUsername)} PASSWORD ${escapeLiteral(password)}`;
  await server.withSession((client) => client.query(`BEGIN; ${ONE_AT_A_TIME}; ${statement}; COMMIT`));
}

async function runAll(client: Client, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

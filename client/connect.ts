import { loadClientConnectConfig } from '@temporalio/envconfig';
import { Client, Connection } from '@temporalio/client';
import { CommandError, EXIT } from './exit-codes';

/** Runs `work` with a client of the Temporal that the environment names, and closes it afterwards. */
export async function withClient<T>(work: (client: Client, connection: Connection) => Promise<T>): Promise<T> {
  const { namespace = 'default', connectionOptions } = loadClientConnectConfig();
  const address = connectionOptions.address ?? 'localhost:7233';
  let connection: Connection;
  try {
    connection = await Connection.connect(connectionOptions);
  } catch (error) {
    throw new CommandError(
      EXIT.unreachable,
      `No connection to Temporal at ${address}: ${(error as Error).message}. Set TEMPORAL_ADDRESS (and TEMPORAL_NAMESPACE, TEMPORAL_API_KEY or TEMPORAL_TLS_* where they are needed).`,
    );
  }
  try {
    return await work(new Client({ connection, namespace }), connection);
  } finally {
    await connection.close();
  }
}

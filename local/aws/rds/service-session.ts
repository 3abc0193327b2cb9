import type { Client } from 'pg';
import { ADMIN_ROLE } from '../../postgres/server';
import type { PostgresServer } from '../../postgres/server';

/** The one session in the database `rdsadmin` by which the service looks after a server: opened when it is needed, and anew after an error. */
export class ServiceSession {
  private client: Client | undefined;

  constructor(private readonly server: PostgresServer) {}

  /** Does something in it. */
  async use(work: (client: Client) => Promise<void>): Promise<void> {
    try {
      this.client ??= await this.server.connect(ADMIN_ROLE);
      await work(this.client);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }
}

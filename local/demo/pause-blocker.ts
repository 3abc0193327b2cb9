import { Client, escapeIdentifier } from 'pg';
import type { Aws } from '../app/aws';
import { SAMPLE } from '../app/names';
import { DATABASES } from '../app/schema';
import { addressOf, describeInstance, readLogin } from '../app/source';
import { waitFor } from '../world/wait-for';

const WITHIN_MS = 60_000;

/**
 * Makes a pause overrun its budget: the mark by which it proves that the target has everything can't arrive there, since a transaction of
 * ours has locked its table. The lock lets everybody read, and writes nothing: it is no writer that the board would name.
 */
export class PauseBlocker {
  private constructor(private readonly client: Client) {}

  /** Connects to one database of the application on the target: the pause needs them all. */
  static async prepare(aws: Aws, caBundle: string): Promise<PauseBlocker> {
    const target = await describeInstance(aws, SAMPLE.encryptedInstance);
    if (!target) throw new Error(`${SAMPLE.encryptedInstance} is not there`);
    const { host, port, ca } = addressOf(target, caBundle);
    const { user, password } = await readLogin(aws, SAMPLE.masterSecret);
    const client = new Client({ host, port, user, password, database: DATABASES[0], ssl: ca ? { ca } : false });
    client.on('error', () => undefined);
    await client.connect();
    return new PauseBlocker(client);
  }

  /**
   * Takes the lock as soon as the pause has its sessions. Not before: the board would be red, and the slot of the way back would
   * wait for the transaction that waits for the lock.
   */
  async hold(): Promise<void> {
    const { client } = this;
    await waitFor('the pause has its sessions', () => this.pauseIsThere(), { everyMs: 5, timeoutMs: WITHIN_MS });
    const { rows } = await client.query<{ schema: string }>(
      `SELECT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = 'fence' AND n.nspname ~ '^keyshift'`,
    );
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${escapeIdentifier(rows[0]?.schema ?? '')}.fence IN EXCLUSIVE MODE`);
  }

  private async pauseIsThere(): Promise<boolean> {
    const ask = `SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'keyshift/%/pause'`;
    return (await this.client.query(ask)).rows.length > 0;
  }

  /** Lets the mark arrive; nothing of ours stays. */
  async release(): Promise<void> {
    await this.client.query('ROLLBACK').catch(() => undefined);
    await this.client.end().catch(() => undefined);
  }
}

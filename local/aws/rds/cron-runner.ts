import type { Client } from 'pg';
import { escapeIdentifier } from 'pg';
import type { PostgresServer } from '../../postgres/server';

/** Every active job is run so often, whatever its schedule says: tests have no minute to wait. */
const EVERY_MS = 1_000;

interface Job {
  readonly jobid: string;
  readonly command: string;
  readonly database: string;
  readonly username: string;
}

/**
 * What the library `pg_cron` does where it is preloaded: runs the active jobs of `cron.job` in `cron.database_name`, each as its user in its
 * database, and notes every run in `cron.job_run_details` unless `cron.log_run` is off.
 */
export class CronRunner {
  private readonly clients = new Map<string, Client>();
  private lastRun = 0;

  constructor(
    private readonly server: PostgresServer,
    private readonly parameters: () => Readonly<Record<string, string>>,
  ) {}

  /** Runs what is due, if the library is loaded and the extension is there. */
  async look(): Promise<void> {
    const {
      shared_preload_libraries: libraries = '',
      'cron.database_name': home = 'postgres',
      'cron.log_run': logs = '1',
    } = this.parameters();
    if (!libraries.split(',').some((one) => one.trim() === 'pg_cron')) return;
    if (Date.now() - this.lastRun < EVERY_MS) return;
    this.lastRun = Date.now();
    try {
      const launcher = await this.client(home);
      const { rows: tables } = await launcher.query(`SELECT 1 WHERE to_regclass('cron.job') IS NOT NULL`);
      if (tables.length === 0) return;
      const { rows: jobs } = await launcher.query<Job>(
        'SELECT jobid::text, command, database, username FROM cron.job WHERE active ORDER BY jobid',
      );
      for (const job of jobs) await (logs === '1' ? this.run(launcher, job) : this.execute(job).catch(() => undefined));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const clients = [...this.clients.values()];
    this.clients.clear();
    await Promise.allSettled(clients.map((client) => client.end()));
  }

  private async run(launcher: Client, job: Job): Promise<void> {
    const { rows } = await launcher.query<{ runid: string }>(
      `INSERT INTO cron.job_run_details (jobid, database, username, command, status, start_time)
       VALUES ($1, $2, $3, $4, 'running', clock_timestamp()) RETURNING runid::text`,
      [job.jobid, job.database, job.username, job.command],
    );
    const [status, message] = await this.execute(job).then(
      () => ['succeeded', ''] as const,
      (error: Error) => ['failed', error.message] as const,
    );
    await launcher.query(
      'UPDATE cron.job_run_details SET status = $2, return_message = $3, end_time = clock_timestamp() WHERE runid = $1',
      [rows[0]?.runid, status, message],
    );
  }

  private async execute({ command, database, username }: Job): Promise<void> {
    const client = await this.client(database);
    await client.query(`SET SESSION AUTHORIZATION ${escapeIdentifier(username)}`);
    try {
      await client.query(command);
    } finally {
      await client.query('ROLLBACK; RESET SESSION AUTHORIZATION').catch(() => this.forget(database));
    }
  }

  private async client(database: string): Promise<Client> {
    const known = this.clients.get(database);
    if (known) return known;
    const client = await this.server.connect(database);
    client.on('end', () => this.forget(database));
    this.clients.set(database, client);
    return client;
  }

  private forget(database: string): void {
    const client = this.clients.get(database);
    this.clients.delete(database);
    void client?.end().catch(() => undefined);
  }
}

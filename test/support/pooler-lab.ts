import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Databases } from '../../local/pgbouncer/configuration';
import { Pooler } from '../../local/pgbouncer/pooler';
import { findPgBouncer } from '../../local/tools/pgbouncer';
import { silently } from '../../local/tools/report';
import { ProcessRegistry } from '../../local/world/process-registry';
import type { ActivityLab } from './activity-lab';

export const POOLER_SECRET = 'pooler-admin';
const ADMIN = { user: 'keyshift_pooler', password: 'console' };

/** PgBouncers in front of instances of a lab. */
export class PoolerLab {
  readonly #folder = mkdtempSync(join(tmpdir(), 'keyshift-poolers-'));
  readonly #poolers: Pooler[] = [];
  #started = 0;
  readonly #clients: Client[] = [];

  constructor(private readonly lab: ActivityLab) {}

  /** What entries of [databases] say for databases of an instance. */
  async entries(instance: string, databases: readonly string[]): Promise<Databases> {
    const { Endpoint } = await this.lab.standIn.instance(instance);
    const server = { host: Endpoint?.Address ?? '', port: Endpoint?.Port ?? 0 };
    return Object.fromEntries(databases.map((name) => [name, server]));
  }

  async start(
    databases: Databases,
    users: readonly { user: string; password: string }[],
    settings: Readonly<Record<string, string | number>> = {},
  ): Promise<Pooler> {
    // Before anything is waited for: two may be started at once.
    const name = `pooler-${this.#started++}`;
    await this.lab.secret(POOLER_SECRET, ADMIN.user, ADMIN.password, 'pooler');
    const { path: program } = await findPgBouncer({ report: silently });
    const pooler = await Pooler.start({
      program,
      folder: join(this.#folder, name),
      logFile: join(this.#folder, `${name}.log`),
      registry: new ProcessRegistry(join(this.#folder, `${name}.json`)),
      databases,
      users,
      admin: ADMIN,
      ca: this.lab.dependencies.rdsCaBundle,
      settings,
    });
    this.#poolers.push(pooler);
    return pooler;
  }

  /** A session of an application through a pooler; it ends with the lab. */
  async connect(
    { host, port }: Pooler,
    login: { user: string; password: string },
    database: string,
    applicationName = 'a test',
  ): Promise<Client> {
    const client = new Client({ host, port, ...login, database, application_name: applicationName });
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** Entries that are paused. */
  async paused(pooler: Pooler): Promise<string[]> {
    return pooler.console(async (console) => {
      const { rows } = await console.query<{ name: string; paused: number }>('SHOW DATABASES');
      return rows
        .filter(({ paused }) => Number(paused) === 1)
        .map(({ name }) => name)
        .sort();
    });
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.end().catch(() => undefined);
    for (const pooler of this.#poolers) await pooler.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What a plan says of a pooler. */
export const inPlan = ({ host, port }: Pooler, secret = POOLER_SECRET) => ({ host, port, secret, tls: 'off' as const });

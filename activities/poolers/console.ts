import { Client, escapeIdentifier } from 'pg';
import type { Pooler } from '../../plan/plan';
import type { Dependencies, MigrationRef } from '../dependencies';
import { answersOnly } from '../postgres/password-methods';
import type { Credentials } from '../postgres/session';
import { readPoolerCredentials } from '../secrets/secret-use';

/** Longest wait for a connection and for an answer, in milliseconds. The console answers from memory. */
const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 5_000;

/** A row of SHOW DATABASES: an entry of [databases]. */
export interface PoolerEntry {
  readonly name: string;
  /** Null: a Unix socket. */
  readonly host: string | null;
  readonly port: number;
  readonly database: string;
  /** Null: the pooler's own default. */
  readonly poolMode: string | null;
  readonly paused: boolean;
  readonly disabled: boolean;
}

/** A row of SHOW SERVERS: a connection to a server. */
export interface PoolerServer {
  readonly database: string;
  readonly user: string;
  /** `active` while a client uses it. */
  readonly state: string;
  /** What SHOW CLIENTS calls that client. */
  readonly link: string;
  /** The server's address, resolved, and its port. */
  readonly address: string;
  readonly port: number;
}

/** A row of SHOW DNS_HOSTS: a name that PgBouncer has resolved. */
export interface PoolerName {
  readonly name: string;
  /** Seconds for which it is not resolved anew. */
  readonly ttl: number;
  readonly addresses: readonly string[];
}

/** A row of SHOW CLIENTS. */
export interface PoolerClient {
  readonly database: string;
  readonly user: string;
  readonly address: string;
  /** Empty before PgBouncer 1.18. */
  readonly application: string;
  readonly ptr: string;
}

/** A row of SHOW POOLS, summed up over users. */
export interface PoolerPool {
  readonly database: string;
  readonly clients: number;
  readonly servers: number;
  readonly poolMode: string;
}

type Row = Readonly<Record<string, unknown>>;
const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? `${value}` : '';

/** What people call a pooler. */
export const poolerName = ({ host, port }: Pick<Pooler, 'host' | 'port'>): string => `PgBouncer ${host}:${port}`;

/**
 * A session of PgBouncer's admin console. It knows the simple query protocol only, and no parameters.
 * Names are those of PgBouncer 1.18; columns that an older one lacks read as empty.
 * @see https://www.pgbouncer.org/usage.html#admin-console
 */
export class PoolerConsole {
  private constructor(
    readonly name: string,
    /** Who is logged in. */
    readonly username: string,
    private readonly client: Client,
  ) {}

  /**
   * Logs in with what the secret says.
   * @throws Error that names the pooler when it can't be reached or refuses the login
   */
  static async open(pooler: Pooler, { username, password }: Credentials): Promise<PoolerConsole> {
    const client = new Client({
      host: pooler.host,
      port: pooler.port,
      user: username,
      database: 'pgbouncer',
      ssl: pooler.tls === 'off' ? false : { rejectUnauthorized: pooler.tls === 'verify' },
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
    });
    // A connection that breaks while idle emits 'error'; the next command reports it.
    client.on('error', () => undefined);
    // The address is the plan's: whoever listens there may ask for anything.
    answersOnly(client, password, pooler.tls === 'verify' ? ['SCRAM', 'MD5', 'clear text'] : ['SCRAM']);
    const name = poolerName(pooler);
    try {
      await client.connect();
    } catch (error) {
      client.end().catch(() => undefined);
      throw refusal(name, 'the login to its admin console', error);
    }
    return new PoolerConsole(name, username, client);
  }

  /** `PgBouncer 1.18.0` */
  async version(): Promise<string> {
    const [row] = await this.run('SHOW VERSION');
    return textOf(row?.['version']);
  }

  /** Settings by name, as they are in force. */
  async settings(): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.run('SHOW CONFIG')).map((row) => [textOf(row['key']), textOf(row['value'])]));
  }

  /** Entries of [databases], without the console itself. What `*` serves is listed once somebody has asked for it. */
  async entries(): Promise<PoolerEntry[]> {
    return (await this.run('SHOW DATABASES'))
      .filter(({ name }) => name !== 'pgbouncer')
      .map((row) => ({
        name: textOf(row['name']),
        host: textOf(row['host']) || null,
        port: Number(row['port']),
        database: textOf(row['database']),
        poolMode: textOf(row['pool_mode']) || null,
        paused: Number(row['paused']) === 1,
        disabled: Number(row['disabled']) === 1,
      }));
  }

  async servers(): Promise<PoolerServer[]> {
    return (await this.run('SHOW SERVERS')).map((row) => ({
      database: textOf(row['database']),
      user: textOf(row['user']),
      state: textOf(row['state']),
      link: textOf(row['link']),
      address: textOf(row['addr']),
      port: Number(row['port']),
    }));
  }

  /** Names of servers, as they are resolved now. */
  async names(): Promise<PoolerName[]> {
    return (await this.run('SHOW DNS_HOSTS')).map((row) => ({
      name: textOf(row['hostname']),
      ttl: Number(row['ttl']),
      addresses: textOf(row['addrs'])
        .split(',')
        .map((address) => address.trim())
        .filter(Boolean),
    }));
  }

  async clients(): Promise<PoolerClient[]> {
    return (await this.run('SHOW CLIENTS'))
      .filter(({ database }) => database !== 'pgbouncer')
      .map((row) => ({
        database: textOf(row['database']),
        user: textOf(row['user']),
        address: `${textOf(row['addr'])}:${textOf(row['port'])}`,
        application: textOf(row['application_name']),
        ptr: textOf(row['ptr']),
      }));
  }

  /** Pools by entry and user. */
  async pools(): Promise<PoolerPool[]> {
    const sum = (row: Row, prefix: string) =>
      Object.entries(row).reduce((all, [key, value]) => (key.startsWith(prefix) ? all + Number(value) : all), 0);
    return (await this.run('SHOW POOLS'))
      .filter(({ database }) => database !== 'pgbouncer')
      .map((row) => ({
        database: textOf(row['database']),
        clients: sum(row, 'cl_'),
        servers: sum(row, 'sv_'),
        poolMode: textOf(row['pool_mode']),
      }));
  }

  /** Whether the whole pooler is paused or suspended; undefined: this version can't say (SHOW STATE came with 1.19). */
  async isHeld(): Promise<boolean | undefined> {
    try {
      const state = new Map((await this.run('SHOW STATE')).map((row) => [textOf(row['key']), textOf(row['value'])]));
      return state.get('paused') === 'yes' || state.get('suspended') === 'yes';
    } catch (error) {
      if ((error as Error).message.includes('invalid command')) return undefined;
      throw error;
    }
  }

  /**
   * PAUSE of one entry. New transactions wait from the moment that PgBouncer reads it; the answer comes when the transactions that
   * are open in **all** paused entries have ended, or never, if somebody resumes before.
   */
  async pause(entry: string): Promise<void> {
    await this.run(`PAUSE ${escapeIdentifier(entry)}`);
  }

  /** RESUME of one entry; whether it is paused is the caller's to know: PgBouncer refuses what isn't. */
  async resume(entry: string): Promise<void> {
    await this.run(`RESUME ${escapeIdentifier(entry)}`);
  }

  /** Reads the configuration again. */
  async reload(): Promise<void> {
    await this.run('RELOAD');
  }

  /** Connections to servers are made anew once they are released, also where DNS only has changed. All entries, or one. */
  async reconnect(entry?: string): Promise<void> {
    await this.run(entry === undefined ? 'RECONNECT' : `RECONNECT ${escapeIdentifier(entry)}`);
  }

  /** Ends the session; a PAUSE that it waits for goes on. Never waits for an answer that doesn't come. */
  close(): void {
    this.client.end().catch(() => undefined);
  }

  private async run(command: string): Promise<Row[]> {
    try {
      return (await this.client.query<Row>(command)).rows;
    } catch (error) {
      throw refusal(this.name, command, error);
    }
  }
}

/** PgBouncer has one SQLSTATE for everything (08P01), so its words are what there is. */
const refusal = (name: string, what: string, error: unknown): Error =>
  new Error(`${name}: ${what} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });

/** A console of each pooler of the plan, in its order. @throws Error of the first that can't be had */
export async function openConsoles(deps: Dependencies, ref: MigrationRef): Promise<PoolerConsole[]> {
  const results = await Promise.allSettled(ref.plan.cutover.poolers.map((pooler) => openConsole(deps, ref, pooler)));
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  for (const result of results) if (result.status === 'fulfilled') result.value.close();
  throw failed.reason;
}

/** A console of one pooler. */
export async function openConsole(deps: Dependencies, ref: MigrationRef, pooler: Pooler): Promise<PoolerConsole> {
  return PoolerConsole.open(pooler, await readPoolerCredentials(deps, ref, pooler));
}

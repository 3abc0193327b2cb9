import { Client, type QueryResult, type QueryResultRow } from 'pg';
import type { RowWrite } from './notes';

/** Worst case of anything on a connection: a half-open one is noticed after this time. */
const LIMIT_MS = 2_000;

export interface SessionOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Certificates that the server's must go back to; without them TLS is off. */
  readonly ca?: string;
  readonly applicationName: string;
  /** Ask each transaction which server it runs on: behind a pooler the address doesn't say. */
  readonly askServer?: boolean;
  /** Instead of 2 s: behind a pooler that holds clients, one that wants to wait has to be patient. */
  readonly limitMs?: number;
}

/** With the BEGIN, so that it costs no round trip. Without an address: a Unix socket. */
const BEGIN_AND_ASK = `BEGIN; SELECT host(inet_server_addr()) || ':' || inet_server_port() AS server`;

/** Thrown where a row that is ours is not what we left: somebody else changed it, or the database lost it. */
export class RowIsNotOurs extends Error {
  override readonly name = 'RowIsNotOurs';
  readonly code = 'ROW_CHANGED';
}

/** The connection was lost while COMMIT was under way: committed or not, nobody knows. */
export class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown';
}

/** A transaction under way: statements, and the rows that they change. */
export class Transaction {
  readonly writes: RowWrite[] = [];

  constructor(private readonly client: Client) {}

  query<R extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<QueryResult<R>> {
    return this.client.query<R>(sql, [...values]);
  }

  /** A statement that must change exactly one row. */
  async one<R extends QueryResultRow>(sql: string, values: readonly unknown[]): Promise<R> {
    const { rowCount, rows } = await this.query<R>(sql, values);
    if (rowCount !== 1) throw new RowIsNotOurs(`${rowCount} rows instead of 1: ${sql}`);
    return rows[0] as R;
  }

  note(...write: RowWrite): void {
    this.writes.push(write);
  }
}

/** One connection of the application. */
export class Session {
  private lost = false;
  private runsOn: string | undefined;

  private constructor(
    private readonly client: Client,
    private readonly askServer: boolean,
  ) {}

  static async open({
    ca,
    applicationName,
    askServer = false,
    limitMs = LIMIT_MS,
    ...where
  }: SessionOptions): Promise<Session> {
    const client = new Client({
      ...where,
      application_name: applicationName,
      ssl: ca ? { ca } : false,
      connectionTimeoutMillis: limitMs,
      query_timeout: limitMs,
      statement_timeout: limitMs,
      keepAlive: true,
    });
    const session = new Session(client, askServer);
    client.on('error', () => (session.lost = true)).on('end', () => (session.lost = true));
    try {
      await client.connect();
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  get isLost(): boolean {
    return this.lost;
  }

  /** The server that the last transaction ran on, as `host:port`; undefined if it was not asked. */
  get server(): string | undefined {
    return this.runsOn;
  }

  async rows<R extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    return (await this.client.query<R>(sql, [...values])).rows;
  }

  begin(): Transaction {
    return new Transaction(this.client);
  }

  /** Runs one transaction. Whatever it throws, nothing was committed, except with CommitUnknown. */
  async transact(work: () => Promise<void>): Promise<void> {
    await this.start();
    try {
      await work();
    } catch (error) {
      if (!this.lost) await this.client.query('ROLLBACK').catch(() => (this.lost = true));
      throw error;
    }
    await this.commit();
  }

  /** Ends the connection without waiting for the server, which may not be there any more. */
  close(): void {
    this.lost = true;
    void this.client.end().catch(() => undefined);
    // `end` waits for the server; a half-open connection would keep the process alive.
    setTimeout(() => destroySocket(this.client), LIMIT_MS).unref();
  }

  private async start(): Promise<void> {
    if (!this.askServer) {
      await this.client.query('BEGIN');
      return;
    }
    // Several statements in one query are answered with a list.
    const answers = (await this.client.query(BEGIN_AND_ASK)) as unknown as QueryResult<{ server: string | null }>[];
    this.runsOn = answers[1]?.rows[0]?.server ?? undefined;
  }

  private async commit(): Promise<void> {
    let command: string;
    try {
      ({ command } = await this.client.query('COMMIT'));
    } catch (error) {
      if (isCertainFailure(error)) throw error;
      throw new CommitUnknown('the connection was lost during COMMIT', { cause: error });
    }
    // A server answers the COMMIT of a failed transaction with ROLLBACK.
    if (command !== 'COMMIT') throw new Error(`COMMIT was answered with ${command}`);
  }
}

/** An ERROR of the server undoes the transaction; a FATAL one may come after the commit became durable. */
function isCertainFailure(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && error.severity === 'ERROR';
}

function destroySocket(client: Client): void {
  (client as unknown as { connection?: { stream?: { destroy(): void } } }).connection?.stream?.destroy();
}

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type Major, preparePostgres } from '../../../local/postgres/binaries';
import { type CrashCopyResult, copyCrashConsistent } from '../../../local/postgres/crash-copy';
import { findFreePort } from '../../../local/postgres/free-port';
import { signalIfThere } from '../../../local/postgres/processes';
import { SEED_LSN_SETTING } from '../../../local/postgres/rds-tools';
import { ADMIN_ROLE, PostgresServer } from '../../../local/postgres/server';
import { asServerAccount, giveTo, serverAccount } from '../../../local/postgres/unprivileged';

const run = promisify(execFile);

/** Small segments are copied fast, and WAL ends at the start of one now and then. */
const SEGMENT_MB = 1;
/** What a page of WAL holds, on every server of ours. */
const PAGE_BYTES = 8192n;

/** A bare server of a test: a source, or a clone of one. Everybody is let in. */
export class Site {
  private constructor(
    readonly major: Major,
    private readonly folder: string,
    private server: PostgresServer,
    private readonly rdsTools: boolean,
    private home: number,
  ) {}

  /** A new server with the databases, and what an application has in them. */
  static async source(major: Major, databases: readonly string[]): Promise<Site> {
    const site = await Site.prepare(major, false);
    const tree = await site.tree();
    const flags = ['-U', ADMIN_ROLE, '-E', 'UTF8', '--locale=C.UTF-8', '--data-checksums', '--auth=trust', '--no-sync'];
    await run(join(tree.binDir, 'initdb'), ['-D', site.dataDir, ...flags, `--wal-segsize=${SEGMENT_MB}`], {
      ...asServerAccount(serverAccount()),
      cwd: '/',
      env: { LC_ALL: 'C', TZ: 'UTC' },
    });
    await site.start();
    for (const database of databases) await site.sql('postgres', `CREATE DATABASE ${database}`);
    return site;
  }

  get dataDir(): string {
    return this.server.places.dataDir;
  }

  get port(): number {
    return this.server.port;
  }

  get isRunning(): boolean {
    return this.server.pid !== undefined;
  }

  /** All that the server has logged. */
  get log(): string {
    const file = join(this.server.places.logDir, 'postgres.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Forgets the log, as a rotation does. */
  forgetLog(): void {
    writeFileSync(join(this.server.places.logDir, 'postgres.log'), '');
  }

  async start(seedLsn?: string): Promise<void> {
    this.configure(seedLsn);
    await this.server.start();
  }

  /** Starts, and kills the server a moment later: in the middle of its recovery, if that takes longer. */
  async startAndKill(afterMs: number): Promise<void> {
    this.configure();
    const starting = this.server.start().catch(() => undefined);
    await sleep(afterMs);
    const { pid } = this.server;
    // A killed postmaster leaves children behind that end by themselves; SIGQUIT ends them, too.
    if (pid !== undefined) signalIfThere(pid, 'SIGQUIT');
    await starting;
    await this.server.stop('immediate');
  }

  stop(mode: 'fast' | 'immediate'): Promise<void> {
    return this.server.stop(mode);
  }

  async restart(mode: 'fast' | 'immediate', seedLsn?: string): Promise<void> {
    await this.stop(mode);
    await this.start(seedLsn);
  }

  /** The image that a crash would leave now, as a server of its own that isn't started yet. */
  async image(rdsTools: boolean): Promise<Site> {
    const clone = await Site.prepare(this.major, rdsTools);
    await this.copyTo(clone.dataDir);
    return clone;
  }

  /** The other host of a pair takes over: what the disk holds now is started at the same address. */
  async failOver(): Promise<void> {
    const from = this.server.places.dataDir;
    this.home += 1;
    const to = join(this.folder, `data-${this.home}`);
    await this.copyTo(to, from);
    await this.server.stop('immediate');
    this.server = await Site.serverOf(this.folder, this.home, this.server.port, () => this.tree());
    await this.start();
    rmSync(from, { recursive: true, force: true });
  }

  async connect(database: string): Promise<Client> {
    const client = new Client({
      host: '127.0.0.1',
      port: this.port,
      user: ADMIN_ROLE,
      database,
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async session<T>(database: string, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.connect(database);
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  sql<Row extends object>(database: string, statement: string): Promise<Row[]> {
    return this.session(database, async (client) => (await client.query<Row>(statement)).rows);
  }

  /** Fills the page of WAL to its last byte, and waits until it is written. Others who write may spoil it. */
  async fillPage(database: string): Promise<void> {
    await this.session(database, async (client) => {
      const at = async (): Promise<bigint> => {
        const { rows } = await client.query<{ at: string }>(`SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS at`);
        return BigInt(rows[0]?.at ?? 0);
      };
      const emit = (bytes: bigint) =>
        client.query(`SELECT pg_logical_emit_message(false, 'fill', repeat('x', $1))`, [Number(bytes)]);
      const before = await at();
      await emit(1000n);
      const overhead = (await at()) - before - 1000n;
      const left = PAGE_BYTES - ((await at()) % PAGE_BYTES);
      if (left > overhead + 8n) await emit(left - overhead - 4n);
      const deadline = Date.now() + 2_000;
      for (;;) {
        const { rows } = await client.query<{ written: boolean }>(
          `SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn() - 40 AS written`,
        );
        if (rows[0]?.written || Date.now() > deadline) return;
        await sleep(20);
      }
    });
  }

  async remove(): Promise<void> {
    await this.server.stop('immediate');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async copyTo(to: string, from = this.dataDir): Promise<CrashCopyResult> {
    const copied = await copyCrashConsistent(from, to, this.server.pid);
    giveTo(serverAccount(), to);
    return copied;
  }

  private tree(): ReturnType<typeof preparePostgres> {
    return preparePostgres(this.major, join(tmpdir(), 'keyshift-position-programs'), { rdsTools: this.rdsTools });
  }

  private configure(seedLsn?: string): void {
    const settings: Record<string, string> = {
      port: String(this.server.port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: this.server.places.socketDir,
      fsync: 'off',
      wal_level: 'logical',
      max_prepared_transactions: '10',
      max_replication_slots: '10',
      min_wal_size: '2MB',
      max_wal_size: '64MB',
      shared_buffers: '16MB',
      log_line_prefix: '%t [%p] ',
      log_timezone: 'UTC',
      max_wal_senders: '10',
      wal_retrieve_retry_interval: '100ms',
      ...(seedLsn ? { [SEED_LSN_SETTING]: seedLsn } : {}),
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
    writeFileSync(join(this.dataDir, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
    giveTo(serverAccount(), join(this.dataDir, 'postgresql.auto.conf'));
  }

  private static async prepare(major: Major, rdsTools: boolean): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), `ks-${randomUUID().slice(0, 4)}-`));
    const port = await findFreePort(new Set());
    const server = await Site.serverOf(folder, 0, port, () => site.tree());
    const site = new Site(major, folder, server, rdsTools, 0);
    return site;
  }

  private static async serverOf(
    folder: string,
    home: number,
    port: number,
    tree: () => ReturnType<typeof preparePostgres>,
  ): Promise<PostgresServer> {
    const places = {
      dataDir: join(folder, `data-${home}`),
      logDir: join(folder, 'log'),
      socketDir: join(folder, 'socket'),
    };
    for (const path of Object.values(places)) mkdirSync(path, { recursive: true, mode: 0o700 });
    giveTo(serverAccount(), folder);
    return new PostgresServer(tree, places, port, serverAccount(), () => undefined);
  }
}

import { spawn, execFile } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { PostgresTree } from './binaries';
import { thaw } from './freeze';
import { isRunning, lookUpProcess, signalIfThere } from './processes';
import type { ServerAccount } from './unprivileged';
import { asServerAccount } from './unprivileged';

/** The superuser that only the stand-in itself uses, as on RDS. */
export const ADMIN_ROLE = 'rdsadmin';

/** `fast` ends sessions and stops cleanly, `immediate` is a crash (pg_ctl's words). */
export type StopMode = 'fast' | 'immediate';

/** Where the parts of a server lie. */
export interface ServerPlaces {
  readonly dataDir: string;
  readonly logDir: string;
  /** Holds the Unix socket; a short path (a socket's path ends at 103 bytes on macOS, 107 on Linux). */
  readonly socketDir: string;
}

/** How often a server that starts or stops is looked at. */
const POLL_MS = 15;
/** A fast stop waits for archiving and replication clients; after this a server is made to crash, and then killed. */
const STOP_TIMEOUT_MS = 30_000;
/** A long crash recovery is possible, an endless one isn't. */
const START_TIMEOUT_MS = 300_000;

/** Lines of `postmaster.pid` (`src/include/utils/pidfile.h`), counted from 0. */
const PID_LINE = 0;
const STATUS_LINE = 7;

/** How a server process ended, once it has. */
interface StartOutcome {
  exit: string | undefined;
}

/** The server refused to start, for instance because of its configuration. */
export class ServerDidNotStart extends Error {}

const run = promisify(execFile);

/** Initialises a data directory: superuser `rdsadmin`, UTF-8, data checksums (on RDS they are on). */
export async function initialise(
  tree: PostgresTree,
  dataDir: string,
  account: ServerAccount | undefined,
): Promise<void> {
  const flags = ['-U', ADMIN_ROLE, '-E', 'UTF8', '--locale=C.UTF-8', '--data-checksums', '--auth=reject', '--no-sync'];
  const initdb = join(tree.binDir, 'initdb');
  const options = { ...asServerAccount(account), cwd: '/', env: serverEnvironment() };
  await run(initdb, ['-D', dataDir, ...flags], options).catch(async (error: { stderr?: string }) => {
    // macOS has no C.UTF-8.
    if (!error.stderr?.includes('locale')) throw error;
    await run(initdb, ['-D', dataDir, ...flags.map((flag) => flag.replace('C.UTF-8', 'C'))], options);
  });
}

/** One PostgreSQL server process over one data directory. Its configuration is the caller's business. */
export class PostgresServer {
  private process: { readonly pid: number; readonly startTime: string } | undefined;

  constructor(
    private readonly tree: () => Promise<PostgresTree>,
    readonly places: ServerPlaces,
    readonly port: number,
    private readonly account: ServerAccount | undefined,
    private readonly onProcess: (process: { pid: number; startTime: string } | undefined) => void,
  ) {}

  /** The postmaster, if it runs. */
  get pid(): number | undefined {
    return this.process && isRunning(this.process.pid, this.process.startTime) ? this.process.pid : undefined;
  }

  /**
   * Takes over a server that an earlier process of ours left running: the pid file of the data directory must name it, and the process
   * must be the one that was recorded.
   */
  adopt(recorded: { readonly pid: number; readonly startTime: string }): boolean {
    const owner = Number(pidFileLine(this.places.dataDir, PID_LINE));
    if (owner !== recorded.pid || !isRunning(recorded.pid, recorded.startTime)) return false;
    thaw(recorded.pid);
    this.setProcess(recorded);
    return true;
  }

  /** Starts the server and waits until it lets the stand-in in. */
  async start(): Promise<void> {
    const tree = await this.tree();
    mkdirSync(this.places.socketDir, { recursive: true });
    const output = openSync(join(this.places.logDir, 'postgres.log'), 'a', 0o640);
    let child: ChildProcess;
    try {
      // A process group of its own: Ctrl-C in a terminal must reach the stand-in only, which then stops its servers in order.
      child = spawn(join(tree.binDir, 'postgres'), ['-D', this.places.dataDir], {
        ...asServerAccount(this.account),
        cwd: this.places.dataDir,
        env: serverEnvironment(),
        detached: true,
        stdio: ['ignore', output, output],
      });
    } finally {
      closeSync(output);
    }
    // Of this start alone: the end of the process before may become known only now.
    const outcome: StartOutcome = { exit: undefined };
    child.once('error', (error) => (outcome.exit = error.message));
    child.once('exit', (code, signal) => (outcome.exit = `exited with ${signal ?? code}`));
    child.unref();
    if (child.pid !== undefined) {
      this.setProcess({ pid: child.pid, startTime: lookUpProcess(child.pid)?.startTime ?? '' });
    }
    await this.waitUntilReady(outcome);
  }

  /** Stops the server and waits until its processes are gone. */
  async stop(mode: StopMode): Promise<void> {
    const pid = this.pid;
    if (pid !== undefined) {
      thaw(pid);
      for (const signal of mode === 'fast'
        ? (['SIGINT', 'SIGQUIT', 'SIGKILL'] as const)
        : (['SIGQUIT', 'SIGKILL'] as const)) {
        signalIfThere(pid, signal);
        const deadline = Date.now() + STOP_TIMEOUT_MS;
        while (this.pid !== undefined && Date.now() < deadline) await sleep(POLL_MS);
        if (this.pid === undefined) break;
      }
    }
    this.setProcess(undefined);
  }

  /** Makes the server read its configuration again. */
  reload(): void {
    const pid = this.pid;
    if (pid !== undefined) signalIfThere(pid, 'SIGHUP');
  }

  /** A session of the stand-in's superuser over the Unix socket. It writes even where writing is off by default, and leaves no statements in the log. */
  async connect(database = 'postgres'): Promise<Client> {
    const client = new Client({
      host: this.places.socketDir,
      port: this.port,
      user: ADMIN_ROLE,
      database,
      application_name: ADMIN_ROLE,
      options: '-c default_transaction_read_only=off -c log_statement=none -c log_min_duration_statement=-1',
    });
    client.on('error', () => undefined); // the server may stop at any time; the next query says so
    await client.connect();
    return client;
  }

  /** Runs one piece of work in a session of its own. */
  async withSession<Result>(work: (client: Client) => Promise<Result>, database?: string): Promise<Result> {
    const client = await this.connect(database);
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  private async waitUntilReady(outcome: StartOutcome): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    // Its pid file says when it takes sessions; asking for one before that would leave a FATAL line in the log for each try.
    while (!this.saysReady()) {
      if (outcome.exit !== undefined || this.pid === undefined) {
        this.setProcess(undefined);
        throw new ServerDidNotStart(`PostgreSQL didn't start (${outcome.exit ?? 'gone'}): ${await this.lastLines()}`);
      }
      if (Date.now() > deadline) throw new ServerDidNotStart('PostgreSQL takes too long to start');
      await sleep(POLL_MS);
    }
    await this.withSession(async () => undefined);
  }

  /** A pid file of another process is a leftover. */
  private saysReady(): boolean {
    const { dataDir } = this.places;
    const isOurs = Number(pidFileLine(dataDir, PID_LINE)) === this.process?.pid;
    return isOurs && pidFileLine(dataDir, STATUS_LINE)?.trim() === 'ready';
  }

  private async lastLines(): Promise<string> {
    const text = await readFile(join(this.places.logDir, 'postgres.log'), 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-5).join(' | ');
  }

  private setProcess(value: { pid: number; startTime: string } | undefined): void {
    this.process = value;
    this.onProcess(value);
  }
}

/** A line of the pid file, counted from 0. */
function pidFileLine(dataDir: string, line: number): string | undefined {
  try {
    return readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[line];
  } catch {
    return undefined;
  }
}

function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

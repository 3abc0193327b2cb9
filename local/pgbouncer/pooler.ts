import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { withClient, type Login } from '../app/databases';
import { findFreePort } from '../postgres/free-port';
import { giveTo, serverAccount } from '../postgres/unprivileged';
import { Child } from '../world/child';
import type { ProcessRegistry } from '../world/process-registry';
import { waitFor } from '../world/wait-for';
import { databasesFile, FILES, rewriteDatabases, settingsFile, usersFile, type Databases } from './configuration';

const READY_MS = 20_000;
/** Somebody else may take a free port before PgBouncer does. */
const ATTEMPTS = 3;

export interface PoolerOptions {
  /** The executable. */
  readonly program: string;
  /** Made, and removed with the pooler: it holds passwords. */
  readonly folder: string;
  readonly logFile: string;
  readonly registry: ProcessRegistry;
  readonly env?: NodeJS.ProcessEnv;
  /** What people call it. */
  readonly what?: string;
  readonly databases: Databases;
  /** Users of the databases, with the passwords that they have there. */
  readonly users: readonly Login[];
  /** May log in to the admin console, the database `pgbouncer`. */
  readonly admin: Login;
  /** Certificates (PEM) that the servers' must go back to; without them PgBouncer talks to them in clear. */
  readonly ca?: string;
  /** Settings of pgbouncer.ini that differ from ours. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** A PgBouncer of our own, as a process: several can run beside each other. */
export class Pooler {
  readonly host = '127.0.0.1';

  private constructor(
    private readonly options: PoolerOptions,
    readonly port: number,
    private readonly child: Child,
  ) {}

  /** Starts it and waits until its console answers. */
  static async start(options: PoolerOptions): Promise<Pooler> {
    for (let attempt = 1; ; attempt += 1) {
      const port = await findFreePort(new Set());
      writeFiles(options, port);
      const pooler = new Pooler(options, port, launch(options));
      try {
        await pooler.child.untilReady(
          waitFor('PgBouncer answers', () => pooler.answers(), { timeoutMs: READY_MS, everyMs: 20 }),
        );
        return pooler;
      } catch (error) {
        await pooler.stop();
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  get pid(): number {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child.isRunning;
  }

  /** `host:port`, as an application's parameter has it. */
  get endpoint(): string {
    return `${this.host}:${this.port}`;
  }

  /** The file with the entries of `[databases]`. */
  get databasesFile(): string {
    return join(this.options.folder, FILES.databases);
  }

  /** Names other servers in that file; PgBouncer reads it at the next RELOAD. */
  rewrite(databases: Databases): void {
    rewriteDatabases(this.databasesFile, databases);
  }

  /** Runs work on the admin console: `PAUSE`, `RELOAD`, `RESUME`, `SHOW ...`. */
  console<T>(work: (console: Client) => Promise<T>): Promise<T> {
    return withClient(this, this.options.admin, 'pgbouncer', work);
  }

  /** Ends it, clients or not, and removes its folder. */
  async stop(): Promise<void> {
    // SIGINT waits for transactions of clients, SIGTERM doesn't wait for anybody.
    await this.child.stop();
    rmSync(this.options.folder, { recursive: true, force: true });
  }

  /** SIGKILL; its files stay. */
  kill(): Promise<void> {
    return this.child.kill('SIGKILL');
  }

  private async answers(): Promise<boolean> {
    if (!this.child.isRunning) return false;
    return this.console((console) => console.query('SHOW VERSION')).then(
      () => true,
      () => false,
    );
  }
}

function writeFiles({ folder, databases, users, admin, ca, settings }: PoolerOptions, port: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const write = (name: string, text: string, mode = 0o644): void => writeFileSync(join(folder, name), text, { mode });
  const more = settings ? { more: settings } : {};
  write(FILES.settings, settingsFile({ port, admin, verifyServers: ca !== undefined, ...more }));
  write(FILES.databases, databasesFile(databases));
  write(FILES.users, usersFile([...users, admin]), 0o600);
  if (ca !== undefined) write(FILES.ca, ca);
  giveTo(serverAccount(), folder);
}

/**
 * PgBouncer refuses to run as root, so under root it changes to `nobody` by itself, once it has been loaded. It runs in its folder, which all
 * its files are named relative to: so it finds them even where `nobody` can't pass through the folders above.
 */
function launch({ program, folder, logFile, registry, env = process.env, what = 'PgBouncer' }: PoolerOptions): Child {
  const account = serverAccount() ? ['-u', 'nobody'] : [];
  return new Child({ what, command: program, args: [...account, FILES.settings], env, cwd: folder, logFile, registry });
}

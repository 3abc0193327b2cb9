import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { preparePostgres, type Major } from '../../local/postgres/binaries';
import { findFreePort } from '../../local/postgres/free-port';
import { createMaster, installRdsEngine } from '../../local/postgres/rds-engine';
import { initialise, PostgresServer } from '../../local/postgres/server';
import { giveTo, serverAccount } from '../../local/postgres/unprivileged';

/** A bare PostgreSQL server that lets everybody in as anybody: for tests that need no AWS. */
export class BareServer {
  private constructor(
    readonly server: PostgresServer,
    private readonly folder: string,
    private readonly major: Major,
    private readonly watch: ChildProcess,
  ) {}

  static async create(major: Major = 16): Promise<BareServer> {
    const bare = await BareServer.prepare(major);
    const tree = await bare.tree();
    const account = serverAccount();
    await initialise(tree, bare.server.places.dataDir, account);
    writeFileSync(
      join(bare.server.places.dataDir, 'pg_hba.conf'),
      'local all all trust\nhost all all 127.0.0.1/32 trust\n',
    );
    await bare.start();
    return bare;
  }

  /** The same with what RDS's build lets its master user do (`rds_superuser`), and the user `master`, who is no superuser. */
  static async asRds(major: Major = 16): Promise<BareServer> {
    const bare = await BareServer.create(major);
    await installRdsEngine(bare.server, major);
    await createMaster(bare.server, 'master', 'secret');
    return bare;
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.server.port };
  }

  get endpoint(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  /** A second server with the same contents; the first one is stopped while they are copied. */
  async twin(): Promise<BareServer> {
    const twin = await BareServer.prepare(this.major);
    await this.server.stop('fast');
    cpSync(this.server.places.dataDir, twin.server.places.dataDir, { recursive: true });
    giveTo(serverAccount(), twin.folder);
    await Promise.all([this.start(), twin.start()]);
    return twin;
  }

  async remove(): Promise<void> {
    await this.server.stop('immediate');
    rmSync(this.folder, { recursive: true, force: true });
    this.watch.stdin?.end();
  }

  private tree(): ReturnType<typeof preparePostgres> {
    return preparePostgres(this.major, join(this.folder, 'programs'), { rdsTools: false });
  }

  private async start(): Promise<void> {
    const { dataDir, socketDir } = this.server.places;
    const settings = {
      port: this.server.port,
      listen_addresses: "'127.0.0.1'",
      unix_socket_directories: `'${socketDir}'`,
    };
    const lines = Object.entries({ ...settings, fsync: 'off' }).map(([name, value]) => `${name} = ${value}`);
    writeFileSync(join(dataDir, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
    giveTo(serverAccount(), dataDir);
    await this.server.start();
  }

  private static async prepare(major: Major): Promise<BareServer> {
    const folder = mkdtempSync(join(tmpdir(), `ks-${randomUUID().slice(0, 4)}-`));
    const [dataDir, logDir, socketDir] = ['data', 'log', 'socket'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [dataDir, logDir, socketDir]) mkdirSync(path, { mode: 0o700 });
    giveTo(serverAccount(), folder);
    const port = await findFreePort(new Set());
    const tree = (): ReturnType<typeof preparePostgres> => bare.tree();
    const server = new PostgresServer(tree, { dataDir, logDir, socketDir }, port, serverAccount(), () => undefined);
    const bare = new BareServer(server, folder, major, endWithUs(dataDir, folder));
    return bare;
  }
}

/** Waits for the end of its input, then ends the server of the pid file in $1, if there is one, and removes $2. */
const WATCH = `
cat > /dev/null
pid=$(head -n 1 "$1/postmaster.pid" 2> /dev/null)
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2> /dev/null
  # Not for ever: nobody may reap it.
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -0 "$pid" 2> /dev/null && sleep 0.2; done
fi
rm -rf "$2"
`;

/**
 * A process that outlives us and ends a server when our end of its pipe closes, however we end: SIGKILL asks nobody. The server itself can't know,
 * since it has a session of its own.
 */
function endWithUs(dataDir: string, folder: string): ChildProcess {
  const watch = spawn('/bin/sh', ['-c', WATCH, 'keyshift-watch', dataDir, folder], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watch.unref();
  (watch.stdin as unknown as Socket).unref();
  return watch;
}

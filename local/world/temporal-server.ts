import { join } from 'node:path';
import { findFreePort } from '../postgres/free-port';
import { runCommand } from '../tools/run-command';
import { Child } from './child';
import type { WorldFiles } from './ownership';
import type { ProcessRegistry } from './process-registry';
import { waitFor } from './wait-for';

/** Registered when the server starts; a worker that registers them itself finds them there. */
const SEARCH_ATTRIBUTES = ['KeyshiftPhase', 'KeyshiftSource', 'KeyshiftTarget', 'KeyshiftGate'];
const READY_MS = 60_000;
/** Somebody else may take a free port before the server does. */
const ATTEMPTS = 3;

/** The Temporal development server with its Web UI; keeps its state in a file, so that it can be killed and started anew. */
export class TemporalServer {
  private child: Child | undefined;

  private constructor(
    private readonly cli: string,
    private readonly files: WorldFiles,
    private readonly registry: ProcessRegistry,
    private readonly env: NodeJS.ProcessEnv,
    private readonly port: number,
    private readonly uiPort: number,
  ) {}

  static async start(
    cli: string,
    files: WorldFiles,
    registry: ProcessRegistry,
    env: NodeJS.ProcessEnv,
    signal?: AbortSignal,
  ): Promise<TemporalServer> {
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      const port = await findFreePort(new Set());
      const uiPort = await findFreePort(new Set([port]));
      const server = new TemporalServer(cli, files, registry, env, port, uiPort);
      try {
        await server.start();
        return server;
      } catch (error) {
        await server.stop();
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get uiUrl(): string {
    return `http://127.0.0.1:${this.uiPort}`;
  }

  /** Starts it on the same ports and the same state. */
  async start(): Promise<void> {
    const address = ['--ip', '127.0.0.1', '--port', String(this.port), '--ui-port', String(this.uiPort)];
    const attributes = SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
    const state = ['--db-filename', this.files.temporalDatabase, '--log-level', 'warn'];
    const child = new Child({
      what: 'Temporal server',
      command: this.cli,
      args: ['server', 'start-dev', ...address, ...state, ...attributes],
      env: this.env,
      logFile: join(this.files.logs, 'temporal.log'),
      registry: this.registry,
    });
    this.child = child;
    await child.untilReady(
      waitFor('the Temporal server answers', async () => child.isRunning && this.answers(), { timeoutMs: READY_MS }),
    );
  }

  kill(): Promise<void> {
    return this.child?.kill('SIGKILL') ?? Promise.resolve();
  }

  stop(): Promise<void> {
    return this.child?.stop() ?? Promise.resolve();
  }

  private async answers(): Promise<boolean> {
    const ask = ['operator', 'namespace', 'describe', '--namespace', 'default', '--address', this.address];
    return runCommand(this.cli, ask, { env: this.env, timeoutMs: 5_000 }).then(
      () => true,
      () => false,
    );
  }
}

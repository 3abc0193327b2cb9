import { join } from 'node:path';
import { Child, typescript } from './child';
import type { WorldFiles } from './ownership';
import type { ProcessRegistry } from './process-registry';

/** The first start may fetch and unpack servers. */
const READY_MS = 120_000;

/** What the embedded AWS says in one line of JSON when it is ready. */
export interface AwsFacts {
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly caBundle: string;
}

/** The embedded AWS as a process; its state survives a restart on the same port. */
export class EmbeddedAws {
  private constructor(
    private readonly child: Child,
    readonly facts: AwsFacts,
  ) {}

  static async start(
    files: WorldFiles,
    registry: ProcessRegistry,
    env: NodeJS.ProcessEnv,
    port = 0,
  ): Promise<EmbeddedAws> {
    let announce: (facts: AwsFacts) => void;
    const announced = new Promise<AwsFacts>((resolve) => (announce = resolve));
    const child = new Child({
      what: 'embedded AWS',
      command: process.execPath,
      args: typescript(
        'local/aws/main.ts',
        '--state-dir',
        files.awsState,
        '--port',
        String(port),
        '--exit-with-parent',
      ),
      env,
      logFile: join(files.logs, 'aws.log'),
      onLine: (line) => {
        const facts = readyLine(line);
        if (facts) announce(facts);
      },
      registry,
      stopMs: 60_000,
    });
    const timer = setTimeout(() => void child.kill('SIGKILL'), READY_MS);
    try {
      return new EmbeddedAws(child, await child.untilReady(announced));
    } finally {
      clearTimeout(timer);
    }
  }

  get port(): number {
    return Number(new URL(this.facts.endpoint).port);
  }

  kill(): Promise<void> {
    return this.child.kill('SIGKILL');
  }

  stop(): Promise<void> {
    return this.child.stop();
  }
}

function readyLine(line: string): AwsFacts | undefined {
  try {
    const message = JSON.parse(line) as Partial<AwsFacts> & { ready?: boolean };
    const { ready, endpoint, region, accountId, caBundle } = message;
    return ready && endpoint && region && accountId && caBundle ? { endpoint, region, accountId, caBundle } : undefined;
  } catch {
    return undefined;
  }
}

import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

/** Where the load goes, and how much of it. */
export interface LoadOptions {
  /** `host:port`, or the SSM parameter that has it. */
  readonly endpoint:
    string | { readonly aws: { readonly endpoint: string; readonly region: string }; readonly parameter: string };
  readonly user: string;
  readonly password: string;
  /** Certificates that the server's must go back to; without them TLS is off. */
  readonly ca?: string;
  /** Connections take turns. */
  readonly databases: readonly string[];
  readonly connections: number;
  /** Transactions per second, all connections together. */
  readonly rate: number;
}

/** What the clients saw since the last mark. */
export interface LoadFigures {
  readonly acknowledged: number;
  /** Transactions that failed, and connections that could not be made. */
  readonly errors: number;
  /** The longest time in which no transaction of any connection was acknowledged: the write pause. */
  readonly longestGapMs: number;
  /** Of a transaction, from its beginning to its acknowledgement. */
  readonly worstLatencyMs: number;
}

export interface LoadMessage {
  readonly what: 'ready' | 'mark' | 'stop';
  readonly figures?: LoadFigures;
}

/** Writes in a process of its own, and measures what writers see. */
export class LoadGenerator {
  private constructor(private readonly child: ChildProcess) {}

  /** Starts it, and waits until it writes at its rate. */
  static async start(options: LoadOptions): Promise<LoadGenerator> {
    const child = fork(join(__dirname, 'load.ts'), [JSON.stringify(options)], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const load = new LoadGenerator(child);
    await load.expect('ready');
    return load;
  }

  /** From here on it counts anew. */
  async mark(): Promise<void> {
    const marked = this.expect('mark');
    this.child.send({ what: 'mark' });
    await marked;
  }

  /** Lets transactions end, and answers what was seen since the mark. */
  async stop(): Promise<LoadFigures> {
    const stopped = this.expect('stop');
    this.child.send({ what: 'stop' });
    const { figures } = await stopped;
    if (!figures) throw new Error('the load generator has no figures');
    return figures;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private expect(what: LoadMessage['what']): Promise<LoadMessage> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the load generator ended with ${code}`));
      const take = (message: LoadMessage): void => {
        if (message.what !== what) return;
        this.child.off('message', take).off('exit', ended);
        resolve(message);
      };
      this.child.on('message', take).once('exit', ended);
    });
  }
}

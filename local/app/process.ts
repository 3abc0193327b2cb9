import { join } from 'node:path';
import { signalIfThere } from '../postgres/processes';
import { Child, typescript } from '../world/child';
import type { World } from '../world/world';
import type { WriterTotals } from './writer';

interface Message {
  readonly ready?: boolean;
  readonly flushed?: boolean;
  readonly stopped?: boolean;
  readonly totals?: WriterTotals;
}

/** The sample application as a process in a world. */
export class SampleApplication {
  private readonly waiting: { wanted: keyof Message; resolve: (message: Message) => void }[] = [];
  private readonly child: Child;

  private constructor(
    world: World,
    readonly notesFile: string,
    args: readonly string[],
  ) {
    this.child = new Child({
      what: 'sample application',
      command: process.execPath,
      args: typescript('local/app/main.ts', '--notes', notesFile, ...args),
      env: world.env,
      logFile: join(world.logs, 'app.log'),
      onLine: (line) => this.take(JSON.parse(line) as Message),
      registry: world.registry,
    });
  }

  /** Starts it and waits until it has written. It stops before the world does. */
  static async start(
    world: World,
    { notesFile, rate, pooled = false }: { notesFile: string; rate: number; pooled?: boolean },
  ): Promise<SampleApplication> {
    const args = ['--rate', String(rate), ...(pooled ? ['--pooled'] : [])];
    const app = new SampleApplication(world, notesFile, args);
    world.onStop('sample application', () => app.child.stop());
    await app.expect('ready');
    return app;
  }

  /** Everything acknowledged before is in the notes file afterwards. */
  async flush(): Promise<WriterTotals | undefined> {
    const flushed = this.expect('flushed');
    signalIfThere(this.child.pid, 'SIGUSR2');
    return (await flushed).totals;
  }

  /** Lets it end its transactions and write out its notes. */
  async stop(): Promise<WriterTotals | undefined> {
    const stopped = this.expect('stopped');
    stopped.catch(() => undefined);
    await this.child.stop();
    return (await stopped).totals;
  }

  private expect(wanted: keyof Message): Promise<Message> {
    return this.child.untilReady(new Promise<Message>((resolve) => this.waiting.push({ wanted, resolve })));
  }

  private take(message: Message): void {
    for (const waiter of this.waiting.filter(({ wanted }) => message[wanted])) {
      waiter.resolve(message);
      this.waiting.splice(this.waiting.indexOf(waiter), 1);
    }
  }
}

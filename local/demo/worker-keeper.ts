import { childrenOf, signalIfThere } from '../postgres/processes';
import type { WorkerProcess } from '../world/worker-process';
import type { World } from '../world/world';

/** The one worker of a demo, which may be killed and started anew. */
export class WorkerKeeper {
  /** Counts kills. */
  kills = 0;

  private constructor(
    private readonly world: World,
    private worker: WorkerProcess,
  ) {}

  static async start(world: World): Promise<WorkerKeeper> {
    return new WorkerKeeper(world, await world.startWorker());
  }

  /** SIGKILL, and a new one at once; doesn't wait until that one polls. */
  async killAndReplace(): Promise<void> {
    await this.worker.kill('SIGKILL');
    this.kills += 1;
    this.worker = this.world.launchWorker();
  }

  /** The same, with the watchdogs that it started. */
  async loseHostAndReplace(): Promise<void> {
    for (const watchdog of childrenOf(this.worker.pid)) signalIfThere(watchdog.pid, 'SIGKILL');
    await this.killAndReplace();
  }

  /** Resolves when the present one polls. */
  ready(): Promise<void> {
    return this.worker.ready;
  }

  /** How it ended, if nobody killed it; undefined while it runs. */
  async death(): Promise<string | undefined> {
    return this.worker.isRunning ? undefined : this.worker.ended;
  }
}

import type { Crew } from './cell';
import type { WorkerOptions } from './messages';
import { WorkerProcess } from './worker-process';

/** Two workers, always: when one is killed, the other takes over at once, and a new one comes. */
export class WorkerCrew implements Crew {
  private readonly members: Promise<WorkerProcess>[];
  private readonly dead: WorkerProcess[] = [];

  constructor(private readonly options: WorkerOptions) {
    this.members = [WorkerProcess.start(options), WorkerProcess.start(options)];
  }

  async worker(): Promise<WorkerProcess> {
    for (;;) {
      const first = this.members[0];
      if (!first) throw new Error('there is no worker');
      const worker = await first;
      if (worker.isAlive) return worker;
      void this.members.shift();
      this.dead.push(worker);
      this.members.push(WorkerProcess.start(this.options));
    }
  }

  async kill(): Promise<void> {
    for (const member of await Promise.allSettled(this.members.splice(0))) {
      if (member.status !== 'fulfilled') continue;
      member.value.kill();
      this.dead.push(member.value);
    }
  }

  /** Waits for the watchdogs of those that were killed, too: for as long as they find the world, they end by themselves. */
  async dismiss(): Promise<void> {
    await this.kill();
    await Promise.all(this.dead.map(({ gone }) => gone));
  }
}

import type { Crew } from './cell';
import type { WorkerOptions } from './messages';
import { WorkerProcess } from './worker-process';

/** Two workers, always: when one is killed, the other takes over at once, and a new one comes. */
export class WorkerCrew implements Crew {
  private readonly members: Promise<WorkerProcess>[];

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
      this.members.push(WorkerProcess.start(this.options));
    }
  }

  async dismiss(): Promise<void> {
    const members = await Promise.allSettled(this.members.splice(0));
    for (const member of members) if (member.status === 'fulfilled') member.value.kill();
  }
}

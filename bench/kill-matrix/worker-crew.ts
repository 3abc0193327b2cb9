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

  /** The one that takes over while the first goes on. */
  async second(): Promise<WorkerProcess> {
    await this.worker();
    const second = this.members[1];
    if (!second) throw new Error('there is no other worker');
    return second;
  }

  /**
   * Puts another in the place of the one that worked, and waits for the watchdogs that were left behind. They know the migration and not the pause,
   * so they would look after that of the next cell.
   */
  async renew(): Promise<void> {
    const worker = await this.worker();
    worker.kill();
    void this.members.shift();
    this.members.push(WorkerProcess.start(this.options));
    this.dead.push(worker);
    await this.untilGone();
  }

  async kill(): Promise<void> {
    for (const member of await Promise.allSettled(this.members.splice(0))) {
      if (member.status !== 'fulfilled') continue;
      member.value.kill();
      this.dead.push(member.value);
    }
  }

  /** Waits for their watchdogs, too: for as long as they find the world, they end by themselves. */
  async dismiss(): Promise<void> {
    await this.kill();
    await this.untilGone();
  }

  private async untilGone(): Promise<void> {
    await Promise.all(this.dead.splice(0).map(({ gone }) => gone));
  }
}

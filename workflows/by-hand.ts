import { presentName } from '../plan/instance-names';
import { oneLine } from '../plan/printable';
import { MESSAGES } from '../plan/temporal';
import { updateCommand } from './details';
import type { Request } from './messages';
import type { Migration } from './migration';

/** The traffic switch `manual`: a person moves the traffic after the pause, and says so with `switched`. */
export class ByHand {
  #asked = false;
  #by: string | undefined;

  constructor(private readonly migration: Migration) {}

  /** Asks for it, where the plan has such a switch. After the pause: until then there is nothing to be switched. */
  ask(): void {
    const { id, plan, progress, ref } = this.migration;
    if (!plan.cutover.traffic.some(({ type }) => type === 'manual')) return;
    this.#asked = true;
    const to = presentName(ref, 'target');
    progress.switching = { to, command: updateCommand(id, MESSAGES.switched, '{"by":"<you>"}') };
    this.migration.notice(`writes wait for you: point your applications at ${to}, then send switched`);
  }

  /** Waits until it is done; at once where nobody was asked. */
  async done(): Promise<void> {
    if (!this.#asked) return;
    await this.migration.timerWhile(() => this.#by !== undefined, 'waiting for switched: traffic is moved by hand');
  }

  refuse(input: Request | undefined): string | undefined {
    if (this.#by !== undefined) return `switched refused: ${this.#by} has said so already`;
    if (!this.#asked) return 'switched refused: nobody was asked to move traffic by hand';
    const by: unknown = input?.by;
    return typeof by === 'string' && by.trim() !== '' ? undefined : 'switched refused: "by" has to say who moved it';
  }

  switched(input: Request | undefined): string {
    this.#by = oneLine(input?.by?.trim() ?? '');
    delete this.migration.progress.switching;
    this.migration.notice(`traffic moved to the target by hand, by ${this.#by}`);
    return `switched by ${this.#by}`;
  }
}

import { messageOf } from '../tools/report';
import type { ProgressPrinter, Progress } from './progress';
import type { MigrationReport, TemporalCommands } from './temporal-commands';

/** Between two looks at the progress. */
const EVERY_MS = 400;
/** Looking takes processor time; nobody looks while the pause lasts. */
const QUIET_MS = 1_500;
/** A query needs a worker; while it is killed and started anew there is no answer. */
const SILENCE_MS = 120_000;

/** So often a gate may open; each time is answered. */
const OPENINGS = 5;

/** The migration stopped on its own, or will not go on by itself. */
export class MigrationFailed extends Error {
  override readonly name = 'MigrationFailed';
}

/** What to do when something happens in the migration. */
export interface Reactions {
  /** A gate opened, for the first time or again; true if it was answered. */
  gateOpened(gate: string, progress: Progress): Promise<boolean>;
  /** After every look. */
  looked?(progress: Progress): Promise<void> | void;
}

/** Follows a migration by its query `progress`, and fails with the reason when it parks, aborts or fails. */
export class MigrationFollower {
  /** Gates that were seen, as often as they opened. */
  private readonly seen = new Map<string, Set<string>>();
  private lastAnswer = Date.now();

  constructor(
    private readonly commands: TemporalCommands,
    private readonly printer: ProgressPrinter,
    private readonly signal: AbortSignal,
  ) {}

  /** Looks until `enough` says so. */
  async until(enough: (progress: Progress) => boolean, reactions: Reactions): Promise<Progress> {
    for (;;) {
      this.signal.throwIfAborted();
      const progress = await this.look();
      if (progress) {
        this.printer.show(progress);
        await reactions.looked?.(progress);
        if (progress.status === 'parked' && progress.parked) throw parked(progress.parked);
        if (progress.status === 'failed') {
          throw new MigrationFailed(`the migration failed: ${await this.commands.failure()}`);
        }
        if (progress.status === 'aborted') throw new MigrationFailed('the migration was aborted');
        if (enough(progress)) return progress;
        await this.react(progress, reactions);
      } else {
        await this.failIfEnded();
      }
      await pause(EVERY_MS);
    }
  }

  /** Waits until the workflow has completed. */
  async completed(): Promise<void> {
    for (;;) {
      this.signal.throwIfAborted();
      const { status } = await this.commands.describe();
      if (status === 'COMPLETED') {
        const last = await this.look();
        if (last) this.printer.show(last);
        return;
      }
      if (status !== 'RUNNING')
        throw new MigrationFailed(`the workflow is ${status}: ${await this.commands.failure()}`);
      const progress = await this.look();
      if (progress) this.printer.show(progress);
      if (progress?.status === 'parked' && progress.parked) throw parked(progress.parked);
      await pause(EVERY_MS);
    }
  }

  /** The report; asked again while no worker answers. */
  async report(): Promise<MigrationReport> {
    for (;;) {
      this.signal.throwIfAborted();
      try {
        return await this.commands.migrationReport();
      } catch (error) {
        if (Date.now() - this.lastAnswer > SILENCE_MS) throw error;
        await pause(EVERY_MS);
      }
    }
  }

  private async react(progress: Progress, reactions: Reactions): Promise<void> {
    const { gate } = progress;
    if (!gate) return;
    const openings = this.seen.get(gate.name) ?? new Set<string>();
    this.seen.set(gate.name, openings);
    if (openings.has(gate.openedAt)) return;
    openings.add(gate.openedAt);
    // A pause that was given up leads back to its gate.
    if (openings.size > OPENINGS) throw new MigrationFailed(`gate ${gate.name} opened ${openings.size} times`);
    this.printer.line(`gate ${gate.name} is open`);
    for (const finding of gate.findings) this.printer.line(`  ${finding}`);
    const answered = await reactions.gateOpened(gate.name, progress);
    // Nobody asked meanwhile.
    this.lastAnswer = Date.now();
    if (!answered) this.printer.line(`  approve it with:\n${gate.command}`);
    else if (gate.name === 'cutover') await pause(QUIET_MS);
  }

  private async look(): Promise<Progress | undefined> {
    try {
      const progress = await this.commands.progress();
      this.lastAnswer = Date.now();
      return progress;
    } catch (error) {
      if (Date.now() - this.lastAnswer > SILENCE_MS) {
        throw new MigrationFailed(`no worker has answered for ${SILENCE_MS / 1000} s: ${messageOf(error)}`);
      }
      return undefined;
    }
  }

  private async failIfEnded(): Promise<void> {
    const { status } = await this.commands.describe();
    if (status !== 'RUNNING') throw new MigrationFailed(`the workflow is ${status}: ${await this.commands.failure()}`);
  }
}

function parked({ step, type, message }: { step: string; type: string; message: string }): MigrationFailed {
  return new MigrationFailed(`the migration is parked in step ${step} (${type}): ${message}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
